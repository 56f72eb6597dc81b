package optim

import "finetune/internal/kernel"

// A step is a chain of small links: each is a formula with its coefficients for that
// step, and changes the weights, the update or what is remembered. Elements go through
// the chain block by block (task.go), and a block stays in the fastest cache until it
// is through. So main memory is passed once per step, as by a loop that does everything
// at once, and each formula is written, read and tested by itself.
//
// There are two kinds of link. Those that many rules share are operations of package
// kernel, which does a whole run of them in one loop, in registers. The others are
// loops in the file of their rule. The loop of a rule does by itself what nearly every
// chain has before it and behind it: see entry.go. Both kinds round every product to
// float32.

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
