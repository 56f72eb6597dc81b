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
