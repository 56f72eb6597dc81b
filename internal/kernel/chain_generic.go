package kernel

import "math"

// lap is a run of links in the order in which optimizers have them, none of them
// twice but for Multiply: what one loop can do to an element, as the assembly does
// it. A chain in another order takes several laps.
type lap struct {
	has    uint32 // a bit for each kind of link, and one for a second Multiply
	links  [linkKinds]Link
	second Link
}

const (
	multiplyAgain = 1 << linkKinds
	keepUpdate    = 2 << linkKinds // there are more laps
)

// next takes the links of a lap from a chain and returns the others.
func (p *lap) next(links []Link) []Link {
	*p = lap{}
	at := AddWeights
	for i, l := range links {
		switch {
		case l.Kind == End:
			return nil
		case l.Kind == Multiply && at > Multiply && at <= Shrink && p.has&multiplyAgain == 0:
			p.has |= multiplyAgain
			p.second, at = l, Shrink
		case l.Kind < at:
			p.has |= keepUpdate
			return links[i:]
		default:
			p.has |= 1 << l.Kind
			p.links[l.Kind], at = l, l.Kind+1
		}
	}
	return nil
}

// lapLen is how many elements are taken through all laps at once.
const lapLen = 1024

// finish takes the elements from lo on through the chain.
func (u *Update) finish(lo int) {
	// What is not there is read and written here instead.
	var own, noGrad, noS, noT, noOut [lapLen]float32
	var noKeep [lapLen]bool
	for n := len(u.W); lo < n; lo += lapLen {
		hi := min(lo+lapLen, n)
		b := Update{W: u.W[lo:hi], Grad: noGrad[:hi-lo], S: noS[:hi-lo], T: noT[:hi-lo], Keep: noKeep[:hi-lo], Out: noOut[:hi-lo]}
		if len(u.Grad) > 0 {
			b.Grad = u.Grad[lo:hi]
		}
		if len(u.S) > 0 {
			b.S = u.S[lo:hi]
		}
		if len(u.T) > 0 {
			b.T = u.T[lo:hi]
		}
		if u.Keep != nil {
			b.Keep = u.Keep[lo:hi]
		}
		if len(u.Out) > 0 {
			b.Out = u.Out[lo:hi]
		}
		var p lap
		for links := u.Links; links != nil; {
			links = p.next(links)
			if u.Keep == nil {
				p.has &^= 1 << Drop
			}
			if p.adaptive() {
				b.adaptiveLap(&p)
			} else {
				b.lap(&p, own[:hi-lo])
			}
			b.Grad = own[:hi-lo]
		}
	}
}

// lap takes all elements through p, one by one. The conditions are the same for
// all of them, so that they cost little beside the root and the quotient. Products
// are rounded explicitly, or some compilers would fuse them with the sum.
func (u *Update) lap(p *lap, own []float32) {
	w := u.W
	grad, s, t, keep, out := u.Grad[:len(w)], u.S[:len(w)], u.T[:len(w)], u.Keep[:len(w)], u.Out[:len(w)]
	own = own[:len(w)]
	has := p.has
	weight, sign, factor := p.links[AddWeights].A, math.Float32bits(p.links[AddSigns].A), p.links[Multiply].A
	sOld, sNew := p.links[Average].A, p.links[Average].B
	tOld, tNew := p.links[AverageSquares].A, p.links[AverageSquares].B
	ahead, eps := p.links[AddAverage].A, p.links[Normalize].A
	rate, second, by := p.links[Descend].A, p.second.A, p.links[Shrink].A
	for i, x := range w {
		g, m, v := grad[i], s[i], t[i]
		if has&(1<<AddWeights) != 0 {
			g += float32(weight * x)
		}
		if has&(1<<AddSigns) != 0 {
			g += signed(sign, x)
		}
		if has&(1<<Multiply) != 0 {
			x *= factor
		}
		if has&(1<<Average) != 0 {
			m = float32(sOld*m) + float32(sNew*g)
		}
		if has&(1<<AverageSquares) != 0 {
			v = float32(tOld*v) + float32(float32(tNew*g)*g)
		}
		if has&(1<<TakeAverage) != 0 {
			g = m
		}
		if has&(1<<AddAverage) != 0 {
			g += float32(ahead * m)
		}
		if has&(1<<Normalize) != 0 {
			g = m / (float32(math.Sqrt(float64(v))) + eps)
		}
		if has&(1<<Descend) != 0 {
			x -= float32(rate * g)
		}
		if has&multiplyAgain != 0 {
			x *= second
		}
		if has&(1<<Shrink) != 0 {
			x = shrunk(x, by)
		}
		if has&(1<<Drop) != 0 {
			live := all(keep[i])
			x, m, v = masked(x, live), masked(m, live), masked(v, live)
		}
		w[i], s[i], t[i] = x, m, v
		if has&(1<<Store) != 0 {
			out[i] = g
		}
		if has&keepUpdate != 0 {
			own[i] = g
		}
	}
}

// allKept is a mask that drops nothing.
var allKept = func() (keep [lapLen]bool) {
	for i := range keep {
		keep[i] = true
	}
	return keep
}()

// adaptive reports whether the lap is Adam's, which adaptiveLap is made for.
func (p *lap) adaptive() bool {
	const core = 1<<Average | 1<<AverageSquares | 1<<Normalize | 1<<Descend
	const other = 1<<TakeAverage | 1<<AddAverage | 1<<Store | multiplyAgain | keepUpdate
	return p.has&core == core && p.has&other == 0
}

// adaptiveLap is lap for Adam's, with fewer conditions: it does in about the time
// of a loop written for one chain what that would do.
func (u *Update) adaptiveLap(p *lap) {
	w := u.W
	grad, s, t, keep := u.Grad[:len(w)], u.S[:len(w)], u.T[:len(w)], u.Keep[:len(w)]
	if p.has&(1<<Drop) == 0 {
		keep = allKept[:len(w)]
	}
	addWeights, addSigns := p.has&(1<<AddWeights) != 0, p.has&(1<<AddSigns) != 0
	shrinks := p.has&(1<<Shrink) != 0
	weight, sign := p.links[AddWeights].A, math.Float32bits(p.links[AddSigns].A)
	sOld, sNew := p.links[Average].A, p.links[Average].B
	tOld, tNew := p.links[AverageSquares].A, p.links[AverageSquares].B
	eps, rate, by := p.links[Normalize].A, p.links[Descend].A, p.links[Shrink].A
	factor := float32(1)
	if p.has&(1<<Multiply) != 0 {
		factor = p.links[Multiply].A
	}
	for i, x := range w {
		g := grad[i]
		if addWeights {
			g += float32(weight * x)
		}
		if addSigns {
			g += signed(sign, x)
		}
		m := float32(sOld*s[i]) + float32(sNew*g)
		v := float32(tOld*t[i]) + float32(float32(tNew*g)*g)
		x = float32(factor*x) - float32(rate*(m/(float32(math.Sqrt(float64(v)))+eps)))
		if shrinks {
			x = shrunk(x, by)
		}
		live := all(keep[i])
		w[i], s[i], t[i] = masked(x, live), masked(m, live), masked(v, live)
	}
}

// The sign of a weight is as good as random, and a branch on it is mispredicted
// half of the time; so the following do without.

// signed is a number of so many bits with the sign of x, or 0 if x is.
func signed(size uint32, x float32) float32 {
	bits := math.Float32bits(x)
	return math.Float32frombits((size | bits&negZero) & all(bits&^negZero != 0))
}

// shrunk is x pulled towards 0 by a; it stops there.
func shrunk(x, a float32) float32 {
	bits := math.Float32bits(x)
	left := math.Float32bits(math.Float32frombits(bits&^negZero) - a)
	left &^= uint32(int32(left) >> 31) // 0 where negative
	return math.Float32frombits(left | bits&negZero&all(left != 0))
}

// all is all bits if b is true, else none.
func all(b bool) uint32 {
	var one uint32
	if b {
		one = 1
	}
	return -one
}

func masked(x float32, bits uint32) float32 {
	return math.Float32frombits(math.Float32bits(x) & bits)
}
