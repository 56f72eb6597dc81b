package onnxload

import "math"

// coordinate is where in axis k, of n elements, element i of the result lies.
func (r *resizing) coordinate(i, k, n int) float64 {
	x, scale, length := float64(i), r.scales[k], float64(n)
	made := scale * length // before it was rounded
	switch r.coordinates {
	case "align_corners":
		if made == 1 {
			return 0
		}
		return x * (length - 1) / (made - 1)
	case "asymmetric":
		return x / scale
	case "pytorch_half_pixel":
		if made == 1 {
			return -0.5
		}
	case "half_pixel_symmetric":
		shift := length / 2 * (1 - float64(r.sizes[k])/made)
		return shift + (x+0.5)/scale - 0.5
	case "tf_half_pixel_for_nn":
		return (x + 0.5) / scale
	case "tf_crop_and_resize":
		start, end := r.starts[k], r.ends[k]
		if r.sizes[k] == 1 {
			return 0.5 * (start + end) * (length - 1)
		}
		return start*(length-1) + x*(end-start)*(length-1)/float64(r.sizes[k]-1)
	}
	return (x+0.5)/scale - 0.5
}

// round is the element nearest to a coordinate.
func (r *resizing) round(x float64) int {
	switch r.nearest {
	case "round_prefer_floor":
		return int(math.Ceil(x - 0.5))
	case "round_prefer_ceil":
		return int(math.Floor(x + 0.5))
	case "ceil":
		return int(math.Ceil(x))
	}
	return int(math.Floor(x))
}

// weights is the elements of an axis of length n that make up the value at a
// coordinate, and their shares.
func (r *resizing) weights(x, scale float64, n int) (index []int, weight []float64) {
	reach, kernel := 1.0, func(d float64) float64 { return max(0, 1-math.Abs(d)) }
	if r.mode == "cubic" {
		reach, kernel = 2, r.convolve
	}
	squeeze := 1.0
	if r.antialias {
		squeeze = min(scale, 1)
	}
	base := int(math.Ceil(x)) - 1 // the element before x, or the one before that at x
	first := int(math.Floor(-reach/squeeze)) + 1
	last := 1 - first
	total := 0.0
	for i := base + first; i <= base+last; i++ {
		w := kernel((float64(i) - x) * squeeze)
		if r.excludeOutside && (i < 0 || i >= n) {
			w = 0
		}
		total += w
		index, weight = append(index, min(max(i, 0), n-1)), append(weight, w)
	}
	if r.antialias || r.excludeOutside {
		for i := range weight {
			weight[i] /= total
		}
	}
	return index, weight
}

// convolve is the share of an element at distance d.
func (r *resizing) convolve(d float64) float64 {
	a := r.cubic
	switch d = math.Abs(d); {
	case d <= 1:
		return ((a+2)*d-(a+3))*d*d + 1
	case d < 2:
		return a * (((d-5)*d+8)*d - 4)
	}
	return 0
}
