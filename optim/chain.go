package optim

import "finetune/internal/kernel"

// An optimizer is a chain of small links, each a formula with coefficients for
// one step. The kernel takes a few elements through the whole chain before it
// turns to the next, so main memory is passed once per step, as a loop that does
// everything at once would.

// taskLen is how many elements one task of the thread pool takes. It depends on
// nothing, so neither do the results.
const taskLen = 16 << 10

// maxSlots is the most state that a rule keeps per element.
const maxSlots = 2

// chain appends what one step does to a group. lr is its learning rate at this
// step, which is counted from 1.
func (o *Optimizer) chain(c []kernel.Link, h Hyper, lr float64, step int) []kernel.Link {
	if h.L2 != 0 {
		c = append(c, addL2(h.L2))
	}
	if h.L1 != 0 && o.cfg.L1Mode != Proximal {
		c = append(c, addL1(h.L1))
	}
	decay := 1 - float64(lr*h.WeightDecay)
	if o.cfg.DecayMode == Absolute {
		decay = 1 - h.WeightDecay
	}
	if decay != 1 && o.rule.decayFirst {
		c = append(c, shrink(decay))
	}
	c = o.rule.update(c, h, lr, step)
	if decay != 1 && !o.rule.decayFirst {
		c = append(c, shrink(decay))
	}
	if h.L1 != 0 && o.cfg.L1Mode == Proximal {
		c = append(c, softThreshold(lr*h.L1))
	}
	return append(c, applyMask(), end)
}

// end ends every chain.
var end = kernel.Link{Kind: kernel.End}

// descend ends every rule: w ← w − ηu.
func descend(lr float64) kernel.Link { return kernel.Link{Kind: kernel.Descend, A: float32(lr)} }
