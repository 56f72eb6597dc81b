package optim

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func TestPruneThreshold(t *testing.T) {
	nan := float32(math.NaN())
	p := one([]float32{1e-3, -1e-3, 9e-4, -9e-4, 0, 5, nan}, nil)
	if got := PruneThreshold(p, 1e-3); got != 3 {
		t.Errorf("got %d pruned, want 3", got)
	}
	if got, want := fmt.Sprint(p.Value, p.Mask), "[0.001 -0.001 0 0 0 5 NaN] [true true false false false true true]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if p := one([]float32{0, 1}, nil); PruneThreshold(p, 0) != 0 || p.Mask != nil {
		t.Errorf("threshold 0: got mask %v, want none", p.Mask)
	}
}

func TestPruneMagnitude(t *testing.T) {
	nan := float32(math.NaN())
	for _, test := range []struct {
		name     string
		w        []float32
		sparsity float64
		want     []float32
	}{
		{"smallest first", []float32{3, -1, 2, -4}, 0.5, []float32{3, 0, 0, -4}},
		{"ties by index", []float32{1, -1, 1, -1, 1}, 0.4, []float32{0, 0, 1, -1, 1}},
		{"halves away from zero", []float32{1, 2, 3, 4, 5}, 0.5, []float32{0, 0, 0, 4, 5}},
		{"zeros count", []float32{5, 0, 4, 0, 3, 1}, 0.5, []float32{5, 0, 4, 0, 3, 0}},
		{"NaN last", []float32{nan, 1, 2, float32(math.Inf(-1))}, 0.5, []float32{nan, 0, 0, float32(math.Inf(-1))}},
		{"never the last weight", []float32{3, 1, 2}, 0.99, []float32{3, 0, 0}},
		{"one weight", []float32{3}, 0.9, []float32{3}},
		{"no weight", nil, 0.9, nil},
		{"none", []float32{1, 2}, 0, []float32{1, 2}},
	} {
		p := one(slices.Clone(test.w), nil)
		PruneMagnitude(p, test.sparsity)
		if got, want := fmt.Sprint(p.Value), fmt.Sprint(test.want); got != want {
			t.Errorf("%s: got %s, want %s", test.name, got, want)
		}
	}
}

// TestExactCounts asks for many sparsities in turn, of weights with many ties,
// with the zeros that proximal L1 makes, and of weights all different.
func TestExactCounts(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	for _, n := range []int{10, 99, 1000, 70001} {
		for kind, draw := range map[string]func() float32{
			"different": func() float32 { return r.Float32() - 0.5 },
			"ties":      func() float32 { return float32(r.IntN(7)-3) / 8 },
			"equal":     func() float32 { return 1 },
			"tiny":      func() float32 { return math.Float32frombits(uint32(r.IntN(9))) },
		} {
			p := one(make([]float32, n), nil)
			for i := range p.Value {
				p.Value[i] = draw()
			}
			zeros := p.Zeros()
			var before []bool
			for _, s := range []float64{0.1, 0.25, 0.5, 0.3, 0.8, 0.9} {
				PruneMagnitude(p, s)
				want := int(math.Round(float64(n) * max(s, 0.1)))
				if s == 0.3 {
					want = int(math.Round(float64(n) * 0.5)) // less than before changes nothing
				}
				if got := p.Pruned(); got != want {
					t.Errorf("%s, n=%d, sparsity %g: got %d pruned, want %d", kind, n, s, got, want)
				}
				if got := p.Zeros(); got != max(want, zeros) {
					t.Errorf("%s, n=%d, sparsity %g: got %d zeros, want %d", kind, n, s, got, max(want, zeros))
				}
				for i := range before {
					if !before[i] && p.Mask[i] {
						t.Fatalf("%s, n=%d, sparsity %g: weight %d came back", kind, n, s, i)
					}
				}
				before = slices.Clone(p.Mask)
			}
		}
	}
}

// FuzzRank compares the counting selection with a sort.
func FuzzRank(f *testing.F) {
	f.Add(uint64(1), uint16(100), uint16(50), uint8(8))
	f.Add(uint64(2), uint16(1), uint16(1), uint8(32))
	f.Add(uint64(3), uint16(3000), uint16(2999), uint8(2))
	f.Fuzz(func(t *testing.T, seed uint64, n, k uint16, bits uint8) {
		r := rand.New(rand.NewPCG(seed, 0))
		p := one(make([]float32, n), nil)
		for i := range p.Value {
			// Few random bits, spread over the word, make many ties.
			p.Value[i] = math.Float32frombits(r.Uint32() & (0x81818181 | (1<<(bits%32) - 1)))
			if r.IntN(4) == 0 {
				p.prune(i)
			}
		}
		order := make([]int, n)
		for i := range order {
			order[i] = i
		}
		key := func(i int) float64 {
			w := math.Abs(float64(p.Value[i]))
			switch {
			case !p.kept(i):
				return -1
			case math.IsNaN(w): // NaNs have their order too, by their bits
				return math.MaxFloat64 * 0x1p-60 * float64(math.Float32bits(p.Value[i])&^signBit)
			case math.IsInf(w, 1):
				return math.MaxFloat32 * 2
			}
			return w
		}
		slices.SortStableFunc(order, func(i, j int) int {
			switch a, b := key(i), key(j); {
			case a < b:
				return -1
			case a > b:
				return 1
			}
			return 0
		})
		want := int(k) % (int(n) + 1)
		if want < p.Pruned() {
			return
		}
		pruned := make([]bool, n)
		for _, i := range order[:want] {
			pruned[i] = true
		}
		p.pruneSmallest(want)
		for i := range pruned {
			if p.kept(i) == pruned[i] {
				t.Fatalf("weight %d: got kept %t, want %t", i, p.kept(i), !pruned[i])
			}
		}
	})
}

// layers are parameters of the given sizes; the weights of the i-th are around
// scale[i].
func layers(sizes []int, scales []float32) []*Param {
	r := rand.New(rand.NewPCG(21, 22))
	var params []*Param
	for i, n := range sizes {
		p := one(make([]float32, n), nil)
		p.Name = fmt.Sprintf("layer%d", i)
		for j := range p.Value {
			p.Value[j] = scales[i] * (r.Float32() - 0.5)
		}
		params = append(params, p)
	}
	return params
}

func TestPruneGlobal(t *testing.T) {
	a, b := one([]float32{1, 5, 2}, nil), one([]float32{-1, 6, 7, 1, 8}, nil)
	if err := PruneGlobal([]*Param{a, b}, 0.5, 0); err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(a.Value, b.Value), "[0 5 0] [0 6 7 0 8]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	a, b = one([]float32{1, 1}, nil), one([]float32{1, 1, 1, 1}, nil)
	if err := PruneGlobal([]*Param{a, b}, 0.5, 0.5); err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(a.Value, b.Value), "[0 1] [0 0 1 1]"; got != want {
		t.Errorf("ties by parameter, then index, and one left in each: got %s, want %s", got, want)
	}
}

// TestGlobalKeepsLayersAlive has a layer of tiny weights, which an unrestrained
// ranking would empty.
func TestGlobalKeepsLayersAlive(t *testing.T) {
	sizes := []int{250, 20000, 37, 1280, 1}
	for _, floor := range []float64{0, DefaultFloor, 1} {
		params := layers(sizes, []float32{1e-6, 1, 1e-3, 0.5, 1e-9})
		total := 0
		for _, n := range sizes {
			total += n
		}
		for _, s := range []float64{0.3, 0.5, 0.8, 0.9, 0.95, 0.98, 0.999} {
			if err := PruneGlobal(params, s, floor); err != nil {
				t.Fatal(err)
			}
			pruned := 0
			for i, p := range params {
				pruned += p.Zeros()
				left, least := sizes[i]-p.Zeros(), max(1, int(floor*(1-s)*float64(sizes[i])))
				if floor == 1 && s >= 0.98 {
					least = 1 // the layer of one weight takes the place of another's
				}
				if left < least {
					t.Errorf("floor %g, sparsity %g, %s: got %d of %d weights left, want at least %d", floor, s, p.Name, left, sizes[i], least)
				}
			}
			if want := int(math.Round(float64(total) * s)); pruned != want {
				t.Errorf("floor %g, sparsity %g: got %d zeros, want %d", floor, s, pruned, want)
			}
		}
		want := "sparsity 0.9999 asks for 21566 zeros, which empties one of the 5 parameters"
		if err := PruneGlobal(params, 0.9999, floor); err == nil || err.Error() != want {
			t.Errorf("got error %v, want %s", err, want)
		}
	}
}

func TestRamp(t *testing.T) {
	r := Ramp{Begin: 10, End: 110, Every: 25, Initial: 0.1}
	for step, want := range map[int]float64{
		0: 0, 9: 0, 10: 0.1, 60: 0.9 - 0.8*0.125, 109: 0.9 - 0.8*1e-6, 110: 0.9, 500: 0.9,
	} {
		if got := r.At(step, 0.9); math.Abs(got-want) > 1e-12 {
			t.Errorf("step %d: got sparsity %g, want %g", step, got, want)
		}
	}
	if got := r.At(10, 0.05); got != 0.05 {
		t.Errorf("final below initial: got %g, want 0.05", got)
	}
	var due []int
	for step := range 200 {
		if r.Due(step) {
			due = append(due, step)
		}
	}
	if got, want := fmt.Sprint(due), "[10 35 60 85 110]"; got != want {
		t.Errorf("due: got %s, want %s", got, want)
	}
	if r := (Ramp{Begin: 3, End: 12, Every: 5}); !r.Due(12) || r.Due(11) || r.Due(13) {
		t.Error("the end is not due exactly")
	}
	if r := (Ramp{}); !r.Due(0) || r.Due(1) || r.At(0, 0.9) != 0.9 {
		t.Error("the zero Ramp does not prune all at step 0 only")
	}
}

// TestPruner follows a cubic ramp while the weights move, and checks what is
// pruned, what is not, and that it grows.
func TestPruner(t *testing.T) {
	for _, global := range []bool{false, true} {
		params := network()
		r := rand.New(rand.NewPCG(31, 32))
		for _, p := range params {
			for i := range p.Value {
				p.Value[i] = r.Float32() + 0.1
			}
		}
		cfg := Pruning{Global: global, Floor: DefaultFloor, Ramp: Ramp{Begin: 2, End: 22, Every: 4}}
		var err error
		if cfg.Sparsity, err = ParseSettings("0.9", "layer:fc2*=0.5"); err != nil {
			t.Fatal(err)
		}
		pr, err := NewPruner(params, cfg)
		if err != nil {
			t.Fatal(err)
		}
		opt := mustNew(t, params, everythingWithoutSelectors())
		last := 0
		for step := range 30 {
			feedTrainable(params, step)
			opt.Step(1)
			if err := pr.Step(step); err != nil {
				t.Fatal(err)
			}
			pruned := 0
			for _, p := range params {
				pruned += p.Pruned()
			}
			if pruned < last {
				t.Errorf("step %d: got %d pruned after %d", step, pruned, last)
			}
			last = pruned
		}
		want := map[string]int{"features.0.weight": 32, "onnx::MatMul_636": 115, "fc[2],weight": 40} // of 36, 128, 80
		if global {
			if got := params[0].Zeros() + params[5].Zeros(); got != 148 { // round(0.9·164)
				t.Errorf("global: got %d zeros in the pool of 0.9, want 148", got)
			}
			want = map[string]int{"features.0.weight": params[0].Zeros(), "onnx::MatMul_636": params[5].Zeros(), "fc[2],weight": 40}
		}
		for _, p := range params {
			if got := p.Zeros(); got != want[p.Name] {
				t.Errorf("global %t: %s: got %d zeros, want %d", global, p.Name, got, want[p.Name])
			}
			if p.Rank() < 2 && p.Mask != nil {
				t.Errorf("%s of rank %d has a mask", p.Name, p.Rank())
			}
		}
		why := pr.Plans()[7].Why
		if len(why) != 1 || why[0] != (Reason{"sparsity", 0.5, "layer:fc2*=0.5"}) {
			t.Errorf("got reasons %v, want the one of layer:fc2*", why)
		}
	}
}

func everythingWithoutSelectors() Config {
	cfg := everything("adamw")
	cfg.LR = Set(0.01)
	return cfg
}

func feedTrainable(params []*Param, step int) {
	var list []*Param
	for _, p := range params {
		if p.Trainable {
			list = append(list, p)
		}
	}
	feed(list, step)
}

func TestPrunerScope(t *testing.T) {
	params := network()
	for _, p := range params {
		for i := range p.Value {
			p.Value[i] = float32(i + 1)
		}
	}
	params[0].Trainable = false // frozen: not meant by a bare value
	pr, err := NewPruner(params, Pruning{
		Threshold: Settings{{MustSelector("*"), 2}},
		Sparsity:  Set(0.5),
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := pr.Step(0); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range params {
		got = append(got, fmt.Sprint(p.Zeros()))
	}
	// Thresholded where named, even biases; running statistics never.
	if got, want := strings.Join(got, " "), "1 1 1 1 0 64 1 40"; got != want {
		t.Errorf("got zeros %s, want %s", got, want)
	}
}

func TestNewPrunerErrors(t *testing.T) {
	for want, cfg := range map[string]Pruning{
		"sparsity: 1 is not in [0, 1)":                  {Sparsity: Set(1)},
		"sparsity: NaN is not in [0, 1)":                {Sparsity: Set(math.NaN())},
		"prune-threshold: -1 is not in [0, inf)":        {Threshold: Set(-1)},
		"floor: NaN is not in [0, 1]":                   {Floor: math.NaN()},
		"floor: 2 is not in [0, 1]":                     {Floor: 2},
		"initial sparsity: 1 is not in [0, 1)":          {Ramp: Ramp{Initial: 1}},
		"prune begin: step -1 is not in [0, inf)":       {Ramp: Ramp{Begin: -1}},
		"prune end: step 4 is before the begin, step 5": {Ramp: Ramp{Begin: 5, End: 4}},
		"prune every: -1 steps is not in [0, inf)":      {Ramp: Ramp{Every: -1}},
		`sparsity: selector "op:cnov" selects none of the 8 parameters; nearest: "op:Conv", "op:Add", "op:Gemm"`: {Sparsity: Settings{{MustSelector("op:cnov"), 0.5}}},
		"sparsity 0.995 asks for 243 zeros, which empties one of the 3 parameters":                               {Sparsity: Set(0.995), Global: true},
	} {
		if _, err := NewPruner(network(), cfg); err == nil || err.Error() != want {
			t.Errorf("got error %v, want %s", err, want)
		}
	}
}

func TestSparsity(t *testing.T) {
	a, b := one([]float32{0, 1, 2}, nil), one([]float32{float32(math.Copysign(0, -1))}, nil)
	if got := Sparsity([]*Param{a, b}); got != 0.5 {
		t.Errorf("got %g, want 0.5", got)
	}
	if got := Sparsity(nil); got != 0 {
		t.Errorf("got %g of nothing, want 0", got)
	}
	a.Mask = []bool{true, true, false}
	a.ApplyMask()
	if got := fmt.Sprint(a.Value); got != "[0 1 0]" {
		t.Errorf("ApplyMask: got %s, want [0 1 0]", got)
	}
}
