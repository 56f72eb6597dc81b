package optim

import "math"

const signBit = 1 << 31

// The weights to prune are the k smallest of a ranking: those already pruned
// first, then by |w|, then by position, NaN last. No sort is needed: the bits of
// |w| order as |w| does, so two counting passes over 16 bits each find the k-th
// key, and one more pass prunes everything below it and the first of those that
// are equal.

// rankKey orders weights by magnitude; 0 is pruned already.
func rankKey(p *Param, i int) uint32 {
	if !p.kept(i) {
		return 0
	}
	return math.Float32bits(p.Value[i])&^signBit + 1
}

// cut is where a ranking is cut off: every key below key goes, and the first
// ties of those equal to it.
type cut struct {
	key  uint32
	ties int
}

// smallest finds the cut that takes exactly k weights of params, 0 ≤ k ≤ their
// number.
func smallest(params []*Param, k int) cut {
	if k == 0 {
		return cut{}
	}
	var high, low [1 << 16]int
	for _, p := range params {
		for i := range p.Value {
			high[rankKey(p, i)>>16]++
		}
	}
	h, k := find(&high, k)
	for _, p := range params {
		for i := range p.Value {
			if key := rankKey(p, i); int(key>>16) == h {
				low[key&0xffff]++
			}
		}
	}
	l, k := find(&low, k)
	return cut{key: uint32(h)<<16 | uint32(l), ties: k}
}

// find returns the bin that holds the k-th element, from 1, and which of the
// bin's it is.
func find(bins *[1 << 16]int, k int) (bin, rest int) {
	for bin, n := range bins {
		if k <= n {
			return bin, k
		}
		k -= n
	}
	panic("optim: ranking is shorter than the cut")
}

// count returns how many weights of each parameter fall to c.
func (c cut) count(params []*Param) []int {
	counts := make([]int, len(params))
	ties := c.ties
	for j, p := range params {
		for i := range p.Value {
			switch key := rankKey(p, i); {
			case key < c.key:
				counts[j]++
			case key == c.key && ties > 0:
				ties--
				counts[j]++
			}
		}
	}
	return counts
}

// pruneSmallest prunes the k smallest weights of p.
func (p *Param) pruneSmallest(k int) {
	c := smallest([]*Param{p}, k)
	for i := range p.Value {
		key := rankKey(p, i)
		if key > c.key || key == c.key && c.ties == 0 {
			continue
		}
		if key == c.key {
			c.ties--
		}
		p.prune(i)
	}
}
