package engine

import (
	"cmp"
	"slices"
)

// An arena hands out pieces of one stretch of storage that does not exist yet:
// it only finds out how long the stretch must be.
type arena struct {
	size int
	free []span // by offset, no two adjacent
}

// span is a piece of an arena, in elements.
type span struct{ off, len int }

// line is the granularity in elements: 64 bytes of float32, so that no two
// values share a cache line.
const line = 16

// take returns a piece of at least n elements: the smallest free one that is
// large enough, for what is left over is the more useful the larger it is.
func (a *arena) take(n int) span {
	if n == 0 {
		return span{}
	}
	n = (n + line - 1) / line * line
	best := -1
	for i, f := range a.free {
		if f.len >= n && (best < 0 || f.len < a.free[best].len) {
			best = i
		}
	}
	if best >= 0 {
		f := &a.free[best]
		s := span{f.off, n}
		f.off, f.len = f.off+n, f.len-n
		if f.len == 0 {
			a.free = slices.Delete(a.free, best, best+1)
		}
		return s
	}
	s := span{a.size, n}
	if last := len(a.free) - 1; last >= 0 && a.free[last].off+a.free[last].len == a.size {
		s.off = a.free[last].off
		a.free = a.free[:last]
	}
	a.size = s.off + n
	return s
}

// give takes a piece back.
func (a *arena) give(s span) {
	if s.len == 0 {
		return
	}
	i, _ := slices.BinarySearchFunc(a.free, s.off, func(f span, off int) int { return cmp.Compare(f.off, off) })
	a.free = slices.Insert(a.free, i, s)
	if i+1 < len(a.free) && s.off+s.len == a.free[i+1].off {
		a.free[i].len += a.free[i+1].len
		a.free = slices.Delete(a.free, i+1, i+2)
	}
	if i > 0 && a.free[i-1].off+a.free[i-1].len == s.off {
		a.free[i-1].len += a.free[i].len
		a.free = slices.Delete(a.free, i, i+1)
	}
}
