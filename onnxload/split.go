package onnxload

import (
	"fmt"
	"slices"

	"finetune/internal/op"
)

// Split: the input cut along an axis (by default 0) into parts of given lengths,
// or into equal ones as many as there are outputs, or as num_outputs says, where
// the last may be shorter. The lengths are an attribute before opset 13 and an
// input since.
// https://onnx.ai/onnx/operators/onnx__Split.html, opsets 1 to 18. Rejected:
// lengths that are not constant.
func lowerSplit(c *call) ([]*value, error) {
	at, err := axis(c.Attrs.Int("axis", 0), c.rank(0))
	if err != nil {
		return nil, err
	}
	lengths, err := c.splitLengths(c.shape(0)[at])
	if err != nil {
		return nil, err
	}
	starts, ends := make([]int, c.rank(0)), slices.Clone(c.shape(0))
	ends[at] = 0
	var out []*value
	for _, n := range lengths {
		starts[at], ends[at] = ends[at], ends[at]+n
		part, err := op.Slice(c.node(0), starts, ends, nil)
		if err != nil {
			return nil, err
		}
		out = append(out, c.value(c.in[0].dtype, part))
	}
	return out, nil
}

// splitLengths is how long the parts of an axis of n elements are.
func (c *call) splitLengths(n int) ([]int, error) {
	lengths := c.Attrs.Ints("split", nil)
	if c.has(1) {
		var err error
		if lengths, err = c.ints(1, "the list of lengths"); err != nil {
			return nil, err
		}
	}
	if lengths == nil {
		parts := c.Attrs.Int("num_outputs", len(c.Outputs))
		if parts < 1 || parts > n && n > 0 {
			return nil, fmt.Errorf("%d parts of %d elements", parts, n)
		}
		each := (n + parts - 1) / parts
		for range parts {
			lengths = append(lengths, min(each, n-min(n, each*len(lengths))))
		}
	}
	total := 0
	for _, l := range lengths {
		if l < 0 || l > n {
			return nil, fmt.Errorf("a part of length %d of %d elements", l, n)
		}
		total += l
	}
	if total != n {
		return nil, fmt.Errorf("the parts %v make %d elements, the axis has %d", lengths, total, n)
	}
	return lengths, nil
}
