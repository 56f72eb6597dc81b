package optim

import (
	"sync"

	"finetune/internal/kernel"
)

// taskLen is how many elements one task of the thread pool takes. It depends on
// nothing, so neither do the results.
const taskLen = 16 << 10

// blockLen is how many elements a loop gets: with all that a rule keeps of them,
// they fill about half of a 32 KiB cache.
const blockLen = 1 << 10

// task is a run of one parameter's elements, [lo, hi), at most taskLen long.
type task struct {
	x      *tensor
	lo, hi int
	update kernel.Update
	block  block
}

// block is a run of the elements of a parameter on its way through a chain.
type block struct {
	w    []float32 // the weights
	u    []float32 // the update so far: at first the gradient
	keep []bool    // the mask; all true if there is none
	x    *tensor   // whose elements they are
	// lo is the index of the first element in the parameter, for loops that must know.
	lo int
}

// slot is the part of a slot that belongs to the block. This and the next two are cut
// to the length of w where the compiler sees it, so that loops over w check no bounds.
func (b *block) slot(i int) []float32 { return b.x.slots[i][b.lo:][:len(b.w)] }

func (b *block) gradient() []float32 { return b.u[:len(b.w)] }

func (b *block) mask() []bool { return b.keep[:len(b.w)] }

// noMask is the mask of a block of a parameter that has none.
var noMask = func() (keep [blockLen]bool) {
	for i := range keep {
		keep[i] = true
	}
	return keep
}()

var spareBlocks = sync.Pool{New: func() any { return new([blockLen]float32) }}

// run takes the elements of the task through the chain of their tensor: all at once if
// the chain is nothing but links of the kernel, which turn to the next elements by
// themselves, else block by block.
func (t *task) run() {
	x := t.x
	c := &x.chain
	switch {
	case len(c.pieces) == 0:
		return
	case !c.hasLoops():
		out := x.update
		if out != nil {
			out = out[t.lo:t.hi]
		}
		t.vectors(c.links, t.lo, t.hi, x.source[t.lo:t.hi], out)
		return
	}
	own := spareBlocks.Get().(*[blockLen]float32)
	for lo := t.lo; lo < t.hi; lo += blockLen {
		hi := min(lo+blockLen, t.hi)
		b := &t.block
		*b = block{w: x.Value[lo:hi], u: own[:hi-lo], x: x, lo: lo}
		if x.update != nil {
			b.u = x.update[lo:hi]
		}
		if c.pieces[0].masks {
			b.u = x.source[lo:hi] // which a rule only reads
		} else {
			copy(b.u, x.source[lo:hi])
		}
		b.keep = noMask[:hi-lo]
		if x.Mask != nil {
			b.keep = x.Mask[lo:hi]
		}
		for i := range c.pieces {
			if p := &c.pieces[i]; p.loop != nil {
				p.loop(b, &p.k)
			} else {
				t.vectors(c.links[p.lo:p.hi], lo, hi, b.u, b.u)
			}
		}
	}
	spareBlocks.Put(own)
}

// vectors takes elements [lo, hi) through links of the kernel.
func (t *task) vectors(links []kernel.Link, lo, hi int, in, out []float32) {
	x := t.x
	t.update = kernel.Update{Links: links, W: x.Value[lo:hi], Grad: in, Out: out}
	if x.Mask != nil {
		t.update.Keep = x.Mask[lo:hi]
	}
	if needsMoments(links) {
		for i, moment := range []*[]float32{&t.update.S, &t.update.T} {
			if i < len(x.slots) && x.elementwise(i) {
				*moment = x.slots[i][lo:hi]
			}
		}
	}
	t.update.Run()
}

// needsMoments reports whether one of links reads or writes slots.
func needsMoments(links []kernel.Link) bool {
	for _, l := range links {
		switch l.Kind {
		case kernel.Average, kernel.AverageSquares, kernel.GatherSquares, kernel.TakeAverage, kernel.AddAverage,
			kernel.Normalize, kernel.Divide, kernel.Drop:
			return true
		}
	}
	return false
}
