package onnxload

import "fmt"

// window is how a filter or pooling window slides over the spatial axes of an
// input (N, C, D1, …): one number an axis, and pads as begins then ends.
type window struct {
	kernel, strides, dilations, pads []int
}

// window reads the attributes that Conv and the pools share. The output size is
// floor((in + pad_begin + pad_end − ((kernel−1)·dilation + 1)) / stride) + 1.
// auto_pad SAME_UPPER and SAME_LOWER instead pad to ceil(in / stride), the odd
// one at the end or at the beginning.
func (c *call) window(kernel []int) (window, error) {
	if c.rank(0) < 3 {
		return window{}, fmt.Errorf("input has shape %v, want (N, C, D1, …)", c.shape(0))
	}
	spatial := c.shape(0)[2:]
	w := window{kernel: kernel}
	var err error
	if len(kernel) != len(spatial) {
		return w, fmt.Errorf("kernel %v does not fit the %d spatial axes of input %v", kernel, len(spatial), c.shape(0))
	}
	if err := bounded("kernel_shape", kernel, 1); err != nil {
		return w, err
	}
	if w.strides, err = c.perAxis("strides", len(spatial), 1, 1); err != nil {
		return w, err
	}
	if w.dilations, err = c.perAxis("dilations", len(spatial), 1, 1); err != nil {
		return w, err
	}
	switch auto := c.Attrs.String("auto_pad", "NOTSET"); auto {
	case "NOTSET", "":
		w.pads, err = c.perAxis("pads", 2*len(spatial), 0, 0)
	case "VALID":
		w.pads = make([]int, 2*len(spatial))
	case "SAME_UPPER", "SAME_LOWER":
		w.pads = w.same(spatial, auto == "SAME_LOWER")
	default:
		err = fmt.Errorf("auto_pad %q is none of NOTSET, VALID, SAME_UPPER, SAME_LOWER", auto)
	}
	return w, err
}

// same is the padding that makes each output axis ceil(in / stride) long.
func (w window) same(spatial []int, oddFirst bool) []int {
	n := len(spatial)
	pads := make([]int, 2*n)
	for i, in := range spatial {
		out := (in + w.strides[i] - 1) / w.strides[i]
		total := max(0, (out-1)*w.strides[i]+(w.kernel[i]-1)*w.dilations[i]+1-in)
		small, large := total/2, total-total/2
		if oddFirst {
			small, large = large, small
		}
		pads[i], pads[n+i] = small, large
	}
	return pads
}

// perAxis is an attribute of n numbers, each at least low; all def if absent.
func (c *call) perAxis(name string, n, def, low int) ([]int, error) {
	list := c.Attrs.Ints(name, nil)
	if list == nil {
		list = make([]int, n)
		for i := range list {
			list[i] = def
		}
	}
	if len(list) != n {
		return nil, fmt.Errorf("%s has %d numbers, want %d", name, len(list), n)
	}
	return list, bounded(name, list, low)
}

// maxExtent bounds kernel sizes, strides, dilations and pads, so that sums and
// products of them stay far from overflow.
const maxExtent = 1 << 20

func bounded(name string, list []int, low int) error {
	for _, v := range list {
		if v < low || v > maxExtent {
			return fmt.Errorf("%s %v has a number outside [%d, %d]", name, list, low, maxExtent)
		}
	}
	return nil
}
