package kernel

import (
	"math"
	"sync"
	"unsafe"
)

// lap is a run of links in the order in which optimizers have them, none of them
// twice but for Multiply: what one loop can do to an element, as the assembly does
// it. A chain in another order takes several laps.
type lap struct {
	set    linkSet
	links  [linkKinds]Link
	second Link // the Multiply behind Descend
}

// linkSet says what a lap has: a bit for each kind of link, and these.
type linkSet uint32

const (
	again     linkSet = 1 << (linkKinds + iota) // a Multiply behind Descend
	hasS                                        // s is there
	hasT                                        // t is there
	continues                                   // another lap needs the update

	// Every lap has these. Multiply is by 1, and Drop drops nothing, unless the chain
	// has them.
	always linkSet = 1<<Multiply | 1<<Drop
)

// next takes the links of a lap from a chain and returns the others.
func (p *lap) next(links []Link) []Link {
	*p = lap{}
	p.links[Multiply].A = 1
	at := AddWeights
	for i, l := range links {
		switch {
		case l.Kind == End:
			return nil
		case l.Kind == Multiply && at > Multiply && at <= Shrink && p.set&again == 0:
			p.set |= again
			p.second, at = l, Shrink
		case l.Kind < at:
			p.set |= continues
			return links[i:]
		default:
			p.set |= 1 << l.Kind
			p.links[l.Kind], at = l, l.Kind+1
		}
	}
	return nil
}

// lapLen is how many elements are taken through all laps at once.
const lapLen = 4096

// keepAll is a mask that drops nothing.
var keepAll = func() (keep [lapLen]bool) {
	for i := range keep {
		keep[i] = true
	}
	return keep
}()

// laps is what the laps of a block need.
type laps struct {
	lap
	block  Update
	update [lapLen]float32 // what a lap leaves to the next one
}

var spareLaps = sync.Pool{New: func() any { return new(laps) }}

// finish takes the elements from lo on through the chain.
func (u *Update) finish(lo int) {
	p := spareLaps.Get().(*laps)
	for n := len(u.W); lo < n; lo += lapLen {
		p.run(u, lo, min(lo+lapLen, n))
	}
	p.block = Update{}
	spareLaps.Put(p)
}

// run takes elements [lo, hi) of u through its chain.
func (p *laps) run(u *Update, lo, hi int) {
	w := u.W[lo:hi]
	p.block = Update{W: w, Grad: w, S: w, T: w, Out: w} // w in place of what no link reads
	var has linkSet
	if len(u.Grad) > 0 {
		p.block.Grad = u.Grad[lo:hi]
	}
	if len(u.S) > 0 {
		p.block.S, has = u.S[lo:hi], has|hasS
	}
	if len(u.T) > 0 {
		p.block.T, has = u.T[lo:hi], has|hasT
	}
	if len(u.Out) > 0 {
		p.block.Out = u.Out[lo:hi]
	}
	for links := u.Links; links != nil; {
		links = p.next(links)
		p.block.Keep = keepAll[:hi-lo]
		if u.Keep != nil && p.set&(1<<Drop) != 0 {
			p.block.Keep = u.Keep[lo:hi]
		}
		p.set |= has | always
		loop := loops[p.set]
		if loop == nil {
			loop = take[unknown]
		}
		loop(&p.block, &p.lap, p.update[:hi-lo])
		p.block.Grad = p.update[:hi-lo]
	}
}

// loops has take for the laps that rules have most, by set.
var loops = make(map[linkSet]func(u *Update, p *lap, update []float32))

func init() {
	const momentum = 1<<Average | hasS
	const moments = momentum | 1<<AverageSquares | 1<<Normalize | hasT
	endsStep[[always | 1<<Descend]byte]()
	endsStep[[always | 1<<Descend | momentum | 1<<TakeAverage]byte]()
	endsStep[[always | 1<<Descend | momentum | 1<<AddAverage]byte]()
	endsStep[[always | 1<<Descend | moments]byte]()
	endsStep[[always | 1<<Descend | 1<<GatherSquares | 1<<Divide | hasS]byte]()
	endsStep[[always | 1<<Descend | hasS]byte]()
	endsStep[[always | 1<<Descend | hasS | hasT]byte]()
	beginsStep[[always | 1<<Store]byte]()
	beginsStep[[always | 1<<Store | momentum | 1<<TakeAverage]byte]()
	beginsStep[[always | 1<<Store | momentum | 1<<AddAverage]byte]()
	beginsStep[[always | 1<<Store | moments]byte]()
}

// endsStep adds loops for a set, with and without penalties that join the gradient,
// and with and without the proximal step of L1.
func endsStep[Set any]() {
	beginsStep[Set]()
	beginsStep[both[Set, [1 << Shrink]byte]]()
}

// beginsStep adds loops for a set with and without penalties that join the gradient.
func beginsStep[Set any]() {
	addLoop[Set]()
	addLoop[both[Set, [1 << AddWeights]byte]]()
	addLoop[both[Set, [1 << AddSigns]byte]]()
	addLoop[both[Set, [1<<AddWeights | 1<<AddSigns]byte]]()
}

func addLoop[Set any]() { loops[sizeOf[Set]()] = take[Set] }

// both is as large as A and B together.
type both[A, B any] struct {
	_ A
	_ B
}

// unknown stands for the set of the lap.
type unknown struct{}

// sizeOf is the set that a type stands for: that of its size.
func sizeOf[Set any]() linkSet { return linkSet(unsafe.Sizeof(*(*Set)(nil))) }

// take takes all elements through p, one by one. Each link is a line or two here, and
// a chain has only some of them. Which ones, a type says: for each type the compiler
// makes a loop of its own, so it knows the set and leaves out what is not in it, and
// the loop does in the time of one written by hand what that would do. Of type unknown
// there is a loop for all other sets, which finds out at each element.
//
// Products are rounded explicitly, or some compilers would fuse them with the sum.
func take[Set any](u *Update, p *lap, update []float32) {
	has := sizeOf[Set]()
	if has == 0 {
		has = p.set
	}
	w := u.W
	grad, keep, out := u.Grad[:len(w)], u.Keep[:len(w)], u.Out[:len(w)]
	s, t := u.S[:len(w)], u.T[:len(w)]
	update = update[:len(w)]
	weight, sign, factor := p.links[AddWeights].A, math.Float32bits(p.links[AddSigns].A), p.links[Multiply].A
	sOld, sNew := p.links[Average].A, p.links[Average].B
	tOld, tNew := p.links[AverageSquares].A, p.links[AverageSquares].B
	mOld, mNew := p.links[GatherSquares].A, p.links[GatherSquares].B
	ahead, eps, small := p.links[AddAverage].A, p.links[Normalize].A, p.links[Divide].A
	rate, second, by := p.links[Descend].A, p.second.A, p.links[Shrink].A
	for i, x := range w {
		g, m, v := grad[i], s[i], t[i]
		if has&(1<<AddWeights) != 0 {
			g += float32(weight * x)
		}
		if has&(1<<AddSigns) != 0 {
			g += signed(sign, x)
		}
		x = float32(factor * x)
		if has&(1<<Average) != 0 {
			m = float32(sOld*m) + float32(sNew*g)
		}
		if has&(1<<AverageSquares) != 0 {
			v = float32(tOld*v) + float32(float32(tNew*g)*g)
		}
		if has&(1<<GatherSquares) != 0 {
			m = float32(mOld*m) + float32(float32(mNew*g)*g)
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
		if has&(1<<Divide) != 0 {
			g /= float32(math.Sqrt(float64(m))) + small
		}
		if has&(1<<Descend) != 0 {
			x -= float32(rate * g)
		}
		if has&again != 0 {
			x = float32(second * x)
		}
		if has&(1<<Shrink) != 0 {
			x = shrunk(x, by)
		}
		live := all(keep[i])
		w[i] = masked(x, live)
		if has&hasS != 0 {
			s[i] = masked(m, live)
		}
		if has&hasT != 0 {
			t[i] = masked(v, live)
		}
		if has&(1<<Store) != 0 {
			out[i] = g
		}
		if has&continues != 0 {
			update[i] = g
		}
	}
}

// The sign of a weight is as good as random, and a branch on it is mispredicted
// half of the time; so the following do without.

// signed has the bits of size and the sign of x, or is 0 if x is.
func signed(size uint32, x float32) float32 {
	bits := math.Float32bits(x)
	size |= bits & negZero
	if bits&^negZero == 0 {
		size = 0
	}
	return math.Float32frombits(size)
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
