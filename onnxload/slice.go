package onnxload

import (
	"errors"
	"fmt"

	"finetune/internal/op"
)

// Slice: along the given axes (by default all, from the first on), the elements
// from start on, before end, in steps (by default 1). Negative positions count
// from the end, those beyond an end stop there, and negative steps walk
// backward. The lists are attributes before opset 10 and inputs since.
// https://onnx.ai/onnx/operators/onnx__Slice.html, opsets 1 to 13. Rejected:
// lists that are not constant.
func lowerSlice(c *call) ([]*value, error) {
	s, err := c.sliceLists()
	if err != nil {
		return nil, err
	}
	if len(s.starts) != len(s.ends) || len(s.axes) != len(s.starts) || len(s.steps) != len(s.starts) {
		return nil, fmt.Errorf("%d starts, %d ends, %d axes and %d steps do not fit together",
			len(s.starts), len(s.ends), len(s.axes), len(s.steps))
	}
	where, err := axes(s.axes, c.rank(0))
	if err != nil {
		return nil, err
	}
	starts, ends, steps := make([]int, c.rank(0)), make([]int, c.rank(0)), make([]int, c.rank(0))
	for k, d := range c.shape(0) {
		ends[k], steps[k] = d, 1
	}
	for i, k := range where {
		starts[k], ends[k], steps[k] = s.starts[i], s.ends[i], s.steps[i]
	}
	return c.result(op.Slice(c.node(0), starts, ends, steps))
}

type sliceLists struct{ starts, ends, axes, steps []int }

func (c *call) sliceLists() (s sliceLists, err error) {
	if c.Opset < 10 {
		s.starts, s.ends = c.Attrs.Ints("starts", nil), c.Attrs.Ints("ends", nil)
		s.axes = c.Attrs.Ints("axes", nil)
	} else {
		if !c.has(1) || !c.has(2) {
			return s, errors.New("starts or ends are missing")
		}
		for i, list := range []*[]int{nil, &s.starts, &s.ends, &s.axes, &s.steps} {
			if i == 0 || !c.has(i) {
				continue
			}
			what := []string{"", "the list of starts", "the list of ends", "the list of axes", "the list of steps"}[i]
			if *list, err = c.ints(i, what); err != nil {
				return s, err
			}
		}
	}
	if s.axes == nil {
		for k := range s.starts {
			s.axes = append(s.axes, k)
		}
	}
	if s.steps == nil {
		for range s.starts {
			s.steps = append(s.steps, 1)
		}
	}
	return s, nil
}
