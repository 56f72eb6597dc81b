package onnxload

import (
	"fmt"
	"math"

	G "gorgonia.org/gorgonia"

	"finetune/internal/op"
)

// The operators of domain ai.onnx.preview.training are steps of an optimizer on n
// tensors. Their inputs are the rate R, the number T of steps before, n tensors, n
// gradients, and n of each state; their outputs the tensors and the states after.
// norm_coefficient times the tensor is added to its gradient. They are how other
// tools write a training graph down; our own training does not use them.

// stepOperators is every operator of that domain that can be lowered.
var stepOperators = map[string]*operator{
	"Adagrad":  {lower: lowerAdagrad, since: 1, in: "R' T inputs'..."},
	"Adam":     {lower: lowerAdam, since: 1, in: "R' T inputs'..."},
	"Momentum": {lower: lowerMomentum, since: 1, in: "R' T inputs'..."},
}

// Momentum: V' = α·V + β'·G, X' = X − R·V', or with mode nesterov
// X' = X − R·(G + α·V'), where β' is attribute beta but 1 in the first step.
// https://onnx.ai/onnx/operators/onnx_aionnxpreviewtraining_Momentum.html
func lowerMomentum(c *call) ([]*value, error) {
	mode := c.Attrs.String("mode", "standard")
	if mode != "standard" && mode != "nesterov" {
		return nil, fmt.Errorf("mode %q is none of standard, nesterov", mode)
	}
	return c.optimizerStep(1, func(f *formula, s step) []*G.Node {
		beta := f.then(op.Where(s.first, c.constant(nil, 1), c.scalar("beta", 1)))
		v := f.add(f.mul(c.scalar("alpha", 0), s.states[0]), f.mul(beta, s.g))
		move := v
		if mode == "nesterov" {
			move = f.add(s.g, f.mul(c.scalar("alpha", 0), v))
		}
		return []*G.Node{f.sub(s.x, f.mul(s.rate, move)), v}
	})
}

// Adagrad: H' = H + G², X' = X − R/(1 + T·decay_factor)·G/(√H' + ε).
// https://onnx.ai/onnx/operators/onnx_aionnxpreviewtraining_Adagrad.html
func lowerAdagrad(c *call) ([]*value, error) {
	return c.optimizerStep(1, func(f *formula, s step) []*G.Node {
		slower := f.add(f.mul(s.t, c.scalar("decay_factor", 0)), c.constant(nil, 1))
		h := f.add(s.states[0], f.mul(s.g, s.g))
		move := f.div(s.g, f.add(f.mapped(op.Sqrt, h), c.scalar("epsilon", 1e-6)))
		return []*G.Node{f.sub(s.x, f.mul(f.div(s.rate, slower), move)), h}
	})
}

// Adam: V' = α·V + (1 − α)·G, H' = β·H + (1 − β)·G², X' = X − R'·V'/(√H' + ε),
// where R' is R in the first step and R·√(1 − βᵀ)/(1 − αᵀ) in those after. Then
// X' is multiplied by 1 − norm_coefficient_post.
// https://onnx.ai/onnx/operators/onnx_aionnxpreviewtraining_Adam.html
func lowerAdam(c *call) ([]*value, error) {
	alpha, beta := c.number("alpha", 0.9), c.number("beta", 0.999)
	rest := func(v float64) *G.Node { return c.constant(nil, float32(1-v)) }
	return c.optimizerStep(2, func(f *formula, s step) []*G.Node {
		// 1 − bᵀ by way of the exponential, for any b that is not negative.
		unseen := func(b float64) *G.Node {
			power := f.mapped(op.Exp, f.mul(s.t, c.constant(nil, float32(math.Log(b)))))
			return f.sub(c.constant(nil, 1), power)
		}
		v := f.add(f.mul(c.scalar("alpha", 0.9), s.states[0]), f.mul(rest(alpha), s.g))
		h := f.add(f.mul(c.scalar("beta", 0.999), s.states[1]), f.mul(rest(beta), f.mul(s.g, s.g)))
		factor := f.div(f.mapped(op.Sqrt, unseen(beta)), unseen(alpha))
		if f.err == nil {
			factor = f.then(op.Where(s.first, c.constant(nil, 1), factor))
		}
		move := f.div(v, f.add(f.mapped(op.Sqrt, h), c.scalar("epsilon", 1e-6)))
		x := f.sub(s.x, f.mul(f.mul(s.rate, factor), move))
		return []*G.Node{f.mul(rest(c.number("norm_coefficient_post", 0)), x), v, h}
	})
}

// scalar is an attribute of type FLOAT as a leaf.
func (c *call) scalar(attr string, def float64) *G.Node {
	return c.constant(nil, float32(c.number(attr, def)))
}

// step is what a step of one tensor reads.
type step struct {
	rate, t, first *G.Node // scalars, the last a condition: T is 0
	x, g           *G.Node
	states         []*G.Node
}

// optimizerStep lowers a step with the given number of states for a tensor. rule
// returns the tensor and its states after it.
func (c *call) optimizerStep(states int, rule func(f *formula, s step) []*G.Node) ([]*value, error) {
	n := (len(c.in) - 2) / (2 + states)
	if n < 1 || len(c.in) != 2+n*(2+states) {
		return nil, fmt.Errorf("has %d inputs, want 2 and %d for each tensor", len(c.in), 2+states)
	}
	for i := range c.in {
		if !c.has(i) {
			return nil, fmt.Errorf("input %d is missing", i)
		}
	}
	var f formula
	t := f.then(op.ToFloat(c.node(1)))
	first := f.pair(op.Equal, t, c.zero(Float32))
	results := make([]*value, n*(1+states))
	for k := range n {
		s := step{rate: c.node(0), t: t, first: first, x: c.node(2 + k), g: c.node(2 + n + k)}
		for i := range states {
			s.states = append(s.states, c.node(2+(2+i)*n+k))
		}
		s.g = f.add(f.mul(c.scalar("norm_coefficient", 0), s.x), s.g)
		if f.err != nil {
			return nil, f.err
		}
		out := rule(&f, s)
		if f.err != nil {
			return nil, f.err
		}
		for i, y := range out {
			results[i*n+k] = c.value(c.in[2+k].dtype, y)
		}
	}
	return results, nil
}
