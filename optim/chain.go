package optim

import (
	"sync"

	"finetune/internal/kernel"
)

// A step is a chain of small links: each is a formula with its coefficients for that
// step, and changes the weights, the update or what is remembered. A task takes a run
// of a parameter through the chain block by block, and a block stays in the fastest
// cache until it is through. So main memory is passed once per step, as by a loop that
// does everything at once, and each formula is written, read and tested by itself.
//
// There are two kinds of link. Those that many rules share are operations of package
// kernel, which does a whole run of them in one loop, in registers. The others are
// loops in the file of their rule. The loop of a rule does by itself what nearly every
// chain has before it and behind it: see entry.go. Both kinds round every product to
// float32.

// taskLen is how many elements one task of the thread pool takes. It depends on
// nothing, so neither do the results.
const taskLen = 16 << 10

// blockLen is how many elements a loop gets: with all that a rule keeps of them,
// they fill about half of a 32 KiB cache.
const blockLen = 1 << 10

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

// loop is a link in plain Go. It changes w, u and slots of the block, element by
// element, with coefficients k.
type loop func(b *block, k *factors)

// factors are the coefficients of a loop at one step.
type factors struct {
	lr           float32
	mu           float32 // memory of the momentum
	beta1, rest1 float32 // memory of the mean, and 1 − that
	beta2, rest2 float32 // memory of the mean square, and 1 − that
	eps          float32
	low, high    float32 // limits of something
	slot         int
	entry
}

// chain is what one stage of a step does to a tensor.
type chain struct {
	links  []kernel.Link // of all pieces, those of each ended by kernel.End
	pieces []piece
}

// piece is a loop, or a run of links of the kernel.
type piece struct {
	loop   loop
	k      factors
	masks  bool // it is the loop of a rule, which leaves nothing but 0 where the mask is false
	lo, hi int  // of chain.links
}

// add appends links of the kernel.
func (c *chain) add(links ...kernel.Link) {
	if n := len(c.pieces); n == 0 || c.pieces[n-1].loop != nil {
		c.pieces = append(c.pieces, piece{lo: len(c.links)})
	}
	c.links = append(c.links, links...)
}

// each appends a loop.
func (c *chain) each(f loop, k factors) {
	c.end(true)
	c.pieces = append(c.pieces, piece{loop: f, k: k})
}

// rule appends the loop of a rule in the last stage of a step. The loop only reads u,
// meets elements with enter and leaves them with only: so it does what the links right
// before it would, which are taken back, and leaves nothing to the mask. Passes of
// their own would cost plain Go more than the formula of the rule.
func (c *chain) rule(f loop, k factors) {
	k.entry = nothing
	if n := len(c.pieces); n > 0 && c.pieces[n-1].loop == nil {
		lo := c.pieces[n-1].lo
		k.entry = entryOf(c.links[lo:])
		c.links, c.pieces = c.links[:lo], c.pieces[:n-1]
	}
	c.pieces = append(c.pieces, piece{loop: f, k: k, masks: true})
}

// masked reports whether the chain ends with what leaves nothing to the mask.
func (c *chain) masked() bool {
	n := len(c.pieces)
	return n > 0 && c.pieces[n-1].masks
}

// end ends the run of links that the chain may end with. store says whether
// something comes after that needs the update.
func (c *chain) end(store bool) {
	n := len(c.pieces)
	if n == 0 || c.pieces[n-1].loop != nil {
		return
	}
	if store {
		c.links = append(c.links, kernel.Link{Kind: kernel.Store})
	}
	c.links = append(c.links, kernel.Link{Kind: kernel.End})
	c.pieces[n-1].hi = len(c.links)
}

// hasLoops reports whether the chain is more than one run of links.
func (c *chain) hasLoops() bool {
	return len(c.pieces) > 1 || len(c.pieces) == 1 && c.pieces[0].loop != nil
}

func (c *chain) reset() { c.links, c.pieces = c.links[:0], c.pieces[:0] }

// needsMoments reports whether one of links reads or writes slots.
func needsMoments(links []kernel.Link) bool {
	for _, l := range links {
		switch l.Kind {
		case kernel.Average, kernel.AverageSquares, kernel.TakeAverage, kernel.AddAverage, kernel.Normalize, kernel.Drop:
			return true
		}
	}
	return false
}

// task is a run of one parameter's elements, [lo, hi), at most taskLen long.
type task struct {
	x      *tensor
	lo, hi int
	update kernel.Update
	block  block
}

// noMask is the mask of a block of a parameter that has none.
var noMask = func() (keep [blockLen]bool) {
	for i := range keep {
		keep[i] = true
	}
	return keep
}()

var spareBlocks = sync.Pool{New: func() any { return new([blockLen]float32) }}

// run takes the elements of the task through the chain of their tensor.
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
