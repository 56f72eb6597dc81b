package onnxload

import (
	G "gorgonia.org/gorgonia"

	"finetune/internal/op"
)

// formula writes an operator down as a formula of several operations. It keeps
// the first error, and what follows that is nil.
type formula struct{ err error }

func (f *formula) then(n *G.Node, err error) *G.Node {
	if err != nil {
		f.err = err
		return nil
	}
	return n
}

func (f *formula) pair(g func(a, b *G.Node) (*G.Node, error), a, b *G.Node) *G.Node {
	if f.err != nil {
		return nil
	}
	return f.then(g(a, b))
}

func (f *formula) add(a, b *G.Node) *G.Node { return f.pair(op.Add, a, b) }
func (f *formula) sub(a, b *G.Node) *G.Node { return f.pair(op.Sub, a, b) }
func (f *formula) mul(a, b *G.Node) *G.Node { return f.pair(op.Mul, a, b) }
func (f *formula) div(a, b *G.Node) *G.Node { return f.pair(op.Div, a, b) }

func (f *formula) matmul(a, b *G.Node, transA, transB bool) *G.Node {
	if f.err != nil {
		return nil
	}
	return f.then(op.MatMul(a, b, transA, transB))
}

func (f *formula) mapped(g op.Function, x *G.Node) *G.Node {
	if f.err != nil {
		return nil
	}
	return f.then(op.Map(g, x))
}

func (f *formula) reshape(x *G.Node, shape ...int) *G.Node {
	if f.err != nil {
		return nil
	}
	return f.then(op.Reshape(x, shape...))
}

func (f *formula) transpose(x *G.Node, perm ...int) *G.Node {
	if f.err != nil {
		return nil
	}
	return f.then(op.Transpose(x, perm))
}

func (f *formula) reduce(g func(x *G.Node, axes []int, keepDims bool) (*G.Node, error), x *G.Node, keepDims bool, axes ...int) *G.Node {
	if f.err != nil {
		return nil
	}
	return f.then(g(x, axes, keepDims))
}

func (f *formula) concat(axis int, xs ...*G.Node) *G.Node {
	if f.err != nil {
		return nil
	}
	return f.then(op.Concat(axis, xs...))
}

// part is what x holds from start to before end along an axis.
func (f *formula) part(x *G.Node, axis, start, end int) *G.Node {
	if f.err != nil {
		return nil
	}
	shape := x.Shape()
	starts, ends := make([]int, len(shape)), append([]int{}, shape...)
	starts[axis], ends[axis] = start, end
	return f.then(op.Slice(x, starts, ends, nil))
}
