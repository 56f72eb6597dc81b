package kernel

import (
	"bytes"
	"fmt"
	"math"
	"math/bits"
	"unsafe"
)

// The functions here rank weights by their size: the bits of |x|, which order as
// |x| does, with NaN last. What is not kept is out of the ranking. They are for
// parts of at most some ten thousand elements, in the thread that calls them.

// rankLoops are their loops. Lengths are multiples of 16.
type rankLoops struct {
	countBelow  func(x []float32, keep []bool, limit uint32) int // those that are not kept too
	dropBelow   func(x []float32, keep []bool, limit uint32)
	pickBetween func(out []uint32, x []float32, keep []bool, first, count uint32) int
}

func checkFlags(x []float32, keep []bool) (whole int) {
	if len(x) != len(keep) {
		panic(fmt.Sprintf("kernel: got %d elements and %d flags", len(x), len(keep)))
	}
	return len(x) &^ 15
}

// CountBelow counts what is not kept, or has a size below limit.
func CountBelow(x []float32, keep []bool, limit uint32) int {
	n := checkFlags(x, keep)
	return active.rank.countBelow(x[:n], keep[:n], limit) + rankGeneric.countBelow(x[n:], keep[n:], limit)
}

// DropBelow stops keeping what has a size below limit, and sets what is not kept
// to 0.
func DropBelow(x []float32, keep []bool, limit uint32) {
	n := checkFlags(x, keep)
	active.rank.dropBelow(x[:n], keep[:n], limit)
	rankGeneric.dropBelow(x[n:], keep[n:], limit)
}

// PickBetween writes to out the sizes from first to first+count-1 of what is kept,
// in order, and returns how many there are. out is as long as x.
func PickBetween(out []uint32, x []float32, keep []bool, first, count uint32) int {
	n := checkFlags(x, keep)
	if len(out) < len(x) {
		panic(fmt.Sprintf("kernel: room for %d of %d sizes", len(out), len(x)))
	}
	picked := active.rank.pickBetween(out, x[:n], keep[:n], first, count)
	return picked + rankGeneric.pickBetween(out[picked:], x[n:], keep[n:], first, count)
}

// CountFalse counts the flags that are not set.
func CountFalse(flags []bool) int {
	if len(flags) == 0 {
		return 0
	}
	// A bool is a byte, 0 or 1.
	return bytes.Count(unsafe.Slice((*byte)(unsafe.Pointer(&flags[0])), len(flags)), []byte{0})
}

var rankGeneric = rankLoops{
	countBelow: func(x []float32, keep []bool, limit uint32) int {
		count := 0
		for i, v := range x {
			_, below := bits.Sub32(math.Float32bits(v)&^negZero, limit, 0)
			if !keep[i] {
				below = 1
			}
			count += int(below)
		}
		return count
	},
	// There is no branch on the size, which would often be mispredicted.
	dropBelow: func(x []float32, keep []bool, limit uint32) {
		for i, v := range x {
			b := math.Float32bits(v)
			_, below := bits.Sub32(b&^negZero, limit, 0)
			if !keep[i] {
				below = 1
			}
			x[i] = math.Float32frombits(b & (below - 1))
			keep[i] = below == 0
		}
	},
	pickBetween: func(out []uint32, x []float32, keep []bool, first, count uint32) int {
		picked := 0
		for i, v := range x {
			size := math.Float32bits(v) &^ negZero
			if size-first < count && keep[i] {
				out[picked] = size
				picked++
			}
		}
		return picked
	},
}
