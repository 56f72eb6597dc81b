package onnxload

import (
	"fmt"

	"finetune/internal/op"
)

// It joins the table late, because lowering a subgraph looks into it.
func init() {
	domains["ai.onnx.preview"] = domain{1, map[string]*operator{
		"FlexAttention": {lower: lowerFlexAttention, since: 1, in: "Q' K' V'", nested: true},
	}}
}

// FlexAttention: Attention whose scores go through subgraph score_mod before they
// become shares, and these through prob_mod before they weigh V; each subgraph has
// one input and one output of one shape (Dong et al., Flex Attention, 2024).
// https://onnx.ai/onnx/operators/onnx_aionnxpreview_FlexAttention.html, version 1
// of domain ai.onnx.preview.
func lowerFlexAttention(c *call) ([]*value, error) {
	a := &attention{call: c}
	if c.rank(0) != 4 {
		return nil, fmt.Errorf("input 0 has shape %v, want rank 4", c.shape(0))
	}
	if err := a.heads(); err != nil {
		return nil, err
	}
	s, err := a.scores()
	if err != nil {
		return nil, err
	}
	through := func(v *value, attr string, number int) (*value, error) {
		b := c.bodies[attr]
		if b == nil {
			return v, nil
		}
		if len(b.inputs) != 1 || len(b.outputs) != 1 {
			return nil, fmt.Errorf("%s has %d inputs and %d outputs, want 1", attr, len(b.inputs), len(b.outputs))
		}
		out, err := c.l.runBody(b, pass{c.Node, number}, []*value{v})
		if err != nil {
			return nil, err
		}
		return out[0], nil
	}
	scores, err := through(c.value(Float32, s), "score_mod", 0)
	if err != nil {
		return nil, err
	}
	p, err := op.Softmax(c.nodeOf(scores), -1)
	if err != nil {
		return nil, err
	}
	shares, err := through(c.value(Float32, p), "prob_mod", 1)
	if err != nil {
		return nil, err
	}
	return c.result(a.mean(c.nodeOf(shares)))
}
