package onnxload

import (
	"math"
	"slices"

	G "gorgonia.org/gorgonia"

	"finetune/internal/op"
)

// Before opsets 17, 20 and 23 there was no operator for layer normalisation, GELU
// and attention, and exporters write them as ten others, five, and eight. Those
// are recognised here, at the last of them, and computed as one: a pass over memory
// instead of ten, and as many for the gradient. What was made for the others has
// no reader then, and is not computed, unless something else reads it.

// idioms remembers how values were made.
type idioms struct {
	model   *Model
	made    map[*value]*call
	normal  map[*value]*normal
	heads   map[*value]*attended
	readers map[string]int // of values by name; see alone
}

// normal is a value that was recognised as scale·(x - mean)/√(variance + ε) +
// shift, as far as it goes.
type normal struct {
	x            *value
	axis         int // mean and variance are taken over the axes from here on
	eps          float32
	scale, shift *value // nil where none was seen yet
}

// recognise gives the result of a node another node of the graph if it is the
// last of an idiom.
func (c *call) recognise(results []*value) error {
	if c.fold || len(results) != 1 || results[0].known || !results[0].dtype.IsFloat() {
		return nil
	}
	v, known := results[0], &c.l.idioms
	if known.made == nil {
		known.model, known.made = c.l.model, map[*value]*call{}
		known.normal, known.heads = map[*value]*normal{}, map[*value]*attended{}
	}
	known.made[v] = c
	n, err := known.layerNorm(c, v)
	if n == nil && err == nil {
		n, err = known.gelu(c, v)
	}
	if n == nil && err == nil {
		n, err = known.attention(c, v)
	}
	if n != nil && err == nil {
		v.node = n
		c.claim(n)
	}
	return err
}

// by returns the inputs of the node of the given operator that made v, nil if it
// is none.
func (d *idioms) by(v *value, operator string) []*value {
	if c := d.made[v]; c != nil && c.Op == operator {
		return c.in
	}
	return nil
}

// number is the value of a constant of one element, NaN if v is none.
func number(v *value) float64 {
	if v == nil || !v.known || v.data.Len() != 1 {
		return math.NaN()
	}
	if v.data.F != nil {
		return float64(v.data.F[0])
	}
	return float64(v.data.I[0])
}

// about tells whether a coefficient is the one of a formula, as far as exporters
// write it down.
func about(a, b float64) bool { return math.Abs(a-b) <= 1e-5*math.Abs(b) }

// layerNorm recognises, for the node that made v,
//
//	d / √(mean(d²) + ε), where d = x - mean(x),
//
// then the scale of that, then the shift.
func (d *idioms) layerNorm(c *call, v *value) (*G.Node, error) {
	var n normal
	switch c.Op {
	case "Div":
		found := d.standard(c.in[0], c.in[1])
		if found == nil {
			return nil, nil
		}
		n = *found
	case "Mul", "Add":
		of, by := d.normal[c.in[0]], c.in[1]
		if of == nil {
			of, by = d.normal[c.in[1]], c.in[0]
		}
		if of == nil || !slices.Equal(by.shape, of.x.shape[of.axis:]) {
			return nil, nil
		}
		n = *of
		switch {
		case c.Op == "Mul" && n.scale == nil && n.shift == nil:
			n.scale = by
		case c.Op == "Add" && n.shift == nil:
			n.shift = by
		default:
			return nil, nil
		}
	default:
		return nil, nil
	}
	d.normal[v] = &n
	row := n.x.shape[n.axis:]
	var scale, shift *G.Node
	if n.scale != nil {
		scale = c.nodeOf(n.scale)
	} else {
		scale = c.constant(row, slices.Repeat([]float32{1}, product(row))...)
	}
	if n.shift != nil {
		shift = c.nodeOf(n.shift)
	}
	return op.LayerNorm(c.nodeOf(n.x), scale, shift, n.axis, n.eps)
}

// standard recognises d / √(mean(d²) + ε) by its two operands.
func (d *idioms) standard(above, below *value) *normal {
	difference := d.by(above, "Sub")
	root := d.by(below, "Sqrt")
	if difference == nil || root == nil {
		return nil
	}
	sum := d.by(root[0], "Add")
	if sum == nil {
		return nil
	}
	variance, eps := sum[0], number(sum[1])
	if math.IsNaN(eps) {
		variance, eps = sum[1], number(sum[0])
	}
	mean, squares := d.by(difference[1], "ReduceMean"), d.by(variance, "ReduceMean")
	x := difference[0]
	if mean == nil || mean[0] != x || squares == nil || !(eps >= 0) {
		return nil
	}
	axis := rowAxis(x.shape, difference[1].shape)
	if axis < 0 || !slices.Equal(difference[1].shape, variance.shape) || !d.isSquare(squares[0], above) {
		return nil
	}
	return &normal{x: x, axis: axis, eps: float32(eps)}
}

// isSquare tells whether v is the square of another value.
func (d *idioms) isSquare(v, of *value) bool {
	if in := d.by(v, "Pow"); in != nil {
		return in[0] == of && number(in[1]) == 2
	}
	in := d.by(v, "Mul")
	return in != nil && in[0] == of && in[1] == of
}

// rowAxis is the axis from which on a mean was taken, whose shape is that of x
// with ones; -1 if these are not the last axes.
func rowAxis(x, mean []int) int {
	if len(x) != len(mean) {
		return -1
	}
	axis := len(x)
	for axis > 0 && mean[axis-1] == 1 {
		axis--
	}
	for axis < len(x) && x[axis] == 1 {
		axis++ // a mean over one element is no mean
	}
	if axis == len(x) || !slices.Equal(x[:axis], mean[:axis]) {
		return -1
	}
	return axis
}

// gelu recognises, for the node that made v,
//
//	x/2·(1 + erf(x/√2))  and  x/2·(1 + tanh(√(2/π)·(x + 0.044715·x³)))
//
// whatever the order of the factors.
func (d *idioms) gelu(c *call, v *value) (*G.Node, error) {
	if c.Op != "Mul" && c.Op != "Div" {
		return nil, nil
	}
	half, factors := d.product(v)
	if !about(half, 0.5) || len(factors) != 2 {
		return nil, nil
	}
	for i, x := range factors {
		sum := factors[1-i]
		if !slices.Equal(x.shape, v.shape) || !slices.Equal(sum.shape, v.shape) {
			continue
		}
		curve := d.plus(sum, 1)
		if curve == nil {
			continue
		}
		if in := d.by(curve, "Erf"); in != nil && d.isMultiple(in[0], x, math.Sqrt2/2) {
			return op.Gelu(c.nodeOf(x))
		}
		if in := d.by(curve, "Tanh"); in != nil && d.isBent(in[0], x) {
			return op.GeluTanh(c.nodeOf(x))
		}
	}
	return nil, nil
}

// product takes products apart: v is the factor times all values.
func (d *idioms) product(v *value) (factor float64, values []*value) {
	factor = 1
	open := []*value{v}
	for len(open) > 0 && len(values) <= 4 {
		v := open[len(open)-1]
		open = open[:len(open)-1]
		if f := number(v); !math.IsNaN(f) {
			factor *= f
		} else if in := d.by(v, "Mul"); in != nil {
			open = append(open, in...)
		} else if in := d.by(v, "Div"); in != nil && !math.IsNaN(number(in[1])) {
			factor /= number(in[1])
			open = append(open, in[0])
		} else {
			values = append(values, v)
		}
	}
	return factor, append(values, open...)
}

// plus returns what v is the sum of, besides a number; nil if it is none.
func (d *idioms) plus(v *value, n float64) *value {
	in := d.by(v, "Add")
	switch {
	case in == nil:
	case about(number(in[0]), n):
		return in[1]
	case about(number(in[1]), n):
		return in[0]
	}
	return nil
}

// isMultiple tells whether v is factor·x.
func (d *idioms) isMultiple(v, x *value, factor float64) bool {
	f, values := d.product(v)
	return len(values) == 1 && values[0] == x && about(f, factor)
}

// isBent tells whether v is √(2/π)·(x + 0.044715·x³).
func (d *idioms) isBent(v, x *value) bool {
	f, values := d.product(v)
	if len(values) != 1 || !about(f, math.Sqrt(2/math.Pi)) {
		return false
	}
	in := d.by(values[0], "Add")
	if in == nil {
		return false
	}
	cube := in[1]
	if in[0] != x {
		cube = in[0]
		if in[1] != x {
			return false
		}
	}
	f, values = d.product(cube)
	if !about(f, 0.044715) {
		return false
	}
	if len(values) == 1 {
		in := d.by(values[0], "Pow")
		return in != nil && in[0] == x && number(in[1]) == 3
	}
	return len(values) == 3 && values[0] == x && values[1] == x && values[2] == x
}
