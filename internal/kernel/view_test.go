package kernel

import (
	"math/rand/v2"
	"testing"
)

// walk visits the elements of a view, by its definition.
func walk(shape, strides []int, offset int, f func(i, at int)) {
	for i := range product(shape) {
		at, rest := offset, i
		for k := len(shape) - 1; k >= 0; k-- {
			at += rest % shape[k] * strides[k]
			rest /= shape[k]
		}
		f(i, at)
	}
}

// randomView is a view of an array of size elements: permuted, sliced, reversed
// and, if repeats are wanted, expanded axes.
func randomView(rng *rand.Rand, repeats bool) (shape, strides []int, offset, size int) {
	base := make([]int, rng.IntN(4)+1)
	for k := range base {
		base[k] = 1 + rng.IntN([]int{2, 5, 70}[rng.IntN(3)])
	}
	size = product(base)
	source := Strides(base)
	for _, axis := range rng.Perm(len(base)) {
		d, stride := base[axis], source[axis]
		switch rng.IntN(4) {
		case 0: // backward
			offset += (d - 1) * stride
			stride = -stride
		case 1: // every other, from the second
			if d > 2 {
				offset += stride
				d, stride = (d-1+1)/2, 2*stride
			}
		}
		shape, strides = append(shape, d), append(strides, stride)
		if repeats && rng.IntN(4) == 0 {
			shape, strides = append(shape, 1+rng.IntN(4)), append(strides, 0)
		}
	}
	return shape, strides, offset, size
}

func TestRead(t *testing.T) { eachISA(t, testRead) }

func testRead(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for range 300 {
		shape, strides, offset, size := randomView(rng, true)
		v := NewView(shape, strides, offset)
		x := noise(1, size)
		out, check := guarded(t, product(shape), rng.IntN(8))
		Read(out, x, &v)
		check("Read")
		walk(shape, strides, offset, func(i, at int) {
			if out[i] != x[at] {
				t.Fatalf("shape %v, strides %v, offset %d: element %d: got %v, want %v", shape, strides, offset, i, out[i], x[at])
			}
		})
		ints, picked := make([]int64, size), make([]int64, len(out))
		for i := range ints {
			ints[i] = int64(i)
		}
		Read(picked, ints, &v)
		walk(shape, strides, offset, func(i, at int) {
			if picked[i] != int64(at) {
				t.Fatalf("shape %v, strides %v, offset %d: element %d: got %d, want %d", shape, strides, offset, i, picked[i], at)
			}
		})
	}
}

// TestReadTransposes has planes of all edges around the width of a square.
func TestReadTransposes(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		for rows := 1; rows < 42; rows++ {
			for cols := 1; cols < 42; cols++ {
				v := NewView([]int{2, rows, cols}, []int{rows * cols, 1, rows}, 0)
				x := noise(1, 2*rows*cols)
				out, check := guarded(t, len(x), 1)
				Read(out, x, &v)
				check("Read")
				walk([]int{2, rows, cols}, []int{rows * cols, 1, rows}, 0, func(i, at int) {
					if out[i] != x[at] {
						t.Fatalf("%d by %d: element %d: got %v, want %v", rows, cols, i, out[i], x[at])
					}
				})
			}
		}
	})
}

// BenchmarkRead has the views of a transformer: heads apart, keys turned, a mean
// repeated along its row.
func BenchmarkRead(b *testing.B) {
	x := noise(1, 8*128*256)
	out := make([]float32, len(x))
	for _, c := range []struct {
		name           string
		shape, strides []int
	}{
		{"heads", []int{8, 4, 128, 64}, []int{128 * 256, 64, 256, 1}},
		{"turn", []int{8, 4, 64, 128}, []int{128 * 256, 64, 1, 256}},
		{"repeat", []int{8 * 128, 256}, []int{1, 0}},
		{"rows", []int{8 * 128, 256}, []int{0, 1}},
	} {
		v := NewView(c.shape, c.strides, 0)
		b.Run(c.name, func(b *testing.B) {
			benchISA(b, func(b *testing.B) {
				b.SetBytes(int64(4 * (len(out) + v.distinct())))
				for b.Loop() {
					Read(out, x, &v)
				}
			})
		})
	}
}

// distinct is how many elements a view reads.
func (v *View) distinct() int {
	n := 1
	for k, s := range v.Strides {
		if s != 0 {
			n *= v.Shape[k]
		}
	}
	return n
}

func TestWrite(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 2))
	for range 300 {
		shape, strides, offset, size := randomView(rng, false)
		v := NewView(shape, strides, offset)
		x, got, want := noise(1, product(shape)), noise(2, size), noise(2, size)
		walk(shape, strides, offset, func(i, at int) { want[at] = x[i] })
		Write(got, x, &v)
		for i := range want {
			if got[i] != want[i] {
				t.Fatalf("shape %v, strides %v, offset %d: element %d: got %v, want %v", shape, strides, offset, i, got[i], want[i])
			}
		}
	}
}

func TestViewMergesAxes(t *testing.T) {
	for _, c := range []struct {
		shape, strides []int
		axes           int
	}{
		{[]int{2, 3, 4}, []int{12, 4, 1}, 1},
		{[]int{2, 1, 4}, []int{4, 99, 1}, 1},
		{[]int{2, 3, 4}, []int{0, 0, 0}, 1},
		{[]int{2, 3, 4}, []int{1, 8, 2}, 2},
		{[]int{1, 1}, []int{1, 1}, 1},
	} {
		if v := NewView(c.shape, c.strides, 0); len(v.Shape) != c.axes {
			t.Errorf("%v by %v: got axes %v, want %d of them", c.shape, c.strides, v.Shape, c.axes)
		}
	}
}

func TestViewOutsideItsBufferPanics(t *testing.T) {
	for _, offset := range []int{-1, 2} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("offset %d: got no panic", offset)
				}
			}()
			v := NewView([]int{2, 2}, []int{2, 1}, offset)
			Read(make([]float32, 4), make([]float32, 4), &v)
		}()
	}
}
