package kernel

import "math"

// exp is e to the x within 2 units in the last place. x is taken apart as
// k·ln 2 + r with |r| <= ln 2/2, where eight terms of the Taylor series are
// closer to e to the r than float32 can tell.
func exp(x float32) float32 {
	if !(x > -87 && x < 88) { // subnormal, infinite or NaN
		return float32(math.Exp(float64(x)))
	}
	const (
		round = 3 << 22       // adding it leaves no bits for a fraction
		ln2hi = 355.0 / 512.0 // exact, and so is its product with k
		ln2lo = math.Ln2 - ln2hi
	)
	shifted := float32(x*math.Log2E) + round
	k := shifted - round
	r := x - float32(k*ln2hi) - float32(k*ln2lo)
	return (1 + expm1Near0(r)) * math.Float32frombits(uint32(int32(k)+127)<<23)
}

// expm1Near0 is e to the r, less 1, where |r| <= ln 2/2.
func expm1Near0(r float32) float32 {
	return r * (1 + r*(1.0/2+r*(1.0/6+r*(1.0/24+r*(1.0/120+r*(1.0/720+r*(1.0/5040)))))))
}

// tanhOf is the hyperbolic tangent. With e = exp(2|x|) - 1, tanh |x| is e/(e+2).
func tanhOf(x float32) float32 {
	b := math.Float32bits(x)
	t := min(2*math.Float32frombits(b&^negZero), 40) // 1 from there on
	var e float32
	if t < math.Ln2/2 {
		e = expm1Near0(t)
	} else {
		e = exp(t) - 1
	}
	return math.Float32frombits(math.Float32bits(e/(e+2)) | b&negZero)
}

// erfOf is the error function: x·P(x²)/Q(x²), of which the coefficients have the
// least relative error for their number, 1.9e-8, up to where it rounds to 1.
func erfOf(x float32) float32 {
	x = min(max(x, -3.93), 3.93)
	s := x * x
	p := 1.12837914554 + s*(0.190772947556+s*(0.0527886428461+s*(0.0037790882132+s*(0.000284788102222+s*2.04193993142e-6))))
	q := 1 + s*(0.502400845279+s*(0.114252840267+s*(0.0149963984734+s*(0.00116507007012+s*3.80026803569e-5))))
	return min(max(x*p/q, -1), 1)
}
