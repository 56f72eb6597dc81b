package onnxload

import (
	"fmt"

	"finetune/internal/op"
)

// RoiAlign: boxes (R, 4) of the input, each on the image that batch_indices says,
// as output_height by output_width cells: the mean, or with mode max the largest, of
// points in a cell, each interpolated between its four neighbours; see kernel.Align.
// Coordinates are those of elements divided by spatial_scale, less half an element
// with coordinate_transformation_mode half_pixel, the default since opset 16. No
// gradient flows to boxes.
// https://onnx.ai/onnx/operators/onnx__RoiAlign.html, opsets 10 to 22.
func lowerRoiAlign(c *call) ([]*value, error) {
	s := op.RegionSpec{
		Rows: c.Attrs.Int("output_height", 1), Cols: c.Attrs.Int("output_width", 1),
		Align: op.Align{Scale: c.number("spatial_scale", 1), Points: c.Attrs.Int("sampling_ratio", 0)},
	}
	switch mode := c.Attrs.String("mode", "avg"); mode {
	case "avg":
	case "max":
		s.Max = true
	default:
		return nil, fmt.Errorf("mode %q is none of avg, max", mode)
	}
	def := "half_pixel"
	if c.Opset < 16 {
		def = "output_half_pixel"
	}
	switch mode := c.Attrs.String("coordinate_transformation_mode", def); mode {
	case "output_half_pixel":
	case "half_pixel":
		s.Align.HalfPixel = true
	default:
		return nil, fmt.Errorf("coordinate_transformation_mode %q is none of half_pixel, output_half_pixel", mode)
	}
	if err := bounded("the output", []int{s.Rows, s.Cols}, 1); err != nil {
		return nil, err
	}
	if err := bounded("sampling_ratio", []int{s.Align.Points}, 0); err != nil {
		return nil, err
	}
	return c.result(op.Regions(c.node(0), c.node(1), c.node(2), s))
}

// MaxRoiPool: the largest element of each of the cells, pooled_shape of them, of
// boxes (R, 5): the number of an image and corners, which times spatial_scale are
// rounded to elements. No gradient flows to boxes.
// https://onnx.ai/onnx/operators/onnx__MaxRoiPool.html, opsets 1 to 22.
func lowerMaxRoiPool(c *call) ([]*value, error) {
	cells := c.Attrs.Ints("pooled_shape", nil)
	if len(cells) != 2 || c.rank(1) != 2 || c.shape(1)[1] != 5 {
		return nil, fmt.Errorf("pooled_shape %v and boxes %v, want 2 numbers and (R, 5)", cells, c.shape(1))
	}
	if err := bounded("pooled_shape", cells, 1); err != nil {
		return nil, err
	}
	var f formula
	image := f.part(c.node(1), 1, 0, 1)
	boxes := f.part(c.node(1), 1, 1, 5)
	image = f.reshape(image, c.shape(1)[0])
	if f.err == nil {
		image = f.then(op.ToInt(image))
	}
	if f.err != nil {
		return nil, f.err
	}
	return c.result(op.Regions(c.node(0), boxes, image, op.RegionSpec{
		Rows: cells[0], Cols: cells[1], Max: true, Bins: true, Align: op.Align{Scale: c.number("spatial_scale", 1)},
	}))
}
