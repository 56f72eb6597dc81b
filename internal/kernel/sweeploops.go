package kernel

// sweepLoops are the inner loops of convolutions as products. Strides and offsets
// are in bytes.
type sweepLoops struct {
	lanes int // of a vector; 0 if plain loops must do

	// tile has, for each number of rows less one, the function that computes
	//
	//	c[i·rowC+j] = Σ a[i·rowA+offsets[2·p]]·b[offsets[2·p+1]+j]
	//
	// over p < k, for two vectors of columns j. If add is not 0, it adds to c.
	tile []func(a *float32, rowA int, offsets *int32, k int, b, c *float32, rowC, add int)

	// pack fills lanes from to to-1 of k vectors. Lane i of vector p is element
	// order[i] of the span of elements that starts at offsets[2·p+1].
	pack func(dst *float32, dstStride int, src *float32, offsets *int32, k int, order *int32, span, from, to int)

	// correlate has, for each number of rows of x less one, the function that
	// computes
	//
	//	out[j·rowOut+i] = Σ x[f·frameX+offsets[2·i+1]+p]·y[f·frameY+j·rowY+p]
	//
	// over all frames f and p < n, for up to four rows j of y. If add is not 0, it
	// adds to out.
	correlate []func(x *float32, offsets *int32, y *float32, rowY, rows, frames, n, frameX, frameY int, out *float32, rowOut, add int)

	copyRows rowMover // rows of n elements
	pickRows rowMover // rows of n elements, every second one of the source

	// streamRows is copyRows past the caches, where it can.
	streamRows rowMover

	// packAhead copies k rows of as many panels of panelCols elements, pitch apart,
	// and asks the cache for what lies ahead.
	packAhead func(dst *float32, pitch int, src *float32, stride, k, panels, ahead int)

	// joinRows makes rows of n elements from even and odd ones.
	joinRows func(dst *float32, dstStride int, even, odd *float32, srcStride int, rows, n int)

	// finishRows copies rows of n elements and does to them what an Epilogue
	// says: it adds row[i] and add, limits to lo to hi if clamp is not 0, and
	// applies the gate. Nil pointers do nothing; add and gate have dst's stride.
	finishRows func(dst *float32, dstStride int, src *float32, srcStride int, rows, n int, row, add, gate *float32, clamp int, lo, hi float32)
}

type rowMover func(dst *float32, dstStride int, src *float32, srcStride int, rows, n int)

// finish copies rows of n elements to y, where the first begins at element to, and
// does to them what an epilogue says; it is row number row of that.
func (l *sweepLoops) finish(e *Epilogue, row int, y []float32, to, stride int, src []float32, srcStride, rows, n int) {
	clamp := 0
	if e.Clamp {
		clamp = 1
	}
	l.finishRows(&y[to], 4*stride, &src[0], 4*srcStride, rows, n, at(e.Row, row), at(e.Add, to), at(e.Gate, to), clamp, e.Lo, e.Hi)
}

// at is where an element of a part of an epilogue is, nil if there is no such
// part.
func at(part []float32, i int) *float32 {
	if part == nil {
		return nil
	}
	return &part[i]
}

// rows and cols are the size of the largest tile.
func (l *sweepLoops) rows() int { return len(l.tile) }
func (l *sweepLoops) cols() int { return 2 * l.lanes }
