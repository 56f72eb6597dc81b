package optim

import "finetune/internal/kernel"

// applyMask keeps what is pruned at zero: w ← 0 and every slot ← 0 where the
// mask is false, so that no momentum brings a weight back.
func applyMask() kernel.Link { return kernel.Link{Kind: kernel.Drop} }

// ApplyMask sets the pruned weights of p to zero. Steps do it by themselves; it
// is for whoever writes Value in another way.
func (p *Param) ApplyMask() {
	if p.Mask == nil {
		return
	}
	kernel.Parallel((len(p.Value)+taskLen-1)/taskLen, func(i int) {
		lo, hi := i*taskLen, min((i+1)*taskLen, len(p.Value))
		u := kernel.Update{Links: []kernel.Link{applyMask(), {Kind: kernel.End}}, W: p.Value[lo:hi], Keep: p.Mask[lo:hi]}
		u.Run()
	})
}

// kept is Mask[i] of a parameter that may have no mask.
func (p *Param) kept(i int) bool { return p.Mask == nil || p.Mask[i] }

// needMask gives p a mask that keeps everything, if it has none.
func (p *Param) needMask() {
	if p.Mask != nil {
		return
	}
	p.Mask = make([]bool, len(p.Value))
	for i := range p.Mask {
		p.Mask[i] = true
	}
}
