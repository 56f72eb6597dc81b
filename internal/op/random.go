package op

import (
	"fmt"
	"slices"

	"finetune/internal/kernel"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// The operations here draw random numbers. What they draw follows from seed and
// the step of the Call alone, so every one of a graph needs a seed of its own.
// No gradient flows through them.

// RandomNormal makes a value of the graph of like, whose elements are normal with
// the given mean and deviation.
func RandomNormal(like *G.Node, shape []int, mean, deviation float64, seed uint64) (*G.Node, error) {
	return random("RandomNormal", like, shape, seed, func(d kernel.Draws, i int) float64 { return mean + deviation*d.Normal(i) })
}

// RandomUniform makes a value of the graph of like, whose elements lie in
// [low, high).
func RandomUniform(like *G.Node, shape []int, low, high float64, seed uint64) (*G.Node, error) {
	return random("RandomUniform", like, shape, seed, func(d kernel.Draws, i int) float64 { return low + (high-low)*d.Uniform(i) })
}

func random(name string, like *G.Node, shape []int, seed uint64, draw func(d kernel.Draws, i int) float64) (*G.Node, error) {
	return Compute(name, shape, tensor.Float32, func(c *Call) error {
		d := kernel.NewDraws(seed, c.Step)
		for i := range c.Out.F {
			c.Out.F[i] = float32(draw(d, i))
		}
		return nil
	}, like)
}

// Bernoulli is int64 1 with the probability that the element of p says, else 0.
func Bernoulli(p *G.Node, seed uint64) (*G.Node, error) {
	if err := needFloat("Bernoulli", p); err != nil {
		return nil, err
	}
	return Compute("Bernoulli", p.Shape(), tensor.Int64, func(c *Call) error {
		d := kernel.NewDraws(seed, c.Step)
		for i, p := range c.In[0].F {
			c.Out.I[i] = 0
			if d.Uniform(i) < float64(p) {
				c.Out.I[i] = 1
			}
		}
		return nil
	}, p)
}

// Multinomial draws samples classes for each row of logits (N, C), with
// probabilities in proportion to the exponentials: int64 (N, samples).
func Multinomial(logits *G.Node, samples int, seed uint64) (*G.Node, error) {
	if err := needFloat("Multinomial", logits); err != nil {
		return nil, err
	}
	s := logits.Shape()
	if len(s) != 2 || s[1] == 0 || samples < 0 {
		return nil, fmt.Errorf("Multinomial: %d samples of logits %v, want (N, C)", samples, s)
	}
	rows, classes := s[0], s[1]
	return apply(Op{
		Name: "Multinomial", Shape: tensor.Shape{rows, samples}, Dtype: tensor.Int64, Scratch: classes,
		Run: func(c *Call) error {
			d := kernel.NewDraws(seed, c.Step)
			share := c.Scratch[:classes]
			for r := range rows {
				kernel.Softmax(share, c.In[0].F[r*classes:(r+1)*classes], 1, classes, 1, false)
				for k := range samples {
					left := d.Uniform(r*samples + k)
					at := slices.IndexFunc(share, func(p float32) bool {
						left -= float64(p)
						return left < 0
					})
					if at < 0 { // what rounding left over
						at = classes - 1
					}
					c.Out.I[r*samples+k] = int64(at)
				}
			}
			return nil
		},
	}, logits)
}
