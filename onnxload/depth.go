package onnxload

import (
	"fmt"

	"finetune/internal/op"
)

// DepthToSpace: blocks of channels become blocks of pixels: (N, C, H, W) becomes
// (N, C/b², H·b, W·b). In mode DCR, the default, the channels of a pixel of a
// block lie together; in mode CRD those of a channel.
// https://onnx.ai/onnx/operators/onnx__DepthToSpace.html, opsets 1 to 13.
func lowerDepthToSpace(c *call) ([]*value, error) {
	b, err := c.blocks()
	if err != nil {
		return nil, err
	}
	s := c.shape(0)
	if s[1]%(b*b) != 0 {
		return nil, fmt.Errorf("%d channels do not fill blocks of %d by %d", s[1], b, b)
	}
	depth := s[1] / (b * b)
	apart, perm := []int{s[0], b, b, depth, s[2], s[3]}, []int{0, 3, 4, 1, 5, 2}
	switch mode := c.Attrs.String("mode", "DCR"); mode {
	case "DCR":
	case "CRD":
		apart, perm = []int{s[0], depth, b, b, s[2], s[3]}, []int{0, 1, 4, 2, 5, 3}
	default:
		return nil, fmt.Errorf("mode %q is neither DCR nor CRD", mode)
	}
	return c.rearranged(apart, perm, []int{s[0], depth, s[2] * b, s[3] * b})
}

// SpaceToDepth: blocks of pixels become blocks of channels: (N, C, H, W) becomes
// (N, C·b², H/b, W/b).
// https://onnx.ai/onnx/operators/onnx__SpaceToDepth.html, opsets 1 to 13.
func lowerSpaceToDepth(c *call) ([]*value, error) {
	b, err := c.blocks()
	if err != nil {
		return nil, err
	}
	s := c.shape(0)
	if s[2]%b != 0 || s[3]%b != 0 {
		return nil, fmt.Errorf("%d by %d pixels do not fill blocks of %d", s[2], s[3], b)
	}
	return c.rearranged([]int{s[0], s[1], s[2] / b, b, s[3] / b, b}, []int{0, 3, 5, 1, 2, 4},
		[]int{s[0], s[1] * b * b, s[2] / b, s[3] / b})
}

// blocks is attribute blocksize of an operator on images.
func (c *call) blocks() (int, error) {
	b := c.Attrs.Int("blocksize", 0)
	if b < 1 || b > maxExtent {
		return 0, fmt.Errorf("blocksize is %d", b)
	}
	if c.rank(0) != 4 {
		return 0, fmt.Errorf("input has shape %v, want (N, C, H, W)", c.shape(0))
	}
	return b, nil
}

// rearranged is input 0 with its axes taken apart, reordered and joined.
func (c *call) rearranged(apart, perm, shape []int) ([]*value, error) {
	x, err := op.Reshape(c.node(0), apart...)
	if err == nil {
		x, err = op.Transpose(x, perm)
	}
	if err == nil {
		x, err = op.Reshape(x, shape...)
	}
	return c.result(x, err)
}
