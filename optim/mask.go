package optim

import "math"

// applyMask keeps what is pruned at zero: w ← 0 and every slot ← 0 where the
// mask is false, so that no momentum brings a weight back.
type applyMask struct{}

func (applyMask) apply(b *block) {
	if b.mask == nil {
		return
	}
	clear0(b.w, b.mask)
	for _, slot := range b.slot {
		if slot != nil {
			clear0(slot, b.mask)
		}
	}
}

// clear0 zeroes x where keep is false, without a branch and whatever x holds.
func clear0(x []float32, keep []bool) {
	keep = keep[:len(x)]
	for i, v := range x {
		bits := math.Float32bits(v)
		if !keep[i] {
			bits = 0
		}
		x[i] = math.Float32frombits(bits)
	}
}

// ApplyMask sets the pruned weights of p to zero. Steps do it by themselves; it
// is for whoever writes Value in another way.
func (p *Param) ApplyMask() {
	if p.Mask != nil {
		clear0(p.Value, p.Mask)
	}
}

// kept is Mask[i] of a parameter that may have no mask.
func (p *Param) kept(i int) bool { return p.Mask == nil || p.Mask[i] }

// prune zeroes weight i for good.
func (p *Param) prune(i int) {
	if p.Mask == nil {
		p.Mask = make([]bool, len(p.Value))
		for j := range p.Mask {
			p.Mask[j] = true
		}
	}
	p.Mask[i] = false
	p.Value[i] = 0
}
