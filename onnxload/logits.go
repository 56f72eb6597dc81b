package onnxload

import (
	"slices"

	G "gorgonia.org/gorgonia"

	"finetune/internal/op"
)

// head is the activation a value came out of, kept while only views follow.
type head struct {
	kind   string
	logits *G.Node // what it was applied to

	// For a softmax: the shape it saw, the first axis it normalises, how many
	// elements sum to one, and how many lie between two of them.
	shape        []int
	axis         int
	group, after int
}

// describe tells a port about the activation behind it. Without one, or where
// the groups of a softmax no longer lie along one axis, the port stays as it is.
func (h *head) describe(p *Port) error {
	if h == nil {
		return nil
	}
	axis := -1
	if h.kind != "sigmoid" {
		if axis = h.axisIn(p.Shape); axis < 0 {
			return nil
		}
	}
	logits := h.logits
	if !slices.Equal([]int(logits.Shape()), p.Shape) {
		var err error
		if logits, err = op.Reshape(logits, p.Shape...); err != nil {
			return err
		}
	}
	p.Logits, p.Activation, p.Axis = logits, h.kind, axis
	return nil
}

// axisIn is the axis of a reshaped softmax that it normalises, or -1.
func (h *head) axisIn(shape []int) int {
	after := 1
	for i := len(shape) - 1; i >= 0; i-- {
		if after == h.after && shape[i] == h.group && (shape[i] > 1 || i == h.axis) {
			return i
		}
		after *= shape[i]
	}
	return -1
}
