package optim

import (
	"math"
	"slices"
	"sync"

	"finetune/internal/kernel"
)

const signBit = 1 << 31

// The weights to prune are the k smallest of a ranking: those already pruned
// first, then by |w|, then by position, NaN last. No sort is needed: the bits of
// |w| order as |w| does, so three counting passes over 11, 11 and 10 of them find
// the k-th size, and one more pass prunes everything below it and the first of
// those that are equal. The work is cut into stretches, so that all passes run in
// parallel and none holds a thread for long.

// cut is where a ranking is cut off: what is pruned and every size below size
// goes, and the first ties of the equal ones.
type cut struct {
	size        uint32
	ties, equal int
}

// stretch is a run of weights of the parameter of that index.
type stretch struct {
	param  int
	value  []float32
	mask   []bool
	offset int // of the first weight in the parameter
}

// stretchLen is the most weights in a stretch.
const stretchLen = 1 << 15

// allKept is the mask of a stretch that has none. Nobody writes to it.
var allKept = sync.OnceValue(func() []bool { return slices.Repeat([]bool{true}, stretchLen) })

// cutUp cuts params into stretches.
func cutUp(params []*Param) []stretch {
	var list []stretch
	for i, p := range params {
		for lo := 0; lo < len(p.Value); lo += stretchLen {
			hi := min(lo+stretchLen, len(p.Value))
			s := stretch{i, p.Value[lo:hi], allKept()[:hi-lo], lo}
			if p.Mask != nil {
				s.mask = p.Mask[lo:hi]
			}
			list = append(list, s)
		}
	}
	return list
}

// tasksPer is how many stretches a task counts: the counts of the tasks have to
// be added up, too.
const tasksPer = 8

// bins counts sizes by some of their bits.
type bins [1 << 11]uint32

// smallest finds the cut that takes exactly k weights of params, 0 ≤ k ≤ their
// number. Those that are pruned already are taken first.
func smallest(params []*Param, k int) cut {
	for _, p := range params {
		k -= p.Pruned()
	}
	if k <= 0 {
		return cut{}
	}
	list := cutUp(params)
	tasks := slices.Collect(slices.Chunk(list, tasksPer))
	counts := make([]bins, len(tasks))
	c := cut{ties: k}
	for _, shift := range []uint32{21, 10, 0} {
		kernel.Parallel(len(tasks), func(i int) { counts[i].count(tasks[i], c.size, shift) })
		for i := range counts[1:] {
			for j, n := range counts[1+i] {
				counts[0][j] += n
			}
		}
		var bin int
		bin, c.ties = find(&counts[0], c.ties)
		c.size += uint32(bin) << shift
		c.equal = int(counts[0][bin])
	}
	return c
}

// sizes is room for those of a block of weights.
type sizes [1 << 12]uint32

var spareSizes = sync.Pool{New: func() any { return new(sizes) }}

// count counts the sizes from first on, a bin for each 1<<shift of them.
func (b *bins) count(list []stretch, first, shift uint32) {
	all := uint32(min(len(b)<<shift, signBit))
	// Neighbours go to different bins, so that equal ones need not wait for each
	// other.
	var lanes [4]bins
	room := spareSizes.Get().(*sizes)
	for _, s := range list {
		for lo := 0; lo < len(s.value); lo += len(room) {
			hi := min(lo+len(room), len(s.value))
			n := kernel.PickBetween(room[:hi-lo], s.value[lo:hi], s.mask[lo:hi], first, all)
			for i, size := range room[:n] {
				lanes[i%4][(size-first)>>(shift%32)%uint32(len(b))]++
			}
		}
	}
	spareSizes.Put(room)
	for i := range b {
		b[i] = lanes[0][i] + lanes[1][i] + lanes[2][i] + lanes[3][i]
	}
}

// find returns the bin that holds the k-th size, from 1, and which of the bin's
// it is.
func find(counts *bins, k int) (bin, rest int) {
	for bin, n := range counts {
		if k <= int(n) {
			return bin, k
		}
		k -= int(n)
	}
	panic("optim: ranking is shorter than the cut")
}

// count returns how many weights of each parameter fall to c, and the cuts that
// take them from each parameter by itself.
func (c cut) count(params []*Param) (counts []int, cuts []cut) {
	list := cutUp(params)
	below, equal := make([]int, len(list)), make([]int, len(list))
	kernel.Parallel(len(list), func(i int) {
		s := &list[i]
		below[i] = kernel.CountBelow(s.value, s.mask, c.size)
		equal[i] = kernel.CountBelow(s.value, s.mask, c.size+1) - below[i]
	})
	counts, cuts = make([]int, len(params)), make([]cut, len(params))
	ties := c.ties
	for i, s := range list {
		own := &cuts[s.param]
		n := min(equal[i], ties)
		ties -= n
		counts[s.param] += below[i] + n
		own.size = c.size
		own.ties += n
		own.equal += equal[i]
	}
	return counts, cuts
}

// pruneSmallest prunes the k smallest weights of p.
func (p *Param) pruneSmallest(k int) { p.pruneTo(smallest([]*Param{p}, k)) }

// pruneTo prunes what falls to c.
func (p *Param) pruneTo(c cut) {
	p.needMask()
	last := len(p.Value) // the equal ones from there on stay
	switch c.ties {
	case 0:
		last = 0
	case c.equal:
	default:
		last = p.position(c.size, c.ties)
	}
	list := cutUp([]*Param{p})
	kernel.Parallel(len(list), func(i int) {
		s := &list[i]
		middle := max(0, min(last-s.offset, len(s.value)))
		kernel.DropBelow(s.value[:middle], s.mask[:middle], c.size+1)
		kernel.DropBelow(s.value[middle:], s.mask[middle:], c.size)
	})
}

// position is where, among the weights that are kept, a size comes for the n-th
// time, from 0.
func (p *Param) position(size uint32, n int) int {
	for i, w := range p.Value {
		if math.Float32bits(w)&^signBit == size && p.kept(i) {
			if n == 0 {
				return i
			}
			n--
		}
	}
	return len(p.Value)
}
