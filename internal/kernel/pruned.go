package kernel

import "sync/atomic"

// Pruned says which weights are zero and will stay so, as those are that a mask
// has emptied. Products leave them out where that takes less time.
//
// Lists of what is left are made at the first use after Set, and cost some bytes
// for each weight that is not zero. Weights that became zero since then do no
// harm but take their time; none may come back without Set.
type Pruned struct {
	keep    []bool // false where zero; nil where nothing is known
	kept    int
	version int64 // of all there have been
}

var prunedVersions atomic.Int64

// Set says that the weights are zero where keep is false; nil is nowhere. The
// slice is kept.
func (z *Pruned) Set(keep []bool) {
	z.keep, z.kept = keep, len(keep)-CountFalse(keep)
	z.version = prunedVersions.Add(1)
}

// SetZeros says that the weights are zero where w is, and stay so: nobody trains
// them. Few zeros are not worth the memory, and are not noted.
func (z *Pruned) SetZeros(w []float32) {
	zeros := 0
	for _, v := range w {
		if v == 0 {
			zeros++
		}
	}
	if 2*zeros < len(w) {
		z.Set(nil)
		return
	}
	keep := make([]bool, len(w))
	for i, v := range w {
		keep[i] = v != 0
	}
	z.Set(keep)
}

// Known reports whether any weight is known to be zero.
func (z *Pruned) Known() bool { return z != nil && z.kept < len(z.keep) }

// share is that of the weights that are not zero.
func (z *Pruned) share() float64 { return float64(z.kept) / float64(len(z.keep)) }

// Clear makes x zero where weights are: x is a gradient of them.
func (z *Pruned) Clear(x []float32) {
	if z.Known() {
		prunedClear.do(len(x), chunk, prunedArgs{z.keep, x})
	}
}

type prunedArgs struct {
	keep []bool
	x    []float32
}

var prunedClear = split(func(a *prunedArgs, lo, hi int) {
	u := prunedUpdates.get()
	*u = Update{Links: dropLinks, W: a.x[lo:hi], Keep: a.keep[lo:hi]}
	u.Run()
	*u = Update{} // a resting one must not keep buffers alive
	prunedUpdates.put(u)
})

var prunedUpdates freeList[Update]

var dropLinks = []Link{{Kind: Drop}, {Kind: End}}
