package kernel

// The functions here are what a Zip runs.

// PRelu is x where x >= 0, otherwise slope·x.
func PRelu(out, x, slope []float32) {
	x, slope = x[:len(out)], slope[:len(out)]
	for i, v := range x {
		if v < 0 {
			v *= slope[i]
		}
		out[i] = v
	}
}

// PReluSlope is the derivative of PRelu with respect to x.
func PReluSlope(out, x, slope []float32) {
	x, slope = x[:len(out)], slope[:len(out)]
	for i, v := range x {
		d := float32(1)
		if v < 0 {
			d = slope[i]
		}
		out[i] = d
	}
}

// PReluNegative is the derivative of PRelu with respect to the slope: x where it
// is negative, otherwise 0.
func PReluNegative(out, x, _ []float32) {
	x = x[:len(out)]
	for i, v := range x {
		out[i] = min(v, 0)
	}
}
