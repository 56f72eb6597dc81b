package onnxload

import (
	"fmt"
	"slices"

	G "gorgonia.org/gorgonia"

	"finetune/internal/op"
)

// GridSample: the input read at the places of a grid, whose last axis holds
// coordinates from −1 to 1 across the image, the last spatial axis first
// (Jaderberg et al., Spatial Transformer Networks, 2015). mode says how to read
// between elements, padding_mode what lies outside; with align_corners −1 and 1
// are the centres of the outermost elements, not their edges.
// https://onnx.ai/onnx/operators/onnx__GridSample.html, opsets 16 to 22.
func lowerGridSample(c *call) ([]*value, error) {
	s := op.SampleSpec{EdgeCenters: c.Attrs.Int("align_corners", 0) != 0}
	switch mode := c.Attrs.String("mode", "linear"); mode {
	case "linear", "bilinear":
		s.Mode = op.Linear
	case "nearest":
		s.Mode = op.Nearest
	case "cubic", "bicubic":
		s.Mode = op.Cubic
	default:
		return nil, fmt.Errorf("mode %q is none of linear, nearest, cubic", mode)
	}
	switch mode := c.Attrs.String("padding_mode", "zeros"); mode {
	case "zeros":
		s.Outside = op.Zeros
	case "border":
		s.Outside = op.Border
	case "reflection":
		s.Outside = op.Mirror
	default:
		return nil, fmt.Errorf("padding_mode %q is none of zeros, border, reflection", mode)
	}
	d := c.rank(0) - 2
	if d < 1 || c.rank(1) != d+2 || c.shape(1)[d+1] != d || c.shape(1)[0] != c.shape(0)[0] {
		return nil, fmt.Errorf("input %v and grid %v", c.shape(0), c.shape(1))
	}
	out := c.shape(1)[1 : d+1]
	at, err := op.Reshape(c.node(1), c.shape(0)[0], product(out), d)
	if err == nil {
		at, err = c.inElements(at, s.EdgeCenters)
	}
	if err != nil {
		return nil, err
	}
	y, err := op.Sample(c.node(0), at, s)
	if err != nil {
		return nil, err
	}
	return c.result(op.Reshape(y, append(slices.Clone(c.shape(0)[:2]), out...)...))
}

// inElements turns coordinates from −1 to 1 into places of input 0, and their
// order into that of its axes.
func (c *call) inElements(at *G.Node, edgeCenters bool) (*G.Node, error) {
	spatial := c.shape(0)[2:]
	factor, shift := make([]float32, len(spatial)), make([]float32, len(spatial))
	for k, n := range spatial {
		// Edges at −1/2 and n − 1/2, or at the centres 0 and n − 1.
		factor[k], shift[k] = float32(n)/2, float32(n-1)/2
		if edgeCenters {
			factor[k] = float32(n-1) / 2
		}
	}
	s := at.Shape()
	at, err := op.Slice(at, []int{0, 0, s[2] - 1}, []int{s[0], s[1], -s[2] - 1}, []int{1, 1, -1})
	if err == nil {
		at, err = op.Mul(at, c.constant([]int{len(spatial)}, factor...))
	}
	if err == nil {
		at, err = op.Add(at, c.constant([]int{len(spatial)}, shift...))
	}
	return at, err
}

// AffineGrid: the grid for GridSample that an affine map of each example, theta
// (N, d, d + 1), makes of the coordinates of an image of the given size.
// https://onnx.ai/onnx/operators/onnx__AffineGrid.html, opset 20. Rejected: a size
// that is not constant.
func lowerAffineGrid(c *call) ([]*value, error) {
	size, err := c.ints(1, "the size")
	if err != nil {
		return nil, err
	}
	d := len(size) - 2
	if _, err := elements(size); err != nil {
		return nil, err
	}
	if d < 2 || !slices.Equal(c.shape(0), []int{size[0], d, d + 1}) {
		return nil, fmt.Errorf("theta has shape %v for size %v", c.shape(0), size)
	}
	n := product(size[2:])
	base := make([]float32, 0, n*(d+1))
	for i := range n {
		point := make([]float32, d+1)
		point[d] = 1
		rest := i
		for k := d - 1; k >= 0; k-- {
			length := size[2+k]
			at := rest % length
			rest /= length
			v := float32(2*at+1)/float32(length) - 1
			if c.Attrs.Int("align_corners", 0) != 0 {
				v = -1
				if length > 1 {
					v = 2*float32(at)/float32(length-1) - 1
				}
			}
			point[d-1-k] = v // the last axis comes first
		}
		base = append(base, point...)
	}
	grid, err := op.MatMul(c.constant([]int{n, d + 1}, base...), c.node(0), false, true)
	if err != nil {
		return nil, err
	}
	shape := append([]int{size[0]}, size[2:]...)
	return c.result(op.Reshape(grid, append(shape, d)...))
}

// DeformConv: Conv whose taps are moved by offsets that are an input, a pair for
// each tap and output, and weighed by a mask (Dai et al., Deformable Convolutional
// Networks, 2017; Zhu et al., 2019). offset_group splits the channels.
// https://onnx.ai/onnx/operators/onnx__DeformConv.html, opsets 19 to 22. Rejected:
// other than two spatial axes.
func lowerDeformConv(c *call) ([]*value, error) {
	if c.rank(0) != 4 || c.rank(1) != 4 || c.rank(2) != 4 {
		return nil, unsupported(c.Node, fmt.Sprintf("input %v; only two spatial axes are supported", c.shape(0)))
	}
	w, err := c.window(c.shape(1)[2:])
	if err != nil {
		return nil, err
	}
	n, channels, maps := c.shape(0)[0], c.shape(0)[1], c.shape(1)[0]
	groups, offsets := c.Attrs.Int("group", 1), c.Attrs.Int("offset_group", 1)
	taps, out := product(w.kernel), c.shape(2)[2:]
	points := product(out)
	switch {
	case groups < 1 || channels%groups != 0 || maps%groups != 0 || c.shape(1)[1] != channels/groups:
		return nil, fmt.Errorf("group is %d for input %v and filters %v", groups, c.shape(0), c.shape(1))
	case offsets < 1 || channels%offsets != 0 || c.shape(2)[1] != 2*offsets*taps || c.shape(2)[0] != n:
		return nil, fmt.Errorf("offset_group is %d for input %v and offsets %v", offsets, c.shape(0), c.shape(2))
	}
	at, err := op.Reshape(c.node(2), n, offsets, taps, 2, points)
	if err == nil {
		at, err = op.Transpose(at, []int{0, 1, 2, 4, 3})
	}
	if err == nil {
		at, err = op.Reshape(at, n*offsets, taps*points, 2)
	}
	if err == nil {
		at, err = op.Add(at, c.constant([]int{taps * points, 2}, w.places(out)...))
	}
	if err != nil {
		return nil, err
	}
	x, err := op.Reshape(c.node(0), n*offsets, channels/offsets, c.shape(0)[2], c.shape(0)[3])
	if err == nil {
		x, err = op.Sample(x, at, op.SampleSpec{Mode: op.Linear})
	}
	if err == nil && c.has(4) {
		var mask *G.Node
		if mask, err = op.Reshape(c.node(4), n*offsets, 1, taps*points); err == nil {
			x, err = op.Mul(x, mask)
		}
	}
	if err == nil {
		x, err = op.Reshape(x, n, groups, channels/groups*taps, points)
	}
	if err != nil {
		return nil, err
	}
	filters, err := op.Reshape(c.node(1), groups, maps/groups, channels/groups*taps)
	if err == nil {
		x, err = op.MatMul(filters, x, false, false)
	}
	if err == nil {
		x, err = op.Reshape(x, n, maps, out[0], out[1])
	}
	if err == nil && c.has(3) {
		var bias *G.Node
		if bias, err = op.Reshape(c.node(3), maps, 1, 1); err == nil {
			x, err = op.Add(x, bias)
		}
	}
	return c.result(x, err)
}

// places is where each tap of a window reads for each output, by axis.
func (w window) places(out []int) []float32 {
	var list []float32
	for i := range w.kernel[0] {
		for j := range w.kernel[1] {
			for y := range out[0] {
				for x := range out[1] {
					list = append(list, float32(y*w.strides[0]-w.pads[0]+i*w.dilations[0]),
						float32(x*w.strides[1]-w.pads[1]+j*w.dilations[1]))
				}
			}
		}
	}
	return list
}
