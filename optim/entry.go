package optim

import (
	"math"

	"finetune/internal/kernel"
)

// The loop of a rule meets each element with enter, and leaves it with only:
//
//	for i := range w {
//		x, g := k.enter(w[i], u[i])
//		live := all(keep[i])
//		… the formula, which makes x, m and v of x, g, m[i] and v[i] …
//		w[i], m[i], v[i] = only(x, live), only(m, live), only(v, live)
//	}

// entry is what befalls an element before a rule sees it.
type entry struct {
	// u ← u + λw
	hasL2 bool
	l2    float32
	// u ← u + λ·sign(w), by its bits: of λ, of what it takes from w, and where w is 0.
	// Without L1 it adds −0, which leaves everything as it is.
	l1, sign, zero uint32
	// w ← cw
	decay float32
}

// nothing is the entry that changes nothing.
var nothing = entry{l1: signBit, zero: signBit, decay: 1}

// entryOf is what links do that [Optimizer.couple] and decay make.
func entryOf(links []kernel.Link) entry {
	e := nothing
	for _, l := range links {
		switch l.Kind {
		case kernel.AddWeights:
			e.l2, e.hasL2 = l.A, true
		case kernel.AddSigns:
			e.l1, e.sign, e.zero = math.Float32bits(l.A), signBit, 0
		case kernel.Multiply:
			e.decay = l.A
		default:
			panic("optim: a rule behind a link that it cannot take over")
		}
	}
	return e
}

// enter returns a weight after decay, and its gradient with the penalties.
func (e *entry) enter(w, u float32) (x, g float32) {
	if e.hasL2 {
		u += float32(e.l2 * w)
	}
	bits, zero := math.Float32bits(w), e.zero
	l1 := e.l1 | bits&e.sign
	if bits&^signBit == 0 {
		l1 = zero
	}
	return float32(e.decay * w), u + math.Float32frombits(l1)
}

// only is x where live is all(true), and 0 where it is all(false).
func only(x float32, live uint32) float32 { return math.Float32frombits(math.Float32bits(x) & live) }
