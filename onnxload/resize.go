package onnxload

import (
	"errors"
	"fmt"
	"math"
	"slices"

	G "gorgonia.org/gorgonia"

	"finetune/internal/op"
)

// Resize: the input stretched or shrunk along its axes, by scales or to sizes.
// An element of the result lies at some coordinate of the input, which
// coordinate_transformation_mode says how to find, and is made of the elements
// near it: the nearest (which one, nearest_mode says), two by linear, or four by
// cubic interpolation (Keys, Cubic Convolution Interpolation, 1981, with
// cubic_coeff_a). With antialias, shrinking takes in proportionally more.
//
// Every axis is done by itself, one after the other: an element is a weighted
// sum of a few along each. Before opset 11 the coordinate was that of the result
// divided by the scale, and nearest was the one below.
// https://onnx.ai/onnx/operators/onnx__Resize.html, opsets 10 to 19. Rejected:
// scales and sizes that are not constant, integers but by nearest.
func lowerResize(c *call) ([]*value, error) {
	r, err := c.resizing()
	if err != nil {
		return nil, err
	}
	return r.apply(c)
}

// Upsample: what Resize was before opset 10; scales are an attribute before
// opset 9 and an input since.
// https://onnx.ai/onnx/operators/onnx__Upsample.html, opsets 7 to 9. Rejected:
// scales that are not constant.
func lowerUpsample(c *call) ([]*value, error) {
	r := c.oldResizing()
	scales := c.Attrs.Floats("scales", nil)
	if c.has(1) {
		b, err := c.known(1, c.storageOf(0), "the list of scales")
		if err != nil {
			return nil, err
		}
		scales = b.F
	}
	if err := r.byScales(c, scales); err != nil {
		return nil, err
	}
	return r.apply(c)
}

// resizing is what a Resize asks for.
type resizing struct {
	axes           []int
	scales         []float64
	sizes          []int
	mode, nearest  string
	coordinates    string
	cubic          float64 // cubic_coeff_a
	excludeOutside bool
	antialias      bool
	extrapolation  float32
	starts, ends   []float64 // of the region of interest, along each axis
}

func (c *call) oldResizing() *resizing {
	r := &resizing{mode: c.Attrs.String("mode", "nearest"), nearest: "floor", coordinates: "asymmetric"}
	if r.mode == "bilinear" {
		r.mode = "linear"
	}
	for k := range c.rank(0) {
		r.axes = append(r.axes, k)
	}
	return r
}

func (c *call) resizing() (*resizing, error) {
	r := c.oldResizing()
	if c.Opset < 11 {
		if !c.has(1) {
			return nil, errors.New("input 1, the list of scales, is missing")
		}
		b, err := c.known(1, c.storageOf(1), "the list of scales")
		if err != nil {
			return nil, err
		}
		return r, r.byScales(c, b.F)
	}
	r.coordinates = c.Attrs.String("coordinate_transformation_mode", "half_pixel")
	r.nearest = c.Attrs.String("nearest_mode", "round_prefer_floor")
	r.cubic = c.number("cubic_coeff_a", -0.75)
	r.excludeOutside = c.Attrs.Int("exclude_outside", 0) != 0
	r.antialias = c.Attrs.Int("antialias", 0) != 0
	r.extrapolation = c.Attrs.Float("extrapolation_value", 0)
	var err error
	if r.axes, err = axes(c.Attrs.Ints("axes", r.axes), c.rank(0)); err != nil {
		return nil, err
	}
	if r.coordinates == "tf_crop_and_resize" {
		if err := r.region(c); err != nil {
			return nil, err
		}
	}
	if c.has(2) && c.in[2].size() > 0 {
		b, err := c.known(2, c.storageOf(2), "the list of scales")
		if err != nil {
			return nil, err
		}
		return r, r.byScales(c, b.F)
	}
	if !c.has(3) {
		return nil, errors.New("neither scales nor sizes are given")
	}
	sizes, err := c.ints(3, "the list of sizes")
	if err != nil {
		return nil, err
	}
	return r, r.bySizes(c, sizes)
}

// region reads the region of interest: starts, then ends, in shares of the axes.
func (r *resizing) region(c *call) error {
	if !c.has(1) {
		return errors.New("input 1, the region to crop, is missing")
	}
	b, err := c.known(1, c.storageOf(1), "the region to crop")
	if err != nil {
		return err
	}
	if len(b.F) != 2*len(r.axes) {
		return fmt.Errorf("the region to crop has %d numbers, want %d", len(b.F), 2*len(r.axes))
	}
	r.starts, r.ends = make([]float64, c.rank(0)), make([]float64, c.rank(0))
	for i, k := range r.axes {
		r.starts[k], r.ends[k] = float64(b.F[i]), float64(b.F[len(r.axes)+i])
	}
	return nil
}

// byScales makes each axis floor(length·scale) long.
func (r *resizing) byScales(c *call, scales []float32) error {
	if len(scales) != len(r.axes) {
		return fmt.Errorf("%d scales for %d axes", len(scales), len(r.axes))
	}
	r.start(c)
	for i, k := range r.axes {
		s := float64(scales[i])
		size := math.Floor(float64(c.shape(0)[k]) * s)
		if !(s > 0 && size <= maxExtent) {
			return fmt.Errorf("scale %g of axis %d with %d elements", s, k, c.shape(0)[k])
		}
		r.scales[k], r.sizes[k] = s, int(size)
	}
	return nil
}

// start leaves every axis as it is.
func (r *resizing) start(c *call) {
	r.sizes = slices.Clone(c.shape(0))
	r.scales = make([]float64, c.rank(0))
	for k := range r.scales {
		r.scales[k] = 1
	}
}

// bySizes makes the axes as long as it is said, or, with a policy that keeps
// their ratio, the most or the least of it that does.
func (r *resizing) bySizes(c *call, sizes []int) error {
	if len(sizes) != len(r.axes) {
		return fmt.Errorf("%d sizes for %d axes", len(sizes), len(r.axes))
	}
	r.start(c)
	if err := bounded("the list of sizes", sizes, 0); err != nil {
		return err
	}
	before := c.declaredShape()
	common, policy := math.NaN(), c.Attrs.String("keep_aspect_ratio_policy", "stretch")
	for i, k := range r.axes {
		if sizes[i] == before[k] {
			sizes[i] = c.shape(0)[k] // an axis of the batch stays what it is
		}
		r.sizes[k], r.scales[k] = sizes[i], float64(sizes[i])/float64(c.shape(0)[k])
		switch {
		case i == 0:
			common = r.scales[k]
		case policy == "not_larger":
			common = min(common, r.scales[k])
		case policy == "not_smaller":
			common = max(common, r.scales[k])
		}
	}
	switch policy {
	case "stretch":
	case "not_larger", "not_smaller":
		for _, k := range r.axes {
			r.scales[k] = common
			r.sizes[k] = int(math.Floor(common*float64(c.shape(0)[k]) + 0.5))
		}
	default:
		return fmt.Errorf("keep_aspect_ratio_policy %q is none of stretch, not_larger, not_smaller", policy)
	}
	return nil
}

// apply resizes one axis after the other.
func (r *resizing) apply(c *call) ([]*value, error) {
	if err := r.check(); err != nil {
		return nil, err
	}
	if _, err := elements(r.sizes); err != nil {
		return nil, err
	}
	x := c.node(0)
	whole := !c.in[0].dtype.IsFloat()
	if whole && r.mode != "nearest" {
		return nil, unsupported(c.Node, fmt.Sprintf("mode %s of %s is not supported", r.mode, c.in[0].dtype))
	}
	for k, n := range c.shape(0) {
		if n == r.sizes[k] && r.scales[k] == 1 && r.coordinates != "tf_crop_and_resize" || !slices.Contains(r.axes, k) {
			continue
		}
		if n == 0 {
			return nil, fmt.Errorf("axis %d has no elements", k)
		}
		var err error
		if x, err = r.along(c, x, k, n); err != nil {
			return nil, err
		}
	}
	return c.result(x, nil)
}

func (r *resizing) check() error {
	if !slices.Contains([]string{"nearest", "linear", "cubic"}, r.mode) {
		return fmt.Errorf("mode %q is none of nearest, linear, cubic", r.mode)
	}
	if !slices.Contains([]string{"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"}, r.nearest) {
		return fmt.Errorf("nearest_mode %q is none of round_prefer_floor, round_prefer_ceil, floor, ceil", r.nearest)
	}
	known := []string{"half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric", "tf_half_pixel_for_nn", "tf_crop_and_resize"}
	if !slices.Contains(known, r.coordinates) {
		return fmt.Errorf("coordinate_transformation_mode %q is none of %q", r.coordinates, known)
	}
	return nil
}

// along resizes axis k, which has n elements.
func (r *resizing) along(c *call, x *G.Node, k, n int) (*G.Node, error) {
	taps := op.NewTaps(n)
	outside := make([]int64, r.sizes[k])
	var nearest []int64
	for i := range r.sizes[k] {
		at := r.coordinate(i, k, n)
		if r.coordinates == "tf_crop_and_resize" && (at < 0 || at > float64(n-1)) {
			outside[i] = 1
			at = 0
		}
		if r.mode == "nearest" {
			nearest = append(nearest, int64(min(max(r.round(at), 0), n-1)))
			continue
		}
		taps.Row(r.weights(at, r.scales[k], n))
	}
	var err error
	if r.mode == "nearest" {
		x, err = op.Gather(x, c.constantInts([]int{len(nearest)}, nearest), k)
	} else {
		x, err = op.Resample(x, k, taps)
	}
	if err != nil || !slices.Contains(outside, 1) {
		return x, err
	}
	shape := make([]int, c.rank(0))
	for i := range shape {
		shape[i] = 1
	}
	shape[k] = len(outside)
	value := c.constant(nil, r.extrapolation)
	if x.Dtype() == G.Int64 {
		value = c.constantInts(nil, []int64{int64(r.extrapolation)})
	}
	return op.Where(c.constantInts(shape, outside), value, x)
}
