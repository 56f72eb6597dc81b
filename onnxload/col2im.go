package onnxload

import (
	"fmt"

	"finetune/internal/op"
)

// Col2Im: an image (N, C, D1, …) put together from the blocks that a window reads
// as it slides over it, (N, C·elements of a block, windows); where blocks overlap
// they add up. Sizes of the image and of a block are inputs; the window slides as
// for Conv.
// https://onnx.ai/onnx/operators/onnx__Col2Im.html, opset 18. Rejected: sizes that
// are not constant.
func lowerCol2Im(c *call) ([]*value, error) {
	image, err := c.ints(1, "the size of the image")
	if err != nil {
		return nil, err
	}
	block, err := c.ints(2, "the size of a block")
	if err != nil {
		return nil, err
	}
	w, padded, err := c.blockWindow(image, block)
	if err != nil {
		return nil, err
	}
	places := w.blockPlaces(padded)
	batch, taps := c.shape(0)[0], product(block)
	if taps == 0 || c.shape(0)[1]%taps != 0 || taps*c.shape(0)[2] != len(places) {
		return nil, fmt.Errorf("input has shape %v for %d windows of %d elements", c.shape(0), len(places)/max(taps, 1), taps)
	}
	channels := c.shape(0)[1] / taps
	var f formula
	x := f.reshape(c.node(0), batch*channels, len(places))
	x = f.transpose(x, 1, 0)
	empty := c.constant([]int{product(padded), batch * channels}, make([]float32, product(padded)*batch*channels)...)
	if f.err == nil {
		x = f.then(op.ScatterND(empty, c.constantInts([]int{len(places), 1}, places), x, op.UpdateAdd))
	}
	x = f.reshape(f.transpose(x, 1, 0), append([]int{batch, channels}, padded...)...)
	for k, d := range image {
		x = f.part(x, 2+k, w.pads[k], w.pads[k]+d)
	}
	return c.result(x, f.err)
}

// blockWindow is the window of a Col2Im and the size of the image with its pads.
func (c *call) blockWindow(image, block []int) (w window, padded []int, err error) {
	d := len(image)
	if c.rank(0) != 3 || d == 0 || len(block) != d {
		return w, nil, fmt.Errorf("input %v, an image of size %v and blocks of size %v", c.shape(0), image, block)
	}
	if err = bounded("the size of the image", image, 1); err == nil {
		err = bounded("the size of a block", block, 1)
	}
	if err != nil {
		return w, nil, err
	}
	w.kernel = block
	if w.strides, err = c.perAxis("strides", d, 1, 1); err != nil {
		return w, nil, err
	}
	if w.dilations, err = c.perAxis("dilations", d, 1, 1); err != nil {
		return w, nil, err
	}
	if w.pads, err = c.perAxis("pads", 2*d, 0, 0); err != nil {
		return w, nil, err
	}
	for k, n := range image {
		padded = append(padded, w.pads[k]+n+w.pads[d+k])
		if (block[k]-1)*w.dilations[k]+1 > padded[k] {
			return w, nil, fmt.Errorf("a block of %v does not fit the image of %v", block, image)
		}
	}
	_, err = elements(append([]int{c.shape(0)[0], c.shape(0)[1]}, padded...))
	return w, padded, err
}

// blockPlaces is where each element of a block lies in a padded image for each
// window, the windows behind each other for every element.
func (w window) blockPlaces(padded []int) []int64 {
	taps, windows := []int64{0}, []int64{0}
	spread := func(list []int64, n, step int) []int64 {
		var more []int64
		for _, at := range list {
			for i := range n {
				more = append(more, at+int64(i*step))
			}
		}
		return more
	}
	for k, n := range padded {
		next := product(padded[k+1:]) // from one element of the axis to the next
		taps = spread(taps, w.kernel[k], w.dilations[k]*next)
		windows = spread(windows, (n-(w.kernel[k]-1)*w.dilations[k]-1)/w.strides[k]+1, w.strides[k]*next)
	}
	var places []int64
	for _, t := range taps {
		for _, at := range windows {
			places = append(places, t+at)
		}
	}
	return places
}
