package kernel

import "math"

// Draws is a stream of random numbers that follows from seed, step and place
// alone, so that work may be split anywhere.
type Draws struct{ key uint64 }

// NewDraws is the stream of a seed at a training step.
func NewDraws(seed, step uint64) Draws { return Draws{mix(mix(seed^weyl) + step)} }

// Uniform is draw i, in [0, 1).
func (d Draws) Uniform(i int) float64 {
	return float64(mix(d.key+uint64(i)*weyl)>>11) / (1 << 53)
}

// Normal is draw i of mean 0 and variance 1 (Box and Muller, "A Note on the
// Generation of Random Normal Deviates", 1958). It takes the place of two
// uniform draws, 2i and 2i + 1.
func (d Draws) Normal(i int) float64 {
	radius := math.Sqrt(-2 * math.Log1p(-d.Uniform(2*i)))
	return radius * math.Cos(2*math.Pi*d.Uniform(2*i+1))
}
