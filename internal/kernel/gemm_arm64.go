//go:build !purego

package kernel

// mulNEON computes alpha·a·b + beta·out for 1 to 8 rows and 8 columns, see tile.
//
//go:noescape
func mulNEON(out *float32, outRow int, a *float32, aRow, aStep int, b *float32, bRow, k, rows int, alpha, beta float32)

func multiplyNEON(t *tile) {
	const rows, cols = 8, 8
	if t.copy != nil {
		packRowsGeneric(t.copy, t.b[t.y:], t.k, t.cols, t.bRow, 0)
	}
	for x := t.i; x < t.i+t.rows; x += rows {
		for y := 0; y < t.cols; y += cols {
			part := *t
			part.copy = nil
			part.i, part.rows = x, min(rows, t.i+t.rows-x)
			part.j, part.cols, part.y = t.j+y, min(cols, t.cols-y), t.y+y
			// Even if not all columns are wanted, all are read.
			if t.k == 0 || (t.k-1)*t.bRow+part.y+cols > len(t.b) {
				multiplyGeneric(&part)
				continue
			}
			part.multiplyNEON()
		}
	}
}

// multiplyNEON computes a tile of up to 8 rows and columns.
func (t *tile) multiplyNEON() {
	const cols = 8
	at := t.i*t.cRow + t.j
	out, outRow := t.c[at:], t.cRow
	var room [8 * cols]float32
	if t.cols < cols {
		out, outRow = room[:], cols
		for r := range t.rows {
			copy(room[r*cols:], t.c[at+r*t.cRow:][:t.cols])
		}
	}
	mulNEON(&out[0], outRow, &t.a[t.i*t.aRow], t.aRow, t.aStep, &t.b[t.y], t.bRow, t.k, t.rows, t.alpha, t.beta)
	for r := range t.rows {
		c := t.c[at+r*t.cRow:][:t.cols]
		if t.cols < cols {
			copy(c, room[r*cols:])
		}
		if t.last {
			t.ep.apply(c, t.i+r, t.j, at+r*t.cRow)
		}
	}
}
