package op

import (
	"math"

	"finetune/internal/kernel"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// The reductions here take axes and keepDims as ReduceSum does.

// ReduceMax is the largest element over the axes, minus infinity of none. The
// gradient goes in equal parts to the elements that are as large.
func ReduceMax(x *G.Node, axes []int, keepDims bool) (*G.Node, error) {
	return fold("ReduceMax", kernel.Largest, x, axes, keepDims)
}

// ReduceMin is the smallest element over the axes; see ReduceMax.
func ReduceMin(x *G.Node, axes []int, keepDims bool) (*G.Node, error) {
	return fold("ReduceMin", kernel.Smallest, x, axes, keepDims)
}

// ReduceProd is the product of the elements over the axes.
func ReduceProd(x *G.Node, axes []int, keepDims bool) (*G.Node, error) {
	return fold("ReduceProd", kernel.Product, x, axes, keepDims)
}

// ReduceL1 is the sum of the absolute values over the axes.
func ReduceL1(x *G.Node, axes []int, keepDims bool) (*G.Node, error) {
	return chain(x, mapBy(Abs), sumOver(axes, keepDims))
}

// ReduceL2 is the square root of the sum of squares over the axes. Its gradient
// at 0 is 0.
func ReduceL2(x *G.Node, axes []int, keepDims bool) (*G.Node, error) {
	return chain(x, square, sumOver(axes, keepDims), mapBy(Length))
}

// Length is the square root as the last step of a norm: its gradient at 0 is 0.
var Length = Function{name: "Length", of: math.Sqrt, slope: func(y float64) float64 {
	if y == 0 {
		return 0
	}
	return 0.5 / y
}}

// ReduceSumSquare is the sum of squares over the axes.
func ReduceSumSquare(x *G.Node, axes []int, keepDims bool) (*G.Node, error) {
	return chain(x, square, sumOver(axes, keepDims))
}

// ReduceLogSum is the logarithm of the sum over the axes.
func ReduceLogSum(x *G.Node, axes []int, keepDims bool) (*G.Node, error) {
	return chain(x, sumOver(axes, keepDims), mapBy(Log))
}

// ReduceLogSumExp is the logarithm of the sum of exponentials over the axes. The
// largest element is taken out before, so that nothing overflows.
func ReduceLogSumExp(x *G.Node, axes []int, keepDims bool) (*G.Node, error) {
	if err := needFloat("ReduceLogSumExp", x); err != nil {
		return nil, err
	}
	top, err := ReduceMax(x, axes, true)
	if err != nil {
		return nil, err
	}
	if top, err = finite(top); err != nil {
		return nil, err
	}
	less, err := Sub(x, top)
	if err != nil {
		return nil, err
	}
	y, err := chain(less, mapBy(Exp), sumOver(axes, keepDims), mapBy(Log))
	if err != nil {
		return nil, err
	}
	if top, err = Reshape(top, y.Shape()...); err != nil {
		return nil, err
	}
	return Add(y, top)
}

// finite is x with infinities made the largest numbers, and without a gradient.
func finite(x *G.Node) (*G.Node, error) {
	return apply(Op{
		Name: "Finite", Shape: x.Shape(), Dtype: tensor.Float32, InPlace: First,
		Run: func(c *Call) error {
			const limit = 3.4028234663852886e38
			kernel.Clip(c.Out.F, c.In[0].F, -limit, limit)
			return nil
		},
	}, x)
}

// chain applies one operation after the other.
func chain(x *G.Node, steps ...func(*G.Node) (*G.Node, error)) (*G.Node, error) {
	for _, step := range steps {
		var err error
		if x, err = step(x); err != nil {
			return nil, err
		}
	}
	return x, nil
}

func square(x *G.Node) (*G.Node, error) { return Mul(x, x) }

func mapBy(f Function) func(*G.Node) (*G.Node, error) {
	return func(x *G.Node) (*G.Node, error) { return Map(f, x) }
}

func sumOver(axes []int, keepDims bool) func(*G.Node) (*G.Node, error) {
	return func(x *G.Node) (*G.Node, error) { return ReduceSum(x, axes, keepDims) }
}

func fold(name string, kind kernel.Folding, x *G.Node, axes []int, keepDims bool) (*G.Node, error) {
	over, shape, err := reduced(name, x.Shape(), axes, keepDims)
	if err != nil {
		return nil, err
	}
	r := kernel.NewReduction(x.Shape(), over)
	o := Op{Name: name, Shape: shape, Dtype: x.Dtype(), Diff: floats(x)}
	o.Run = func(c *Call) error {
		if c.Out.I != nil {
			kernel.Fold(kind, c.Out.I, c.In[0].I, &r)
		} else {
			kernel.Fold(kind, c.Out.F, c.In[0].F, &r)
		}
		return nil
	}
	o.Grad = func(in G.Nodes, y, g *G.Node) (G.Nodes, error) {
		var dx *G.Node
		var err error
		if kind == kernel.Product {
			dx, err = reduceProdGrad(in[0], g, &r)
		} else {
			dx, err = reduceExtremeGrad(in[0], y, g, over)
		}
		return G.Nodes{dx}, err
	}
	return apply(o, x)
}

func reduceProdGrad(x, g *G.Node, r *kernel.Reduction) (*G.Node, error) {
	return apply(Op{
		Name: "ReduceProdGrad", Shape: x.Shape(), Dtype: tensor.Float32,
		Run: func(c *Call) error {
			kernel.ProductGrad(c.Out.F, c.In[0].F, c.In[1].F, r)
			return nil
		},
	}, x, g)
}

// reduceExtremeGrad divides g among the elements that are equal to the result.
func reduceExtremeGrad(x, y, g *G.Node, over []bool) (*G.Node, error) {
	shape := kept(x.Shape(), over)
	y, err := Reshape(y, shape...)
	if err != nil {
		return nil, err
	}
	if g, err = Reshape(g, shape...); err != nil {
		return nil, err
	}
	won, err := pairFloats("Match", x, y, kernel.Match, nil)
	if err != nil {
		return nil, err
	}
	winners, err := reduceTo("ReduceSum", won, over, shape, 1)
	if err != nil {
		return nil, err
	}
	share, err := Div(g, winners)
	if err != nil {
		return nil, err
	}
	return Mul(won, share)
}
