package kernel

import "fmt"

// cursor is a position in a walk, one index per axis.
type cursor [MaxAxes]int

// seek moves to the i-th element of the shape and returns the last axis.
func (at *cursor) seek(shape []int, i int) (last int) {
	for k := len(shape) - 1; k >= 0; k-- {
		at[k] = i % shape[k]
		i /= shape[k]
	}
	return len(shape) - 1
}

func (at *cursor) offset(strides []int) int {
	o := 0
	for k, s := range strides {
		o += at[k] * s
	}
	return o
}

// advance moves on by n elements, at most to the end of the innermost run.
func (at *cursor) advance(shape []int, n int) {
	k := len(shape) - 1
	at[k] += n
	for ; k > 0 && at[k] == shape[k]; k-- {
		at[k] = 0
		at[k-1]++
	}
}

// rowsAt is how many rows of n elements, alike in every axis but the last two,
// begin at element i, which the cursor is at.
func (at *cursor) rowsAt(shape []int, i, end int) (rows, n int) {
	last := len(shape) - 1
	n = min(shape[last]-at[last], end-i)
	if last == 0 || n < shape[last] {
		return 1, n
	}
	return min(shape[last-1]-at[last-1], (end-i)/n), n
}

// mergeAxes drops axes of one element and joins neighbours that every stride
// set walks as one. At least one axis is left.
func mergeAxes(shape []int, strides ...[]int) ([]int, [][]int) {
	merged := make([][]int, len(strides))
	var dims []int
	for k, d := range shape {
		if d == 1 {
			continue
		}
		last := len(dims) - 1
		joins := last >= 0
		for i := range strides {
			joins = joins && merged[i][last] == strides[i][k]*d
		}
		if joins {
			dims[last] *= d
		} else {
			dims = append(dims, d)
			last++
		}
		for i := range strides {
			merged[i] = append(merged[i][:last], strides[i][k])
		}
	}
	if len(dims) == 0 {
		dims = []int{1}
		for i := range merged {
			merged[i] = []int{1}
		}
	}
	if len(dims) > MaxAxes {
		panic(fmt.Sprintf("kernel: %d axes, at most %d are walked", len(dims), MaxAxes))
	}
	return dims, merged
}

// Strides returns the distances between neighbours along each axis of a
// row-major array.
func Strides(shape []int) []int {
	s := make([]int, len(shape))
	n := 1
	for k := len(shape) - 1; k >= 0; k-- {
		s[k] = n
		n *= shape[k]
	}
	return s
}

func product(dims []int) int {
	n := 1
	for _, d := range dims {
		n *= d
	}
	return n
}
