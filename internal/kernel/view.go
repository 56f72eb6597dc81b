package kernel

import "fmt"

// Number is an element type of a buffer.
type Number interface{ float32 | int64 }

// MaxAxes is the highest rank that kernels walk.
const MaxAxes = 32

// View describes a strided walk over a buffer: element (i0, i1, …) of Shape is
// at Offset + Σ ik·Strides[k]. Strides may be 0 (the axis repeats) or negative.
// Transposing, slicing and expanding are all views. NewView merges axes, so the
// walk has long inner runs.
type View struct {
	Shape, Strides []int
	Offset         int

	size int
	tile int // axis of stride 1 when the last axis is not it, otherwise -1
}

// NewView returns the walk with as few axes as can describe it.
func NewView(shape, strides []int, offset int) View {
	shape, merged := mergeAxes(shape, strides)
	v := View{Shape: shape, Strides: merged[0], Offset: offset, size: product(shape), tile: -1}
	last := len(shape) - 1
	for k, s := range v.Strides {
		if s == 1 && k != last && v.Strides[last] != 0 && v.Strides[last] != 1 {
			v.tile = k
		}
	}
	return v
}

// Size is the number of elements the view walks.
func (v *View) Size() int { return v.size }

// Read copies the elements of x under the view to out, in order.
func Read[T Number](out, x []T, v *View) {
	checkView(len(out), len(x), v)
	if v.size == 0 {
		return
	}
	switch out := any(out).(type) {
	case []float32:
		x := any(x).([]float32)
		if v.tile >= 0 {
			strips, size := v.strips()
			readTiles.do(strips, max(chunk/size, 1), viewArgs[float32]{out, x, v})
			return
		}
		readFloats.do(v.size, chunk, viewArgs[float32]{out, x, v})
	case []int64:
		readRuns(&viewArgs[int64]{out, any(x).([]int64), v}, 0, v.size)
	}
}

// Write copies x, in order, to the elements of out under the view and leaves
// the others as they are.
func Write[T Number](out, x []T, v *View) {
	checkView(len(x), len(out), v)
	if v.size == 0 {
		return
	}
	switch out := any(out).(type) {
	case []float32:
		writeFloats.do(v.size, chunk, viewArgs[float32]{out, any(x).([]float32), v})
	case []int64:
		writeRuns(&viewArgs[int64]{out, any(x).([]int64), v}, 0, v.size)
	}
}

type viewArgs[T Number] struct {
	out, x []T
	v      *View
}

var (
	readFloats  = split(readRuns[float32])
	writeFloats = split(writeRuns[float32])
	readTiles   = split(readStrips[float32])
)

func checkView(walked, buffer int, v *View) {
	if walked != v.size {
		panic(fmt.Sprintf("kernel: a view of %d elements over %d", v.size, walked))
	}
	if v.size == 0 {
		return
	}
	lo, hi := v.Offset, v.Offset
	for k, s := range v.Strides {
		if end := s * (v.Shape[k] - 1); end < 0 {
			lo += end
		} else {
			hi += end
		}
	}
	if lo < 0 || hi >= buffer {
		panic(fmt.Sprintf("kernel: a view of elements %d to %d in a buffer of %d", lo, hi, buffer))
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

func readRuns[T Number](a *viewArgs[T], lo, hi int) {
	var at cursor
	for lo < hi {
		last := at.seek(a.v.Shape, lo)
		rows, n := at.rowsAt(a.v.Shape, lo, hi)
		stride, skip := a.v.Strides[last], 0
		if last > 0 {
			skip = a.v.Strides[last-1]
		}
		pos := a.v.Offset + at.offset(a.v.Strides)
		if skip >= 0 && (stride == 0 || stride == 1 && n < longRow) {
			fillRows(a.out[lo:lo+rows*n], a.x[pos:], n, skip, stride)
			lo += rows * n
			continue
		}
		for range rows {
			out := a.out[lo : lo+n]
			switch stride {
			case 1:
				copy(out, a.x[pos:pos+n])
			default:
				from := pos
				for i := range out {
					out[i] = a.x[from]
					from += stride
				}
			}
			lo += n
			pos += skip
		}
	}
}

// longRow is how many elements Go's copy moves as fast as anything.
const longRow = 512

// fillRows fills rows of n elements with n of x each, or with one if step is 0.
// Rows of x are stride elements apart.
func fillRows[T Number](out, x []T, n, stride, step int) {
	if out, ok := any(out).([]float32); ok {
		f := active.view.repeat
		if step > 0 {
			f = active.view.rows
		}
		f(out, any(x).([]float32), n, stride)
		return
	}
	for i := 0; i < len(out); i += n {
		for j := range n {
			out[i+j] = x[i/n*stride+j*step]
		}
	}
}

func writeRuns[T Number](a *viewArgs[T], lo, hi int) {
	var at cursor
	for lo < hi {
		last := at.seek(a.v.Shape, lo)
		rows, n := at.rowsAt(a.v.Shape, lo, hi)
		stride, skip := a.v.Strides[last], 0
		if last > 0 {
			skip = a.v.Strides[last-1]
		}
		pos := a.v.Offset + at.offset(a.v.Strides)
		for range rows {
			x := a.x[lo : lo+n]
			if stride == 1 {
				copy(a.out[pos:pos+n], x)
			} else {
				to := pos
				for i := range x {
					a.out[to] = x[i]
					to += stride
				}
			}
			lo += n
			pos += skip
		}
	}
}

// tileEdge is the side of the square that a transposing read holds in cache.
const tileEdge = 32

// strips is how many pieces of tileEdge indices of the tile axis, by all of the
// last axis, the view has, and the elements in one.
func (v *View) strips() (n, size int) {
	last, edge := len(v.Shape)-1, v.Shape[v.tile]
	perPlane := blocks(edge, tileEdge)
	return v.size / (edge * v.Shape[last]) * perPlane, min(edge, tileEdge) * v.Shape[last]
}

// readStrips reads a plane whose contiguous axis is not the last: both sides
// are touched a square at a time, or each element would cost a cache line.
func readStrips[T Number](a *viewArgs[T], lo, hi int) {
	v := a.v
	last, edge, cols := len(v.Shape)-1, v.Shape[v.tile], v.Shape[len(v.Shape)-1]
	perPlane := blocks(edge, tileEdge)
	between := product(v.Shape[v.tile+1:])
	for s := lo; s < hi; s++ {
		// The plane's position: every axis but the two of the tile.
		plane, src, dst, step := s/perPlane, v.Offset, 0, cols
		for k := last - 1; k >= 0; k-- {
			if k == v.tile {
				step = between * edge
				continue
			}
			i := plane % v.Shape[k]
			plane /= v.Shape[k]
			src += i * v.Strides[k]
			dst += i * step
			step *= v.Shape[k]
		}
		r0 := s % perPlane * tileEdge
		r1 := min(r0+tileEdge, edge)
		for c0 := 0; c0 < cols; c0 += tileEdge {
			c1 := min(c0+tileEdge, cols)
			transposeTile(a.out[dst+r0*between+c0:], a.x, src+r0+c0*v.Strides[last], r1-r0, c1-c0, between, v.Strides[last])
		}
	}
}

// transposeTile sets out[r*outStride+c] to x[from+c*stride+r].
func transposeTile[T Number](out, x []T, from, rows, cols, outStride, stride int) {
	wholeRows, wholeCols := 0, 0
	if out, ok := any(out).([]float32); ok && rows >= 8 && cols >= 8 && stride > 0 {
		wholeRows, wholeCols = rows&^7, cols&^7
		active.view.transpose(out, any(x).([]float32)[from:], wholeRows, wholeCols, outStride, stride)
	}
	for r := range rows {
		done := 0
		if r < wholeRows {
			done = wholeCols
		}
		for c := done; c < cols; c++ {
			out[r*outStride+c] = x[from+c*stride+r]
		}
	}
}

// viewLoops are loops that move elements.
type viewLoops struct {
	// repeat fills rows of n elements with one of x each, stride elements apart;
	// rows, with n of x.
	repeat, rows func(out, x []float32, n, stride int)

	// transpose sets out[r*outStride+c] to x[c*stride+r], for multiples of 8 rows
	// and columns that are not 0.
	transpose func(out, x []float32, rows, cols, outStride, stride int)
}

var viewGeneric = viewLoops{
	repeat: func(out, x []float32, n, stride int) {
		for i := 0; i < len(out); i += n {
			v := x[i/n*stride]
			row := out[i : i+n]
			for j := range row {
				row[j] = v
			}
		}
	},
	rows: func(out, x []float32, n, stride int) {
		for i := 0; i < len(out); i += n {
			copy(out[i:i+n], x[i/n*stride:])
		}
	},
	transpose: func(out, x []float32, rows, cols, outStride, stride int) {
		for r := range rows {
			from := r
			row := out[r*outStride:][:cols]
			for c := range row {
				row[c] = x[from]
				from += stride
			}
		}
	},
}

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
