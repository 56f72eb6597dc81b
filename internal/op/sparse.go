package op

import (
	"sync"

	"finetune/internal/kernel"
)

// Pruned says which weights are zero and stay so. A leaf or a gradient is bound to
// a Buffer with one; operations on it then leave out what is zero where that takes
// less time, and gradients are zero where weights are.
type Pruned = kernel.Pruned

// multiply runs a product that is no batch. It may leave out zeros of the second
// operand, or of the result if that is a gradient.
func (p product) multiply() func(c *Call, then kernel.Epilogue) error {
	product := sync.OnceValues(func() (*kernel.SparseProduct, *kernel.CompactProduct) {
		return kernel.NewSparseProduct(p.m, p.n, p.k, p.transB), kernel.NewCompactProduct(p.m, p.n, p.k, p.transB)
	})
	gradient := sync.OnceValues(func() (*kernel.SparseGradient, *kernel.CompactGradient) {
		return kernel.NewSparseGradient(p.m, p.n, p.k), kernel.NewCompactGradient(p.m, p.n, p.k)
	})
	return func(c *Call, then kernel.Epilogue) error {
		x, y, out := c.In[0].F, c.In[1].F, c.Out.F
		if z := c.In[1].Pruned; z.Known() && !p.transA && p.alpha == 1 {
			sparse, compact := product()
			switch cheapest(sparse.Cost(z), compact.Cost(z)) {
			case bySparse:
				sparse.Run(x, y, out, z, then)
				return nil
			case byCompact:
				compact.Run(x, y, out, z, then)
				return nil
			}
		}
		if z := c.Out.Pruned; z.Known() && p.transA && !p.transB && p.alpha == 1 && then.Empty() {
			sparse, compact := gradient()
			switch cheapest(sparse.Cost(z), compact.Cost(z)) {
			case bySparse:
				sparse.Run(x, y, out, z)
				return nil
			case byCompact:
				compact.Run(x, y, out, z)
				return nil
			}
		}
		p.run(c, then)
		c.Out.Pruned.Clear(out)
		return nil
	}
}

// way is how to compute with pruned weights.
type way int

const (
	byDense   way = iota // as with all others
	bySparse             // one by one
	byCompact            // without rows, columns and channels that are all zero
)

// cheapest chooses by the times they take as shares of that of the dense way.
func cheapest(sparse, compact float64) way {
	switch {
	case min(sparse, compact) >= 1:
		return byDense
	case sparse <= compact:
		return bySparse
	}
	return byCompact
}

// prunedConv is a convolution that may leave out zeros of its weights.
type prunedConv struct {
	*kernel.Conv
	sparse  func() *kernel.SparseConv
	compact [3]func() *kernel.CompactConv // for each function, which may run at once
}

func newPrunedConv(n, c, m, groups int, w kernel.Window) *prunedConv {
	conv := kernel.NewConv(n, c, m, groups, w)
	p := &prunedConv{Conv: conv}
	p.sparse = sync.OnceValue(func() *kernel.SparseConv { return kernel.NewSparseConv(conv) })
	for i := range p.compact {
		p.compact[i] = sync.OnceValue(func() *kernel.CompactConv { return kernel.NewCompactConv(conv) })
	}
	return p
}

func (p *prunedConv) forward(c *Call, then kernel.Epilogue) error {
	x, w, y := c.In[0].F, c.In[1].F, c.Out.F
	if z := c.In[1].Pruned; z.Known() {
		sparse, compact := p.sparse(), p.compact[0]()
		switch cheapest(sparse.ForwardCost(z), compact.Cost(z)) {
		case bySparse:
			sparse.Forward(x, w, y, z, then)
			return nil
		case byCompact:
			compact.Forward(x, w, y, then)
			return nil
		}
	}
	p.Forward(x, w, y, then)
	return nil
}

func (p *prunedConv) backwardData(c *Call, then kernel.Epilogue) error {
	dy, w, dx := c.In[0].F, c.In[1].F, c.Out.F
	if z := c.In[1].Pruned; z.Known() {
		sparse, compact := p.sparse(), p.compact[1]()
		switch cheapest(sparse.BackwardDataCost(z), compact.Cost(z)) {
		case bySparse:
			sparse.BackwardData(dy, w, dx, z, then)
			return nil
		case byCompact:
			compact.BackwardData(dy, w, dx, then)
			return nil
		}
	}
	p.BackwardData(dy, w, dx, then)
	return nil
}

func (p *prunedConv) backwardWeights(c *Call) error {
	x, dy, dw := c.In[0].F, c.In[1].F, c.Out.F
	if z := c.Out.Pruned; z.Known() {
		sparse, compact := p.sparse(), p.compact[2]()
		switch cheapest(sparse.BackwardWeightsCost(z), compact.Cost(z)) {
		case bySparse:
			sparse.BackwardWeights(x, dy, dw, z)
			return nil
		case byCompact:
			compact.BackwardWeights(x, dy, dw, z)
			return nil
		}
	}
	p.BackwardWeights(x, dy, dw, c.Scratch)
	c.Out.Pruned.Clear(dw)
	return nil
}
