package kernel

import "fmt"

// Positions are offsets into an array at which slices of it begin: what an index
// of whatever form comes down to. The functions here make them, and move slices
// from and to them.

// ElementPositions makes, for each element of indices, which has the given
// shape, its position in an array with the given strides: along axis it is the
// index, negative ones counted from the end n, and along the others that of the
// index itself.
func ElementPositions(pos, indices []int64, shape, strides []int, axis, n int) {
	if len(pos) != product(shape) || len(indices) != len(pos) {
		panic(fmt.Sprintf("kernel: got %d indices for %d positions, want %d", len(indices), len(pos), product(shape)))
	}
	if len(pos) == 0 {
		return
	}
	var at cursor
	at.seek(shape, 0)
	for i, index := range indices {
		p := 0
		for k, s := range strides {
			if k != axis {
				p += at[k] * s
			}
		}
		pos[i] = int64(p + wrap(index, n)*strides[axis])
		at.advance(shape, 1)
	}
}

// TuplePositions makes, for each tuple of indices, its position in an array
// whose axes have the given sizes and strides, negative ones counted from the
// end. Tuples of one batch follow each other; the next batch begins stride
// elements further on.
func TuplePositions(pos, indices []int64, sizes, strides []int, batches, stride int) {
	if len(indices) != len(pos)*len(sizes) {
		panic(fmt.Sprintf("kernel: got %d indices for %d positions of %d axes", len(indices), len(pos), len(sizes)))
	}
	for i := range pos {
		p := i / max(len(pos)/max(batches, 1), 1) * stride
		for k, index := range indices[i*len(sizes) : (i+1)*len(sizes)] {
			p += wrap(index, sizes[k]) * strides[k]
		}
		pos[i] = int64(p)
	}
}

// ReversePositions makes the positions of slices of inner elements, an array of
// times by batches, whose first lengths[b] steps are reversed for each b. step
// and batch are the distances between neighbours, in slices.
func ReversePositions(pos, lengths []int64, times, step, batch, inner int) {
	if len(pos) != times*len(lengths) {
		panic(fmt.Sprintf("kernel: got %d lengths for %d positions of %d steps", len(lengths), len(pos), times))
	}
	for b, n := range lengths {
		for t := range times {
			from := t
			if t < int(n) {
				from = int(n) - 1 - t
			}
			pos[t*step+b*batch] = int64((from*step + b*batch) * inner)
		}
	}
}

// Take copies from x the slices of inner elements at the positions.
func Take[T Number](out, x []T, pos []int64, inner int) {
	if len(out) != len(pos)*inner {
		panic(fmt.Sprintf("kernel: got %d results for %d slices of %d", len(out), len(pos), inner))
	}
	for i, p := range pos {
		copy(out[i*inner:(i+1)*inner], x[p:])
	}
}

// Putting is what becomes of an element that a slice is put on.
type Putting int

// The ways. Where a position comes several times, all slices count; with
// Replace, the last.
const (
	Replace Putting = iota
	PutAdd
	PutMul
	PutMax
	PutMin
)

// Put combines the slices of updates, of inner elements each, with those of out
// at the positions.
func Put[T Number](kind Putting, out, updates []T, pos []int64, inner int) {
	if len(updates) != len(pos)*inner {
		panic(fmt.Sprintf("kernel: got %d updates for %d slices of %d", len(updates), len(pos), inner))
	}
	for i, p := range pos {
		o, u := out[p:][:inner], updates[i*inner:(i+1)*inner]
		switch kind {
		case Replace:
			copy(o, u)
		case PutAdd:
			for j, v := range u {
				o[j] += v
			}
		case PutMul:
			for j, v := range u {
				o[j] *= v
			}
		case PutMax:
			Max(o, o, u)
		case PutMin:
			Min(o, o, u)
		}
	}
}

// TakeLast is the gradient of the updates of a Put with Replace: the slices of g
// at the positions, and zeros for updates that a later one replaced. seen has an
// element for each slice of g and holds anything.
func TakeLast(out, g []float32, pos []int64, inner int, seen []float32) {
	clear(seen)
	for i := len(pos) - 1; i >= 0; i-- {
		o, p := out[i*inner:(i+1)*inner], int(pos[i])
		if seen[p/inner] != 0 {
			clear(o)
			continue
		}
		seen[p/inner] = 1
		copy(o, g[p:])
	}
}

// ClearAt sets the slices of out at the positions to zero.
func ClearAt(out []float32, pos []int64, inner int) {
	for _, p := range pos {
		clear(out[p:][:inner])
	}
}

// TakeCofactors is the gradient of the updates of a Put with PutMul: g and the
// data at the position, times all other updates that met there. rest and zeros,
// as long as the data, are for the product of the updates at each element but
// zeros, and the number of zeros.
func TakeCofactors(out, g, data, updates []float32, pos []int64, inner int, rest, zeros []float32) {
	for i := range rest {
		rest[i], zeros[i] = 1, 0
	}
	for i, p := range pos {
		for j, u := range updates[i*inner : (i+1)*inner] {
			if u == 0 {
				zeros[int(p)+j]++
			} else {
				rest[int(p)+j] *= u
			}
		}
	}
	for i, p := range pos {
		for j, u := range updates[i*inner : (i+1)*inner] {
			at := int(p) + j
			v := g[at] * data[at] * rest[at]
			switch {
			case zeros[at] == 0:
				v /= u
			case zeros[at] > 1 || u != 0:
				v = 0
			}
			out[i*inner+j] = v
		}
	}
}
