package optim

import "finetune/internal/kernel"

// An optimizer is a chain of small transforms. The driver takes a block of a
// parameter through the whole chain before it turns to the next, so the block
// stays in the L1 cache and main memory is passed once per step, as a loop that
// does everything at once would.

// blockLen is the number of elements in a block: w, u, two slots and the mask
// take 17 bytes each, and 1024 of them fill about half of a 32 KiB L1 cache.
const blockLen = 1024

// taskLen is how many elements one task of the thread pool takes, block by
// block. Like blockLen it depends on nothing, so neither do the results.
const taskLen = 16 * blockLen

// block is a short run of one parameter's elements.
type block struct {
	w    []float32 // the weights
	u    []float32 // the gradient, which the chain turns into the update
	slot [maxSlots][]float32
	mask []bool // nil where nothing is pruned
}

// maxSlots is the most state that a rule keeps per element.
const maxSlots = 2

// transform is one link of a chain. It holds what is the same for all elements
// in one step; what lives longer is in the slots.
type transform interface {
	apply(b *block)
}

// chain lists what one step does to a group. lr is its learning rate at this
// step, which is counted from 1.
func (o *Optimizer) chain(h Hyper, lr float64, step int) []transform {
	var c []transform
	if h.L2 != 0 {
		c = append(c, addL2{float32(h.L2)})
	}
	if h.L1 != 0 && o.cfg.L1Mode != Proximal {
		c = append(c, addL1{float32(h.L1)})
	}
	decay := 1 - float64(lr*h.WeightDecay)
	if o.cfg.DecayMode == Absolute {
		decay = 1 - h.WeightDecay
	}
	if decay != 1 && o.rule.decayFirst {
		c = append(c, shrink{float32(decay)})
	}
	c = o.rule.update(c, h, lr, step)
	if decay != 1 && !o.rule.decayFirst {
		c = append(c, shrink{float32(decay)})
	}
	if h.L1 != 0 && o.cfg.L1Mode == Proximal {
		c = append(c, softThreshold{float32(lr * h.L1)})
	}
	return append(c, applyMask{})
}

// descend ends every rule: w ← w − ηu.
type descend struct{ lr float32 }

func (d descend) apply(b *block) { kernel.AddScaled(b.w, b.u, -d.lr) }
