package op

import (
	"math"

	"finetune/internal/kernel"
)

// fuseNorm makes one operation of a product and batch normalisation with given
// statistics: the weights are scaled anew in each run, since they may be trained,
// and a bias takes the place of mean and shift. That needs no pass over the
// results, and leaves room for what follows.
func fuseNorm(first, next *Op, eps float32) *Op {
	f := first.finish
	bias := 0
	switch {
	case !f.scales() || len(f.done) > 1:
		return nil
	case len(f.done) == 1:
		if f.done[0].part != addBias || !f.done[0].row {
			return nil
		}
		bias = f.done[0].input
	}
	at := first.Inputs // scale, shift, mean and variance
	own := Call{In: make([]Buffer, first.Inputs)}
	run, weights := f.run, f.weights
	fused := *first
	fused.Name = first.Name + "+" + next.Name
	fused.Inputs = first.Inputs + next.Inputs - 1
	fused.Flops = first.Flops + next.Flops

	g := *f
	g.weights = 0
	g.rows = -1 // taken
	g.from = addSame
	g.done = nil
	g.run = func(c *Call, then kernel.Epilogue) error {
		scale, shift, mean, variance := c.In[at].F, c.In[at+1].F, c.In[at+2].F, c.In[at+3].F
		rows := len(scale)
		all := c.Scratch[fused.Scratch-weights-2*rows:]
		w, factors, offsets := all[:weights], all[weights:][:rows], all[weights+rows:][:rows]
		for i := range factors {
			factors[i] = float32(float64(scale[i]) / math.Sqrt(float64(variance[i])+float64(eps)))
			from := -mean[i]
			if bias > 0 {
				from += c.In[bias].F[i]
			}
			offsets[i] = float32(from*factors[i]) + shift[i]
		}
		kernel.ScaleRows(w, c.In[1].F, factors)
		own.Out, own.Scratch = c.Out, c.Scratch
		copy(own.In, c.In)
		own.In[1].F = w
		then.Row = offsets
		return run(&own, then)
	}
	rows := next.Shape[1]
	fused.Scratch = first.Scratch + weights + 2*rows
	fused.finishing(g)
	return &fused
}
