package optim

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
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
