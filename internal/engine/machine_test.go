package engine

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"finetune/internal/op"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Random graphs of operations that run in place, share storage, and leave
// rubbish in their scratch: the plan must give what every node with storage of
// its own would give, and leave the leaves alone.
func TestPlanAgainstNaive(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 2))
		g := G.NewGraph()
		var nodes []*G.Node
		value := map[*G.Node][]float32{}
		sizes := [][]int{{6}, {40}, {5, 8}, {2, 3}}
		for i := range 3 {
			for k, shape := range sizes[:2] {
				n := op.Input(g, string(rune('a'+i))+string(rune('0'+k)), tensor.Float32, shape...)
				nodes = append(nodes, n)
				value[n] = random(size(n.Shape()), seed+uint64(i))
			}
		}
		pick := func() *G.Node { return nodes[max(r.IntN(len(nodes)), r.IntN(len(nodes)))] }
		for range 5 + r.IntN(40) {
			x := pick()
			var n *G.Node
			switch r.IntN(4) {
			case 0:
				shape := sizes[r.IntN(len(sizes))]
				if size(shape) != size(x.Shape()) {
					continue
				}
				n = reshape(t, x, shape...)
				value[n] = value[x]
			case 1:
				n = each("Neg", func(v []float32) float32 { return -v[0] }, nil, x)
				value[n] = make([]float32, size(x.Shape()))
				for i, v := range value[x] {
					value[n][i] = -v
				}
			case 2:
				y := pick()
				if !slices.Equal(x.Shape(), y.Shape()) {
					y = x
				}
				// May replace x, yet not if y is x too.
				cross := func(out, x, y []float32) {
					for i, v := range x {
						out[i] = (v + y[len(y)-1-i]) / 2
					}
				}
				n = node(op.Op{Name: "Cross", Shape: x.Shape(), Dtype: tensor.Float32, InPlace: op.First, Run: func(c *op.Call) error {
					cross(c.Out.F, c.In[0].F, c.In[1].F)
					return nil
				}}, x, y)
				value[n] = make([]float32, size(x.Shape()))
				cross(value[n], value[x], value[y])
			case 3:
				n = node(op.Op{Name: "Reverse", Shape: x.Shape(), Dtype: tensor.Float32, Scratch: 1 + r.IntN(60),
					Run: func(c *op.Call) error {
						for i := range c.Scratch {
							c.Scratch[i] = 1e9
						}
						for i, v := range c.In[0].F {
							c.Out.F[len(c.Out.F)-1-i] = v
						}
						return nil
					}}, x)
				value[n] = slices.Clone(value[x])
				slices.Reverse(value[n])
			}
			nodes = append(nodes, n)
		}
		var outputs []*G.Node
		bind := map[*G.Node]op.Buffer{}
		for range 1 + r.IntN(4) {
			n := pick()
			outputs = append(outputs, n)
			if n.Op() != nil && r.IntN(2) == 0 {
				bind[n] = op.NewBuffer(tensor.Float32, size(n.Shape()))
			}
		}
		m := compile(t, bind, outputs...)
		for _, n := range m.leaves {
			copy(m.Buffer(n).F, value[n])
		}
		for range 2 {
			run(t, m)
			for _, n := range append(slices.Clone(outputs), m.leaves...) {
				if got := m.Buffer(n).F; !slices.Equal(got, value[n]) {
					t.Fatalf("seed %d: node %s: got %v, want %v", seed, n.Name(), got, value[n])
				}
			}
			for n, b := range bind {
				if !slices.Equal(b.F, value[n]) {
					t.Fatalf("seed %d: bound node %s: got %v, want %v", seed, n.Name(), b.F, value[n])
				}
			}
		}
	}
}

func TestArenaIsReused(t *testing.T) {
	g := G.NewGraph()
	x := op.Input(g, "x", tensor.Float32, 1024)
	for range 50 {
		x = each("Neg", func(v []float32) float32 { return -v[0] }, nil, x)
	}
	m := compile(t, nil, x)
	// Leaf, output, and one piece of arena that all others overwrite in turn.
	if got, want := m.Bytes(), 3*4096; got != want {
		t.Errorf("got %d bytes in place, want %d", got, want)
	}

	y := op.Input(g, "y", tensor.Float32, 1024)
	for range 50 {
		y = node(op.Op{Name: "Copy", Shape: y.Shape(), Dtype: tensor.Float32, Run: runCopy}, y)
	}
	m = compile(t, nil, y)
	if got, want := m.Bytes(), 4*4096; got != want {
		t.Errorf("got %d bytes with two values alive, want %d", got, want)
	}

	z := op.Input(g, "z", tensor.Float32, 1024)
	for range 50 {
		z = node(op.Op{Name: "Scratch", Shape: z.Shape(), Dtype: tensor.Float32, Scratch: 2048, InPlace: op.First, Run: runCopy}, z)
	}
	m = compile(t, nil, z)
	// Leaf, output, scratch, and the value before the output, which another
	// takes over in place.
	if got, want := m.Bytes(), 5*4096; got != want {
		t.Errorf("got %d bytes with scratch, want %d", got, want)
	}
}

// A value has as much room as a result that overwrites it and is little larger,
// but not as one that is much larger.
func TestMemoryRoom(t *testing.T) {
	for n, want := range map[int]int{1024 + 128: 1024 + 128, 1024 + 129: 1024 + 1024 + 144} {
		g := G.NewGraph()
		x := op.Input(g, "x", tensor.Float32, 1024)
		y := node(op.Op{Name: "Copy", Shape: x.Shape(), Dtype: tensor.Float32, Run: runCopy}, x)
		y = node(op.Op{Name: "Copy", Shape: x.Shape(), Dtype: tensor.Float32, InPlace: op.First, Run: runCopy}, y)
		y = node(op.Op{Name: "Grow", Shape: tensor.Shape{n}, Dtype: tensor.Float32, InPlace: op.First, Run: func(c *op.Call) error {
			copy(c.Out.F, c.In[0].F)
			for i := range c.Out.F[1024:] {
				c.Out.F[1024+i] = 7
			}
			return nil
		}}, y)
		y = node(op.Op{Name: "Copy", Shape: tensor.Shape{n}, Dtype: tensor.Float32, Run: runCopy}, y)
		m := compile(t, nil, y)
		if got, want := m.Bytes(), 4*(1024+n+want); got != want { // leaf, output, and what lies between
			t.Errorf("%d elements: got %d bytes, want %d", n, got, want)
		}
		m.Buffer(x).F[1023] = 3
		run(t, m)
		if got := m.Buffer(y).F; got[1022] != 0 || got[1023] != 3 || got[1024] != 7 || got[n-1] != 7 {
			t.Errorf("%d elements: got %v", n, got)
		}
	}
}

// What a step costs besides its kernels.
func BenchmarkDispatch(b *testing.B) {
	g := G.NewGraph()
	x := op.Input(g, "x", tensor.Float32, 1)
	for range 1000 {
		x = node(op.Op{Name: "Nothing", Shape: x.Shape(), Dtype: tensor.Float32, InPlace: op.First, Run: func(*op.Call) error { return nil }}, x)
	}
	m, err := Compile([]*G.Node{x}, nil)
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	for b.Loop() {
		if err := m.Run(ctx); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/node")
}

func skipUnderRace(t *testing.T) {
	t.Helper()
	if raceDetector {
		t.Skip("allocations cannot be counted under the race detector")
	}
}

func TestRunDoesNotAllocate(t *testing.T) {
	skipUnderRace(t)
	n := newNet(t)
	m := compile(t, n.bind(), append(backprop(t, n.y, n.w1, n.w2), n.y)...)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if got := testing.AllocsPerRun(20, func() {
		if err := m.Run(ctx); err != nil {
			t.Fatal(err)
		}
	}); got != 0 {
		t.Errorf("got %v allocations per run, want 0", got)
	}
	m.StartProfile()
	if got := testing.AllocsPerRun(20, func() {
		if err := m.Run(ctx); err != nil {
			t.Fatal(err)
		}
	}); got != 0 {
		t.Errorf("got %v allocations per timed run, want 0", got)
	}
}

// Training and evaluation are two machines over the same weights.
func TestMachinesShareStorage(t *testing.T) {
	n := newNet(t)
	bind := n.bind()
	grads := backprop(t, n.y, n.w1)
	grad := op.Buffer{F: make([]float32, 15)}
	bind[grads[0]] = grad
	train := compile(t, bind, n.y, grads[0])
	eval := compile(t, bind, n.y)
	run(t, train)
	before := train.Buffer(n.y).F[0]
	if slices.Max(grad.F) == 0 && slices.Min(grad.F) == 0 {
		t.Fatal("got no gradient in the bound storage")
	}
	for i, d := range grad.F {
		bind[n.w1].F[i] -= 0.01 * d
	}
	run(t, eval)
	run(t, train)
	after := eval.Buffer(n.y).F[0]
	if after >= before {
		t.Errorf("got cost %v after a step, want less than %v", after, before)
	}
	if got := train.Buffer(n.y).F[0]; got != after {
		t.Errorf("got cost %v by training's machine, want %v", got, after)
	}
	if &train.Buffer(n.y).F[0] == &eval.Buffer(n.y).F[0] {
		t.Error("both machines write their outputs to the same place")
	}
}

func TestCompileErrors(t *testing.T) {
	n := newNet(t)
	bytes := op.Input(n.g, "bytes", tensor.Uint8, 2)
	stock := G.Must(G.Tanh(n.x))
	ints := op.Input(n.g, "ints", tensor.Int64, 2)
	for _, c := range []struct {
		out  *G.Node
		bind map[*G.Node]op.Buffer
		want string
	}{
		{n.y, map[*G.Node]op.Buffer{n.w1: {F: make([]float32, 14)}}, `"w1": bound to 14 float32`},
		{n.y, map[*G.Node]op.Buffer{n.w1: {I: make([]int64, 15)}}, `"w1": bound to 0 float32 and 15 int64`},
		{ints, map[*G.Node]op.Buffer{ints: {F: make([]float32, 2)}}, `"ints": bound to 2 float32`},
		{bytes, nil, "no storage for elements of uint8"},
		{stock, nil, "not one of package op"},
	} {
		_, err := Compile([]*G.Node{c.out}, c.bind)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got error %v, want one with %q", err, c.want)
		}
	}
}

func TestRunErrors(t *testing.T) {
	g := G.NewGraph()
	x := op.Input(g, "x", tensor.Float32, 2)
	var fail func() error
	y := node(op.Op{Name: "Odd", Shape: x.Shape(), Dtype: tensor.Float32, Run: func(*op.Call) error { return fail() }}, x)
	G.WithName("/layer1/odd")(y)
	m := compile(t, nil, y)

	cause := errors.New("label 99 out of range")
	fail = func() error { return cause }
	err := m.RunAll()
	var opErr *OpError
	if !errors.As(err, &opErr) || !errors.Is(err, cause) || opErr.ID != y.ID() {
		t.Fatalf("got error %#v, want an OpError around %v", err, cause)
	}
	if got, want := err.Error(), `node "/layer1/odd" (Odd): label 99 out of range`; got != want {
		t.Errorf("got %q, want %q", got, want)
	}

	fail = func() error { panic("oh no") }
	if got, want := m.RunAll().Error(), `node "/layer1/odd" (Odd): panic: oh no`; got != want {
		t.Errorf("got %q, want %q", got, want)
	}

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	calls := 0
	fail = func() error { calls++; return nil }
	if err := m.Run(ctx); !errors.Is(err, context.Canceled) || calls != 0 {
		t.Errorf("got error %v and %d calls, want %v and none", err, calls, context.Canceled)
	}
	if err := m.RunAll(); err != nil || calls != 1 {
		t.Errorf("got error %v and %d calls, want none and 1", err, calls)
	}
}

func TestBuffer(t *testing.T) {
	n := newNet(t)
	unused := op.Input(n.g, "unused", tensor.Float32, 3)
	m := compile(t, nil, n.y, nil)
	if got := m.Buffer(n.x).Len(); got != 12 {
		t.Errorf("got %d elements for x, want 12", got)
	}
	if got := m.Buffer(unused).Len(); got != 0 {
		t.Errorf("got %d elements for an unused leaf, want 0", got)
	}
	defer func() {
		if r := recover(); r == nil {
			t.Error("got no panic for a value in between")
		}
	}()
	m.Buffer(tanh(n.x))
}

func TestStepReachesOperations(t *testing.T) {
	g := G.NewGraph()
	x := op.Input(g, "x", tensor.Float32, 1)
	y := node(op.Op{Name: "Step", Shape: x.Shape(), Dtype: tensor.Float32, Run: func(c *op.Call) error {
		c.Out.F[0] = float32(c.Step)
		return nil
	}}, x)
	m := compile(t, nil, y)
	for _, want := range []float32{0, 7} {
		m.SetStep(uint64(want))
		run(t, m)
		if got := m.Buffer(y).F[0]; got != want {
			t.Errorf("got step %v, want %v", got, want)
		}
	}
}

func TestFirstNonFinite(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	inverse := func(x *G.Node) *G.Node {
		return each("Inverse", func(v []float32) float32 { return 1 / v[0] }, nil, x)
	}
	root := func(x *G.Node) *G.Node {
		return each("Root", func(v []float32) float32 { return float32(math.Sqrt(float64(v[0]))) }, nil, x)
	}
	for _, c := range []struct {
		name  string
		x     []float32
		build func(x *G.Node) (out, want *G.Node)
	}{
		{"all finite", []float32{1, 2}, func(x *G.Node) (out, want *G.Node) { return inverse(root(x)), nil }},
		{"NaN made", []float32{1, -2}, func(x *G.Node) (out, want *G.Node) { y := root(x); return inverse(y), y }},
		{"infinity made, hidden later", []float32{1, 0}, func(x *G.Node) (out, want *G.Node) {
			y := inverse(x)
			return inverse(y), y
		}},
		{"NaN given", []float32{1, nan}, func(x *G.Node) (out, want *G.Node) { return root(x), x }},
		{"infinity given", []float32{1, inf}, func(x *G.Node) (out, want *G.Node) { return root(x), x }},
		{"infinity given, hidden later", []float32{1, inf}, func(x *G.Node) (out, want *G.Node) { return inverse(x), nil }},
	} {
		x := op.Input(G.NewGraph(), "x", tensor.Float32, 2)
		out, want := c.build(x)
		m := compile(t, map[*G.Node]op.Buffer{x: {F: c.x}}, out)
		got, err := m.FirstNonFinite(t.Context())
		if err != nil || got != want {
			t.Errorf("%s: got %v, %v, want %v", c.name, got, err, want)
		}
	}
}

func TestProfile(t *testing.T) {
	n := newNet(t)
	m := compile(t, n.bind(), n.y)
	if got := m.Profile(); got != nil {
		t.Errorf("got profile %v, want none", got)
	}
	m.StartProfile()
	run(t, m)
	run(t, m)
	calls := map[string]int{}
	for _, r := range m.Profile() {
		calls[r.Op] = r.Calls
	}
	if calls["Dense"] != 6 || calls["Tanh"] != 6 || calls["Total"] != 2 {
		t.Errorf("got calls %v, want Dense 6, Tanh 6, Total 2", calls)
	}
	for _, r := range m.Profile() {
		// The layers are 4×3 by 3×5, and twice 4×5 by 5×5.
		if flops, bytes := 2*2*(60+100+100.0), 2*4*(12+15+20+2*(20+25+20)); r.Op == "Dense" && (r.Flops != flops || r.Bytes != float64(bytes)) {
			t.Errorf("got %v operations on %v bytes, want %v on %v", r.Flops, r.Bytes, flops, bytes)
		}
	}
}
