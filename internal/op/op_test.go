package op

import (
	"testing"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// network is a small classifier with a branch, for whole-graph tests.
func network(in []*G.Node) (*G.Node, error) {
	x, w, b, labels := in[0], in[1], in[2], in[3]
	h, err := Mul(x, w)
	if err != nil {
		return nil, err
	}
	if h, err = Add(h, b); err != nil {
		return nil, err
	}
	side, err := Relu(h)
	if err != nil {
		return nil, err
	}
	if h, err = Sigmoid(h); err != nil {
		return nil, err
	}
	if h, err = Concat(1, h, side, h); err != nil {
		return nil, err
	}
	if h, err = Reshape(h, 4, 9); err != nil {
		return nil, err
	}
	if h, err = Dropout(h, 0.3, 5); err != nil {
		return nil, err
	}
	return CrossEntropy(h, labels)
}

var networkInputs = []leaf{noise(1, 4, 3), noise(2, 3), noise(3, 4, 1), intLeaf([]int{4}, 8, 0, 3, 5)}

func TestNetworkGradient(t *testing.T) { checkGrad(t, network, networkInputs...) }

func TestGorgoniasOwnMachineRunsOurNodes(t *testing.T) {
	in, out, values := graphOf(t, network, networkInputs)
	grads, err := G.Grad(out, in[0], in[1], in[2])
	if err != nil {
		t.Fatal(err)
	}
	vm := G.NewTapeMachine(in[0].Graph())
	defer vm.Close()
	for i, n := range in {
		if err := G.Let(n, Value(values[n], networkInputs[i].shape)); err != nil {
			t.Fatal(err)
		}
	}
	if err := vm.RunAll(); err != nil {
		t.Fatal(err)
	}
	seed := Input(in[0].Graph(), "seed", tensor.Float32)
	values[seed] = Buffer{F: []float32{1}}
	own := backprop(t, in, out, seed)
	for i, g := range grads {
		got, err := BufferOf(g.Value())
		if err != nil {
			t.Fatal(err)
		}
		// The stock machine knows no steps: all its calls are of step 0.
		want := evaluateAt(t, own[i], values, 0)
		wantFloats(t, got, want.F, 1e-6)
	}
}

// evaluateAt is evaluate at another step, from the values of leaves alone.
func evaluateAt(t *testing.T, n *G.Node, leaves map[*G.Node]Buffer, step uint64) Buffer {
	t.Helper()
	if b, ok := leaves[n]; ok {
		return b
	}
	o := n.Op().(*Op)
	c := Call{Out: NewBuffer(o.Dtype, o.Shape.TotalSize()), Scratch: make([]float32, o.Scratch), Step: step}
	for _, child := range children(n) {
		c.In = append(c.In, evaluateAt(t, child, leaves, step))
	}
	if o.Alias {
		return c.In[0]
	}
	if err := o.Run(&c); err != nil {
		t.Fatal(err)
	}
	return c.Out
}

func TestEqualLookingNodesStayApart(t *testing.T) {
	x := Input(G.NewGraph(), "x", tensor.Float32, 3)
	a, err := Relu(x)
	if err != nil {
		t.Fatal(err)
	}
	b, err := Relu(x)
	if err != nil {
		t.Fatal(err)
	}
	if a == b {
		t.Error("two calls of Relu: got one node")
	}
}

// TestInPlace runs every operation that may overwrite an input once apart and
// once in place.
func TestInPlace(t *testing.T) {
	f := noise(1, 3, 4)
	for _, c := range []struct {
		name   string
		build  builder
		inputs []leaf
	}{
		{"Add", two(Add), []leaf{f, noise(2, 4)}},
		{"Div by a matrix", two(Div), []leaf{noise(2, 4), f}},
		{"Sum", func(in []*G.Node) (*G.Node, error) { return Sum(in...) }, []leaf{f, noise(2, 3, 4)}},
		{"Relu", one(Relu), []leaf{f}},
		{"LeakyRelu", one(func(x *G.Node) (*G.Node, error) { return LeakyRelu(x, 0.1) }), []leaf{f}},
		{"Sigmoid", one(Sigmoid), []leaf{f}},
		{"Tanh", one(Tanh), []leaf{f}},
		{"Clip", one(func(x *G.Node) (*G.Node, error) { return Clip(x, -0.5, 0.5) }), []leaf{f}},
		{"Softmax over columns", one(func(x *G.Node) (*G.Node, error) { return Softmax(x, 0) }), []leaf{f}},
		{"Softmax over rows", one(func(x *G.Node) (*G.Node, error) { return Softmax(x, 1) }), []leaf{f}},
		{"LogSoftmax over columns", one(func(x *G.Node) (*G.Node, error) { return LogSoftmax(x, 0) }), []leaf{f}},
		{"LogSoftmax over rows", one(func(x *G.Node) (*G.Node, error) { return LogSoftmax(x, 1) }), []leaf{f}},
		{"Dropout", drop(0.5, 1), []leaf{f}},
		{"CrossEntropy", two(CrossEntropy), []leaf{f, intLeaf([]int{3}, 1, 0, 3)}},
		{"MSE", two(MSE), []leaf{f, noise(2, 3, 4)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			in, out, values := graphOf(t, c.build, c.inputs)
			seed := Input(out.Graph(), "seed", tensor.Float32, out.Shape()...)
			values[seed] = noise(9, out.Shape()...).data
			targets := append(backprop(t, in, out, seed), out)
			inPlace := 0
			for _, n := range targets {
				if n == nil || n == seed {
					continue
				}
				want, err := evaluate(n, values)
				if err != nil {
					t.Fatal(err)
				}
				o := n.Op().(*Op)
				if o.Alias || o.InPlace == None {
					continue
				}
				inPlace++
				call := Call{Step: testStep}
				for _, child := range children(n) {
					b := values[child]
					call.In = append(call.In, Buffer{F: append([]float32(nil), b.F...), I: append([]int64(nil), b.I...)})
				}
				call.Out = call.In[o.InPlace-First]
				if err := o.Run(&call); err != nil {
					t.Fatal(err)
				}
				wantFloats(t, call.Out, want.F, 0)
			}
			if inPlace == 0 {
				t.Error("got nothing that runs in place")
			}
		})
	}
}
