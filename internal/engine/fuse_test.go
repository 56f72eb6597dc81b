package engine

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"finetune/internal/kernel"
	"finetune/internal/op"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// sketch is a graph of real operations in the making, with random leaves.
type sketch struct {
	t      *testing.T
	g      *G.ExprGraph
	bind   map[*G.Node]op.Buffer
	params []*G.Node
}

func newSketch(t *testing.T) *sketch {
	return &sketch{t: t, g: G.NewGraph(), bind: map[*G.Node]op.Buffer{}}
}

func (s *sketch) must(n *G.Node, err error) *G.Node {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}

func (s *sketch) leaf(shape ...int) *G.Node {
	n := op.Input(s.g, fmt.Sprint("leaf", len(s.bind)), tensor.Float32, shape...)
	s.bind[n] = op.Buffer{F: random(size(shape), uint64(len(s.bind)))}
	return n
}

func (s *sketch) param(shape ...int) *G.Node {
	n := s.leaf(shape...)
	s.params = append(s.params, n)
	return n
}

func (s *sketch) positive(shape ...int) *G.Node {
	n := s.leaf(shape...)
	for i := range s.bind[n].F {
		s.bind[n].F[i] += 1.5
	}
	return n
}

func (s *sketch) conv(x, w, b *G.Node) *G.Node {
	return s.must(op.Conv(x, w, b, op.ConvSpec{Pads: []int{1, 1, 1, 1}}))
}

// cost is a scalar that depends on every element of x in a way of its own.
func (s *sketch) cost(x *G.Node) *G.Node {
	return s.must(op.ReduceSum(s.must(op.Mul(x, s.leaf(x.Shape()...))), nil, false))
}

// kinds are the operations of a machine that were fused.
func kinds(m *Machine) []string {
	var list []string
	for _, s := range m.steps {
		if strings.Contains(s.op.Name, "+") {
			list = append(list, s.op.Name)
		}
	}
	return list
}

// wantFused compiles a graph with its gradients, wants the fusions of the given
// names, and the results to be those of the graph in which nothing is fused,
// because every value in between is an output.
func (s *sketch) wantFused(tolerance float32, cost *G.Node, want ...string) {
	s.t.Helper()
	outputs := append(backprop(s.t, cost, s.params...), cost)
	order, err := executionOrder(outputs)
	if err != nil {
		s.t.Fatal(err)
	}
	plain := compile(s.t, s.bind, append(slices.Clone(outputs), order...)...)
	if got := kinds(plain); got != nil {
		s.t.Errorf("got %v fused of outputs", got)
	}
	run(s.t, plain)
	m := compile(s.t, s.bind, outputs...)
	if got := kinds(m); !slices.Equal(got, want) {
		s.t.Errorf("got %v, want %v", got, want)
	}
	defer kernel.SetThreads(kernel.Threads())
	for _, threads := range []int{1, 3} {
		kernel.SetThreads(threads)
		run(s.t, m)
		for _, n := range outputs {
			got, want := m.Buffer(n).F, plain.Buffer(n).F
			scale := max(slices.Max(want), -slices.Min(want))
			if !(scale > 0) {
				s.t.Errorf("%s: got %v, which compares nothing", n.Name(), want)
			}
			for i, w := range want {
				if d := max(got[i]-w, w-got[i]); !(d <= tolerance*scale) {
					s.t.Fatalf("%s, element %d: got %v, want %v", n.Name(), i, got[i], w)
				}
			}
		}
	}
}

func TestFuseConv(t *testing.T) {
	s := newSketch(t)
	x := s.leaf(2, 3, 9, 7)
	h := s.must(op.Relu(s.conv(x, s.param(4, 3, 3, 3), s.param(4))))
	h = s.must(op.Relu(s.must(op.Add(s.conv(h, s.param(4, 4, 3, 3), nil), s.param(4, 1, 1)))))
	branch := h
	h = s.conv(s.must(op.Relu(s.conv(h, s.param(4, 4, 3, 3), nil))), s.param(4, 4, 3, 3), nil)
	h = s.must(op.Relu(s.must(op.Add(branch, h))))
	s.wantFused(0, s.cost(h),
		"Conv+Relu", "Conv+Add+Relu", "Conv+Relu", "Conv+Add+Relu",
		"ConvInputGrad+ReluGrad", "ConvInputGrad+Sum+ReluGrad", "ConvInputGrad+ReluGrad")
}

func TestFuseProduct(t *testing.T) {
	s := newSketch(t)
	h := s.must(op.Relu(s.must(op.Gemm(s.leaf(5, 6), s.param(6, 70), s.param(70), false, false, 1, 1))))
	h = s.must(op.Relu(s.must(op.Gemm(h, s.param(70, 9), s.param(5, 1), false, false, 0.5, 1))))
	h = s.must(op.MatMul(s.must(op.Reshape(h, 5, 1, 9)), s.param(9, 8), false, false))
	h = s.must(op.Relu(s.must(op.Add(s.param(8), h))))
	s.wantFused(0, s.cost(h), "Gemm+Relu", "Gemm+Relu", "MatMul+Add+Relu", "GemmGrad+ReluGrad")
}

// What another node reads, what is an output, what is bound and what is not
// known yet stays as it is.
func TestFuseOnlyReader(t *testing.T) {
	for name, build := range map[string]func(s *sketch) (list []*G.Node){
		"two readers": func(s *sketch) []*G.Node {
			y := s.conv(s.leaf(1, 2, 4, 4), s.leaf(2, 2, 3, 3), nil)
			return []*G.Node{s.must(op.Relu(y)), s.must(op.Tanh(y))}
		},
		"twice": func(s *sketch) []*G.Node {
			y := s.conv(s.leaf(1, 2, 4, 4), s.leaf(2, 2, 3, 3), nil)
			return []*G.Node{s.must(op.Add(y, y))}
		},
		"output": func(s *sketch) []*G.Node {
			y := s.conv(s.leaf(1, 2, 4, 4), s.leaf(2, 2, 3, 3), nil)
			return []*G.Node{y, s.must(op.Relu(y))}
		},
		"bound": func(s *sketch) []*G.Node {
			y := s.conv(s.leaf(1, 2, 4, 4), s.leaf(2, 2, 3, 3), nil)
			s.bind[y] = op.Buffer{F: make([]float32, 32)}
			return []*G.Node{s.must(op.Relu(y))}
		},
		"later": func(s *sketch) []*G.Node {
			x := s.leaf(1, 2, 4, 4)
			y := s.conv(x, s.leaf(2, 2, 3, 3), nil)
			return []*G.Node{s.must(op.Add(y, s.must(op.Tanh(x))))}
		},
		"other bias": func(s *sketch) []*G.Node {
			y := s.conv(s.leaf(1, 4, 4, 4), s.leaf(4, 4, 3, 3), nil)
			return []*G.Node{s.must(op.Add(y, s.leaf(4)))}
		},
		"out of order": func(s *sketch) []*G.Node {
			y := s.must(op.Relu(s.conv(s.leaf(1, 4, 4, 4), s.leaf(4, 4, 3, 3), nil)))
			return []*G.Node{s.must(op.Add(y, s.leaf(4, 1, 1)))}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSketch(t)
			m := compile(t, s.bind, build(s)...)
			want := []string(nil)
			if name == "out of order" {
				want = []string{"Conv+Relu"}
			}
			if got := kinds(m); !slices.Equal(got, want) {
				t.Errorf("got %v, want %v", got, want)
			}
			run(t, m)
		})
	}
}

// An operand may be made after the first operation where that takes no step: a
// leaf, or another shape of one.
func TestFuseWithLaterAlias(t *testing.T) {
	s := newSketch(t)
	y := s.conv(s.leaf(1, 2, 4, 4), s.param(2, 2, 3, 3), nil)
	y = s.must(op.Add(y, s.must(op.Reshape(s.param(2), 2, 1, 1))))
	s.wantFused(0, s.cost(y), "Conv+Add")
}

// batchNorm has given statistics.
func (s *sketch) batchNorm(x, scale, shift *G.Node) *G.Node {
	c := x.Shape()[1]
	return s.must(op.BatchNorm(x, scale, shift, s.leaf(c), s.positive(c), 1e-5))
}

// Where scale and shift are not trained, batch normalisation becomes part of the
// convolution, the weights of which may be.
func TestFuseFrozenNorm(t *testing.T) {
	s := newSketch(t)
	h := s.leaf(2, 3, 9, 7)
	h = s.must(op.Relu(s.batchNorm(s.conv(h, s.param(4, 3, 3, 3), s.param(4)), s.leaf(4), s.leaf(4))))
	branch := h
	h = s.must(op.Clip(s.batchNorm(s.conv(h, s.param(4, 4, 3, 3), nil), s.leaf(4), s.leaf(4)), 0, 6))
	h = s.batchNorm(s.conv(h, s.leaf(4, 4, 3, 3), nil), s.leaf(4), s.leaf(4))
	h = s.must(op.Relu(s.must(op.Add(branch, h))))
	s.wantFused(1e-6, s.cost(h),
		"Conv+BatchNorm+Relu", "Conv+BatchNorm+Clip", "Conv+BatchNorm+Add+Relu",
		"ConvInputGrad+Sum+ReluGrad")
}

// Trained scales need the result of the convolution.
func TestFuseTrainedScale(t *testing.T) {
	s := newSketch(t)
	h := s.leaf(2, 3, 9, 7)
	h = s.must(op.Relu(s.batchNorm(s.conv(h, s.param(4, 3, 3, 3), s.param(4)), s.param(4), s.param(4))))
	h = s.must(op.Relu(s.must(op.Add(s.batchNorm(s.conv(h, s.param(4, 4, 3, 3), nil), s.param(4), s.param(4)), h))))
	s.wantFused(0, s.cost(h), "BatchNorm+Relu", "BatchNorm+Add+Relu", "ConvInputGrad+Sum+ReluGrad")
}

// Weights that outnumber the results are not scaled.
func TestFuseLargeWeights(t *testing.T) {
	s := newSketch(t)
	h := s.conv(s.leaf(1, 8, 2, 2), s.leaf(8, 8, 3, 3), nil)
	m := compile(t, s.bind, s.must(op.Relu(s.batchNorm(h, s.leaf(8), s.leaf(8)))))
	if got, want := kinds(m), []string{"BatchNorm+Relu"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestFuseTrainedNorm(t *testing.T) {
	s := newSketch(t)
	norm := func(x *G.Node) *G.Node {
		y, _, _, err := op.BatchNormTrain(x, s.param(4), s.param(4), 1e-5)
		return s.must(y, err)
	}
	h := s.leaf(2, 3, 9, 7)
	h = s.must(op.Relu(norm(s.conv(h, s.param(4, 3, 3, 3), nil))))
	branch := norm(s.conv(h, s.param(4, 4, 3, 3), nil))
	h = s.must(op.Clip(norm(s.conv(h, s.param(4, 4, 3, 3), nil)), -1, 1))
	h = s.must(op.Relu(s.must(op.Add(branch, norm(s.conv(h, s.param(4, 4, 3, 3), nil))))))
	s.wantFused(0, s.cost(h),
		"BatchNormTrain+Relu", "BatchNormTrain+Clip", "BatchNormTrain+Add+Relu",
		"ConvInputGrad+Sum")
}

// The statistics of a fused normalisation can be read, and its result be bound.
func TestFuseTrainedNormOutputs(t *testing.T) {
	for _, bound := range []bool{false, true} {
		s := newSketch(t)
		x := s.leaf(2, 3, 5)
		y, mean, variance, err := op.BatchNormTrain(x, s.leaf(3), s.leaf(3), 1e-5)
		y = s.must(op.Relu(s.must(y, err)))
		want := compile(t, s.bind, y, mean, variance, children(y)[0])
		own := op.Buffer{F: make([]float32, size(y.Shape()))}
		fused := []string{"BatchNormTrain+Relu"}
		if bound {
			s.bind[y], fused = own, nil
		}
		got := compile(t, s.bind, y, mean, variance)
		if !slices.Equal(kinds(got), fused) {
			t.Errorf("got %v, want %v", kinds(got), fused)
		}
		run(t, got)
		run(t, want)
		for _, n := range []*G.Node{y, mean, variance} {
			if !slices.Equal(got.Buffer(n).F, want.Buffer(n).F) || slices.Max(want.Buffer(n).F) <= 0 {
				t.Errorf("%s: got %v, want %v", n.Name(), got.Buffer(n).F, want.Buffer(n).F)
			}
		}
		if bound && slices.Max(own.F) <= 0 {
			t.Errorf("got %v in the bound storage", own.F)
		}
	}
}

// Below the first parameter that is trained nothing is kept, and nothing
// differentiated: training needs hardly more memory than inference.
func TestFrozenPartKeepsNothing(t *testing.T) {
	const depth = 6
	build := func(train int) (*Machine, float64) {
		s := newSketch(t)
		h := s.leaf(2, 4, 16, 16)
		for range depth {
			w, b := s.leaf(4, 4, 3, 3), s.leaf(4)
			if train > 1 {
				s.params = append(s.params, w, b)
			}
			h = s.must(op.Relu(s.batchNorm(s.conv(h, w, b), s.leaf(4), s.leaf(4))))
		}
		h = s.must(op.GlobalAveragePool(h))
		h = s.must(op.Gemm(s.must(op.Reshape(h, 2, 4)), s.param(4, 3), s.param(3), false, false, 1, 1))
		outputs := []*G.Node{s.cost(h)}
		if train > 0 {
			outputs = append(outputs, backprop(t, outputs[0], s.params...)...)
		}
		m := compile(t, s.bind, outputs...)
		flops := 0.0
		for _, step := range m.steps {
			flops += step.op.Flops
		}
		return m, flops
	}
	inference, flops := build(0)
	head, headFlops := build(1)
	all, allFlops := build(2)
	if got, most := head.Bytes(), inference.Bytes()+1024; got > most {
		t.Errorf("got %d bytes with a frozen part, want at most %d", got, most)
	}
	if got, least := all.Bytes(), 2*inference.Bytes(); got < least {
		t.Errorf("got %d bytes with all trained, want at least %d, or the test says nothing", got, least)
	}
	if headFlops > 1.01*flops || allFlops < 2.5*flops {
		t.Errorf("got %v and %v operations, want about %v and three times that", headFlops, allFlops, flops)
	}
}
