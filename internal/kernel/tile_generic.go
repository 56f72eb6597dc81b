package kernel

// multiplyGeneric computes a tile in blocks of 2 by 4, what Go's compiler keeps
// in 15 scalar registers.
func multiplyGeneric(t *tile) {
	if t.copy != nil {
		packRowsGeneric(t.copy, t.b[t.y:], t.k, t.cols, t.bRow, 0)
	}
	for x := t.i; x < t.i+t.rows; x += 2 {
		for y := 0; y < t.cols; y += 4 {
			var sum [2][4]float32
			rows, cols := min(2, t.i+t.rows-x), min(4, t.cols-y)
			if rows == 2 && cols == 4 {
				sum = t.sum2x4(x, t.y+y)
			} else {
				for r := range rows {
					for q := range cols {
						sum[r][q] = t.sum(x+r, t.y+y+q, t.bRow, 1)
					}
				}
			}
			for r := range rows {
				t.store(x+r, t.j+y, sum[r][:cols])
			}
		}
	}
}

// dotsGeneric computes a tile whose B is transposed.
func dotsGeneric(t *tile) {
	for x := t.i; x < t.i+t.rows; x++ {
		for y := range t.cols {
			sum := [1]float32{t.sum(x, t.y+y, 1, t.bRow)}
			t.store(x, t.j+y, sum[:])
		}
	}
}

// sum is row x of A times column y of B, of which element (p, y) is at
// p*bStep+y*bCol.
func (t *tile) sum(x, y, bStep, bCol int) (s float32) {
	a, b := x*t.aRow, y*bCol
	for range t.k {
		s += t.a[a] * t.b[b]
		a += t.aStep
		b += bStep
	}
	return s
}

// sum2x4 is rows x and x+1 of A times columns y to y+4 of B.
func (t *tile) sum2x4(x, y int) [2][4]float32 {
	var c00, c01, c02, c03, c10, c11, c12, c13 float32
	if t.k > 0 {
		a0, a1, b := t.a[x*t.aRow:], t.a[(x+1)*t.aRow:], t.b[y:]
		aStep, bRow := t.aStep, t.bRow
		for p := 0; ; {
			x0, x1 := a0[0], a1[0]
			y := (*[4]float32)(b)
			c00 += x0 * y[0]
			c01 += x0 * y[1]
			c02 += x0 * y[2]
			c03 += x0 * y[3]
			c10 += x1 * y[0]
			c11 += x1 * y[1]
			c12 += x1 * y[2]
			c13 += x1 * y[3]
			if p++; p == t.k {
				break
			}
			a0, a1, b = a0[aStep:], a1[aStep:], b[bRow:]
		}
	}
	return [2][4]float32{{c00, c01, c02, c03}, {c10, c11, c12, c13}}
}

// store finishes elements of row x of C from column y on, given their sums.
func (t *tile) store(x, y int, sum []float32) {
	at := x*t.cRow + y
	c := t.c[at:][:len(sum)]
	switch {
	case t.beta == 0:
		for i := range c {
			c[i] = t.alpha * sum[i]
		}
	default:
		for i := range c {
			c[i] = t.alpha*sum[i] + t.beta*c[i]
		}
	}
	if t.last {
		t.ep.apply(c, x, y, at)
	}
}
