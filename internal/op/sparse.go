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
	var factor *kernel.SparseProduct
	var gradient *kernel.SparseGradient
	return func(c *Call, then kernel.Epilogue) error {
		if z := c.In[1].Pruned; z.Known() && !p.transA && p.alpha == 1 {
			if factor == nil {
				factor = kernel.NewSparseProduct(p.m, p.n, p.k, p.transB)
			}
			if factor.Pays(z) {
				factor.Run(c.In[0].F, c.In[1].F, c.Out.F, z, then)
				return nil
			}
		}
		if z := c.Out.Pruned; z.Known() && p.transA && !p.transB && p.alpha == 1 {
			if gradient == nil {
				gradient = kernel.NewSparseGradient(p.m, p.n, p.k)
			}
			if gradient.Pays(z, then) {
				gradient.Run(c.In[0].F, c.In[1].F, c.Out.F, z)
				return nil
			}
		}
		p.run(c, then)
		c.Out.Pruned.Clear(c.Out.F)
		return nil
	}
}

// prunedConv is a convolution that may leave out zeros of its weights.
type prunedConv struct {
	*kernel.Conv
	sparse func() *kernel.SparseConv
}

func newPrunedConv(n, c, m, groups int, w kernel.Window) *prunedConv {
	conv := kernel.NewConv(n, c, m, groups, w)
	return &prunedConv{conv, sync.OnceValue(func() *kernel.SparseConv { return kernel.NewSparseConv(conv) })}
}

func (p *prunedConv) forward(c *Call, then kernel.Epilogue) error {
	if z := c.In[1].Pruned; z.Known() && p.sparse().ForwardPays(z) {
		p.sparse().Forward(c.In[0].F, c.In[1].F, c.Out.F, z, then)
	} else {
		p.Forward(c.In[0].F, c.In[1].F, c.Out.F, then)
	}
	return nil
}

func (p *prunedConv) backwardData(c *Call, then kernel.Epilogue) error {
	if z := c.In[1].Pruned; z.Known() && p.sparse().BackwardDataPays(z) {
		p.sparse().BackwardData(c.In[0].F, c.In[1].F, c.Out.F, z, then)
	} else {
		p.BackwardData(c.In[0].F, c.In[1].F, c.Out.F, then)
	}
	return nil
}

func (p *prunedConv) backwardWeights(c *Call) error {
	if z := c.Out.Pruned; z.Known() && p.sparse().BackwardWeightsPays(z) {
		p.sparse().BackwardWeights(c.In[0].F, c.In[1].F, c.Out.F, z)
		return nil
	}
	p.BackwardWeights(c.In[0].F, c.In[1].F, c.Out.F, c.Scratch)
	c.Out.Pruned.Clear(c.Out.F)
	return nil
}
