package engine

import (
	"math/rand/v2"
	"slices"
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
