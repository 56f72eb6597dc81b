package onnxload

import (
	"fmt"
	"math"
	"slices"

	G "gorgonia.org/gorgonia"

	"finetune/internal/op"
)

// LinearAttention: per head a matrix S that takes in one position after the other,
// and is read by the query: oₜ = s·Sₜᵀqₜ. Attribute update_rule says how:
//
//	linear       Sₜ = Sₜ₋₁ + kₜvₜᵀ
//	gated        Sₜ = exp(gₜ)·Sₜ₋₁ + kₜvₜᵀ
//	delta        Sₜ = Sₜ₋₁ + βₜ·kₜ(vₜ − Sₜ₋₁ᵀkₜ)ᵀ
//	gated_delta  Sₜ = exp(gₜ)·Sₜ₋₁ + βₜ·kₜ(vₜ − exp(gₜ)·Sₜ₋₁ᵀkₜ)ᵀ
//
// (Katharopoulos et al., Transformers are RNNs, 2020; Yang et al., Gated Delta
// Networks, 2024). Query, key and value are (batch, length, heads·size); several
// heads of the query may share one of key and value. The decay g is one number a
// head or one an entry of k, β one a head or one for all; s is attribute scale, by
// default 1/√size. S is past_state, or 0, before the first position, and the
// second output after the last. It is unfolded: every position has nodes of its own.
// https://onnx.ai/onnx/operators/onnx__LinearAttention.html, opset 27.
func lowerLinearAttention(c *call) ([]*value, error) {
	a, err := c.linearAttention()
	if err != nil {
		return nil, err
	}
	var f formula
	state := a.initial(&f)
	var rows []*G.Node
	for t := range a.length {
		if _, err := c.nextPass(t); err != nil {
			return nil, err
		}
		at := func(x *G.Node) *G.Node { return f.part(x, 2, t, t+1) }
		state = a.update(&f, state, at)
		rows = append(rows, a.read(&f, state, at(a.q)))
	}
	y := f.concat(2, rows...)
	y = f.transpose(y, 0, 2, 1, 3)
	y = f.reshape(y, a.batch, a.length, a.heads*a.valueSize)
	if f.err != nil {
		return nil, f.err
	}
	dt, stateType := c.in[0].dtype, c.in[0].dtype
	if c.has(3) {
		stateType = c.in[3].dtype
	}
	return []*value{c.value(dt, y), c.value(stateType, state)}, nil
}

// linearAttention is a LinearAttention that is being lowered. Its operands are
// (batch, heads, length, size).
type linearAttention struct {
	*call
	q, k, v, decay, beta *G.Node // the last two nil where the rule has none
	batch, length        int
	heads, shared        int // of the query; of key and value
	keySize, valueSize   int
}

func (c *call) linearAttention() (*linearAttention, error) {
	rule := c.Attrs.String("update_rule", "gated_delta")
	gated, delta := rule == "gated" || rule == "gated_delta", rule == "delta" || rule == "gated_delta"
	if rule != "linear" && !gated && !delta {
		return nil, fmt.Errorf("update_rule %q is none of linear, gated, delta, gated_delta", rule)
	}
	a := &linearAttention{call: c, heads: c.Attrs.Int("q_num_heads", 0), shared: c.Attrs.Int("kv_num_heads", 0)}
	if a.shared < 1 || a.heads < 1 || a.heads%a.shared != 0 || c.rank(0) != 3 || c.shape(0)[1] == 0 {
		return nil, fmt.Errorf("%d heads of the query of shape %v and %d of key and value", a.heads, c.shape(0), a.shared)
	}
	a.batch, a.length = c.shape(0)[0], c.shape(0)[1]
	var err error
	if a.q, err = a.perHead(0, a.heads); err != nil {
		return nil, err
	}
	if a.k, err = a.perHead(1, a.shared); err != nil {
		return nil, err
	}
	if a.v, err = a.perHead(2, a.shared); err != nil {
		return nil, err
	}
	a.keySize, a.valueSize = a.k.Shape()[3], a.v.Shape()[3]
	if a.q.Shape()[3] != a.keySize {
		return nil, fmt.Errorf("query %v and key %v differ in the size of a head", c.shape(0), c.shape(1))
	}
	if gated {
		if !c.has(4) {
			return nil, fmt.Errorf("update_rule %s has no decay", rule)
		}
		if a.decay, err = a.perHead(4, a.shared); err == nil {
			a.decay, err = op.Map(op.Exp, a.decay)
		}
		if err != nil {
			return nil, err
		}
	}
	if delta {
		if !c.has(5) {
			return nil, fmt.Errorf("update_rule %s has no beta", rule)
		}
		heads := a.shared
		if c.rank(5) == 3 && c.shape(5)[2] == 1 {
			heads = 1
		}
		if a.beta, err = a.perHead(5, heads); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// perHead is input i as (batch, heads, length, size).
func (a *linearAttention) perHead(i, heads int) (*G.Node, error) {
	s := a.shape(i)
	if len(s) != 3 || s[0] != a.batch || s[1] != a.length || s[2]%heads != 0 {
		return nil, fmt.Errorf("input %d has shape %v for %d heads and a query %v", i, s, heads, a.shape(0))
	}
	n, err := op.Reshape(a.node(i), a.batch, a.length, heads, s[2]/heads)
	if err != nil {
		return nil, err
	}
	return op.Transpose(n, []int{0, 2, 1, 3})
}

// initial is the state before the first position.
func (a *linearAttention) initial(f *formula) *G.Node {
	want := []int{a.batch, a.shared, a.keySize, a.valueSize}
	if !a.has(3) {
		return a.constant(want, make([]float32, product(want))...)
	}
	if !slices.Equal(a.shape(3), want) {
		f.err = fmt.Errorf("past_state has shape %v, want %v", a.shape(3), want)
		return nil
	}
	return a.node(3)
}

// update is the state behind one more position; at is an operand there, a row.
func (a *linearAttention) update(f *formula, state *G.Node, at func(*G.Node) *G.Node) *G.Node {
	k, v := at(a.k), at(a.v)
	if a.decay != nil {
		gate := at(a.decay)
		if f.err == nil && gate.Shape()[3] > 1 {
			gate = f.transpose(gate, 0, 1, 3, 2) // one a row of the state
		}
		state = f.mul(state, gate)
	}
	if a.beta != nil {
		v = f.mul(f.sub(v, f.matmul(k, state, false, false)), at(a.beta))
	}
	return f.add(state, f.matmul(k, v, true, false))
}

// read is the answer of the state to a row of queries.
func (a *linearAttention) read(f *formula, state, q *G.Node) *G.Node {
	scale := a.number("scale", 0)
	if scale == 0 {
		scale = 1 / math.Sqrt(float64(a.keySize))
	}
	q = f.mul(q, a.constant(nil, float32(scale)))
	q = f.reshape(q, a.batch, a.shared, a.heads/a.shared, a.keySize)
	return f.reshape(f.matmul(q, state, false, false), a.batch, a.heads, 1, a.valueSize)
}
