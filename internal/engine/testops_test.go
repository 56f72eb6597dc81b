package engine

import (
	"math"
	"math/rand/v2"
	"testing"

	"finetune/internal/op"

	"github.com/chewxy/hm"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// The operations of these tests are made here, small enough to be read at a
// glance, so that the engine is tested for what it does alone.

// node puts o behind a node.
func node(o op.Op, in ...*G.Node) *G.Node {
	o.Inputs = len(in)
	if o.Diff == nil {
		o.Diff = make([]bool, len(in))
	}
	var typ hm.Type = o.Dtype
	if len(o.Shape) > 0 {
		typ = G.TensorType{Dims: len(o.Shape), Of: o.Dtype}
	}
	return G.NewUniqueNode(G.WithType(typ), G.WithOp(&o), G.WithChildren(in), G.In(in[0].Graph()), G.WithShape(o.Shape...))
}

// dense is x·w for x (n,k), w (k,m).
func dense(x, w *G.Node) *G.Node {
	return matmul("Dense", x, w, false, false, func(in G.Nodes, _, g *G.Node) (G.Nodes, error) {
		return G.Nodes{matmul("DenseGradX", g, in[1], false, true, nil), matmul("DenseGradW", in[0], g, true, false, nil)}, nil
	})
}

func matmul(name string, a, b *G.Node, ta, tb bool, grad func(in G.Nodes, out, g *G.Node) (G.Nodes, error)) *G.Node {
	n, k, m := a.Shape()[0], a.Shape()[1], b.Shape()[1]
	an, ak, bk, bm := k, 1, m, 1
	if ta {
		n, k, an, ak = k, n, 1, k
	}
	if tb {
		m, bk, bm = b.Shape()[0], 1, m
	}
	return node(op.Op{
		Name: name, Shape: tensor.Shape{n, m}, Dtype: tensor.Float32, Scratch: m,
		Diff: []bool{grad != nil, grad != nil}, Grad: grad, Flops: float64(2 * n * k * m),
		Run: func(c *op.Call) error {
			row := c.Scratch
			for i := range n {
				clear(row)
				for l := range k {
					for j := range m {
						row[j] += c.In[0].F[i*an+l*ak] * c.In[1].F[l*bk+j*bm]
					}
				}
				copy(c.Out.F[i*m:], row)
			}
			return nil
		},
	}, a, b)
}

// each is f of the elements of xs, which have one shape; the result may replace
// the first.
func each(name string, f func(v []float32) float32, grad func(in G.Nodes, out, g *G.Node) (G.Nodes, error), xs ...*G.Node) *G.Node {
	diff := make([]bool, len(xs))
	for i := range diff {
		diff[i] = grad != nil
	}
	v := make([]float32, len(xs))
	return node(op.Op{
		Name: name, Shape: xs[0].Shape(), Dtype: tensor.Float32, InPlace: op.First, Diff: diff, Grad: grad,
		Run: func(c *op.Call) error {
			for i := range c.Out.F {
				for k := range v {
					v[k] = c.In[k].F[i]
				}
				c.Out.F[i] = f(v)
			}
			return nil
		},
	}, xs...)
}

func product(v []float32) float32 { return v[0] * v[1] }

func tanh(x *G.Node) *G.Node {
	return each("Tanh", func(v []float32) float32 { return float32(math.Tanh(float64(v[0]))) },
		func(_ G.Nodes, out, g *G.Node) (G.Nodes, error) {
			return G.Nodes{each("TanhGrad", func(v []float32) float32 { return v[0] * (1 - v[1]*v[1]) }, nil, g, out)}, nil
		}, x)
}

func mul(a, b *G.Node) *G.Node {
	return each("Mul", product, func(in G.Nodes, _, g *G.Node) (G.Nodes, error) {
		return G.Nodes{each("Mul", product, nil, g, in[1]), each("Mul", product, nil, g, in[0])}, nil
	}, a, b)
}

// sum is a+b, whose gradient is handed on as it is.
func sum(a, b *G.Node) *G.Node {
	return each("Sum2", func(v []float32) float32 { return v[0] + v[1] },
		func(_ G.Nodes, _, g *G.Node) (G.Nodes, error) { return G.Nodes{g, g}, nil }, a, b)
}

// total is the sum of all elements.
func total(x *G.Node) *G.Node {
	shape := x.Shape()
	return node(op.Op{
		Name: "Total", Dtype: tensor.Float32, Diff: []bool{true},
		Grad: func(_ G.Nodes, _, g *G.Node) (G.Nodes, error) {
			return G.Nodes{node(op.Op{
				Name: "Fill", Shape: shape, Dtype: tensor.Float32,
				Run: func(c *op.Call) error {
					for i := range c.Out.F {
						c.Out.F[i] = c.In[0].F[0]
					}
					return nil
				},
			}, g)}, nil
		},
		Run: func(c *op.Call) error {
			var s float32
			for _, x := range c.In[0].F {
				s += x
			}
			c.Out.F[0] = s
			return nil
		},
	}, x)
}

// reshape is an alias.
func reshape(t *testing.T, x *G.Node, shape ...int) *G.Node {
	t.Helper()
	y, err := op.Reshape(x, shape...)
	if err != nil {
		t.Fatal(err)
	}
	return y
}

// net is a small network in which a weight and a hidden value have two readers.
type net struct {
	g            *G.ExprGraph
	x, w1, w2, y *G.Node // y is the cost
}

func newNet(t *testing.T) net {
	n := net{g: G.NewGraph()}
	n.x = op.Input(n.g, "x", tensor.Float32, 4, 3)
	n.w1 = op.Input(n.g, "w1", tensor.Float32, 3, 5)
	n.w2 = op.Input(n.g, "w2", tensor.Float32, 5, 5)
	h := tanh(dense(n.x, n.w1))
	h = tanh(dense(tanh(dense(h, n.w2)), n.w2))
	h = reshape(t, h, 2, 10)
	n.y = total(mul(h, h))
	return n
}

func random(n int, seed uint64) []float32 {
	r := rand.New(rand.NewPCG(seed, 1))
	x := make([]float32, n)
	for i := range x {
		x[i] = 2*r.Float32() - 1
	}
	return x
}

// bind gives every leaf of the net its values.
func (n net) bind() map[*G.Node]op.Buffer {
	return map[*G.Node]op.Buffer{
		n.x:  {F: random(12, 1)},
		n.w1: {F: random(15, 2)},
		n.w2: {F: random(25, 3)},
	}
}

func compile(t *testing.T, bind map[*G.Node]op.Buffer, outputs ...*G.Node) *Machine {
	t.Helper()
	m, err := Compile(outputs, bind)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func run(t *testing.T, m *Machine) {
	t.Helper()
	if err := m.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func backprop(t *testing.T, cost *G.Node, wrt ...*G.Node) []*G.Node {
	t.Helper()
	grads, err := Backprop(cost, wrt)
	if err != nil {
		t.Fatal(err)
	}
	return grads
}
