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
	hasL2 bool
	l2    float32 // u ← u + λw; without, the sign of a zero would not survive a λ of 0
	l1    uint32  // the bits of λ: u ← u + λ·sign(w)
	decay float32 // and then w ← cw
}

// entryOf is what links do that [Optimizer.couple] and decay make.
func entryOf(links []kernel.Link) entry {
	e := entry{decay: 1}
	for _, l := range links {
		switch l.Kind {
		case kernel.AddWeights:
			e.l2, e.hasL2 = l.A, true
		case kernel.AddSigns:
			e.l1 = math.Float32bits(l.A)
		case kernel.Multiply:
			e.decay = l.A
		default:
			panic("optim: a rule behind a link that it cannot take over")
		}
	}
	return e
}

// enter returns a weight after decay, and its gradient with the penalties.
func (e entry) enter(w, u float32) (x, g float32) {
	if e.hasL2 {
		u += float32(e.l2 * w)
	}
	if e.l1 != 0 {
		u += signed(e.l1, w)
	}
	return float32(e.decay * w), u
}

// only is x where live is all(true), and 0 where it is all(false).
func only(x float32, live uint32) float32 { return math.Float32frombits(math.Float32bits(x) & live) }
