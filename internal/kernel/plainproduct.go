package kernel

// The product of plain convolutions reads operands that are never stored as a whole,
// line by line. It is cut into blocks of C, one task each. A task copies ("packs")
// what it needs of A and B, panelK elements of the inner dimension at a time,
// into panels of tileM rows and tileN columns, and multiplies panel by panel:
// the tile of C stays in registers, a panel of B in the L1 cache, the rest in
// L2. The scheme is that of Goto and van de Geijn, Anatomy of High-Performance
// Matrix Multiplication, 2008.
const (
	tileM    = 2 // with tileN, what Go's compiler keeps in 15 scalar registers
	tileN    = 4
	unroll   = 4 // of the inner dimension; panels are filled up with zeros to it
	panelK   = 256
	panelPad = 16 // between panels: powers of two as strides wear out few cache sets
	maxEdge  = 256
)

// region is a block of a product: rows i0 to i1, columns j0 to j1.
type region struct{ i0, i1, j0, j1 int }

// multiply computes c = a·b, or adds it to c, where c is the block r of the whole
// product and starts at c[0]. No side of the block is longer than maxEdge.
func (w *workspace) multiply(r region, k int, a, b operand, add bool, c []float32, ldc int) {
	m, n := r.i1-r.i0, r.j1-r.j0
	if k == 0 && !add {
		for i := range m {
			clear(c[i*ldc:][:n])
		}
	}
	for k0 := 0; k0 < k; k0 += panelK {
		kc := min(panelK, k-k0)
		w.pack(w.b, tileN, b, r.j0, n, k0, kc)
		w.pack(w.a, tileM, a, r.i0, m, k0, kc)
		full := blocks(kc, unroll) * unroll
		for j := 0; j < n; j += tileN {
			pb := w.b[j*full+j/tileN*panelPad:][:full*tileN]
			for i := 0; i < m; i += tileM {
				pa := w.a[i*full+i/tileM*panelPad:][:full*tileM]
				multiplyTile(pa, pb, &w.tile)
				rows, cols := min(tileM, m-i), min(tileN, n-j)
				for x := range rows {
					row, sums := c[(i+x)*ldc+j:][:cols], w.tile[x*tileN:]
					if !add {
						copy(row, sums)
						continue
					}
					for y := range row {
						row[y] += sums[y]
					}
				}
			}
		}
		add = true
	}
}

// multiplyTile multiplies a panel of tileM rows by a panel of tileN columns.
func multiplyTile(a, b []float32, c *[tileM * tileN]float32) {
	var c00, c01, c02, c03, c10, c11, c12, c13 float32
	for k := 0; k < len(a)/(tileM*unroll); k++ {
		x := (*[tileM * unroll]float32)(a[k*tileM*unroll:])
		y := (*[tileN * unroll]float32)(b[k*tileN*unroll:])

		c00 += x[0] * y[0]
		c01 += x[0] * y[1]
		c02 += x[0] * y[2]
		c03 += x[0] * y[3]
		c10 += x[1] * y[0]
		c11 += x[1] * y[1]
		c12 += x[1] * y[2]
		c13 += x[1] * y[3]

		c00 += x[2] * y[4]
		c01 += x[2] * y[5]
		c02 += x[2] * y[6]
		c03 += x[2] * y[7]
		c10 += x[3] * y[4]
		c11 += x[3] * y[5]
		c12 += x[3] * y[6]
		c13 += x[3] * y[7]

		c00 += x[4] * y[8]
		c01 += x[4] * y[9]
		c02 += x[4] * y[10]
		c03 += x[4] * y[11]
		c10 += x[5] * y[8]
		c11 += x[5] * y[9]
		c12 += x[5] * y[10]
		c13 += x[5] * y[11]

		c00 += x[6] * y[12]
		c01 += x[6] * y[13]
		c02 += x[6] * y[14]
		c03 += x[6] * y[15]
		c10 += x[7] * y[12]
		c11 += x[7] * y[13]
		c12 += x[7] * y[14]
		c13 += x[7] * y[15]
	}
	c[0], c[1], c[2], c[3] = c00, c01, c02, c03
	c[4], c[5], c[6], c[7] = c10, c11, c12, c13
}

// edge is the side of the blocks that a product of m rows and n columns is cut
// into. Large blocks waste less on packing, many blocks keep many threads busy.
func edge(m, n int) int {
	switch {
	case m*n >= 16*maxEdge*maxEdge:
		return maxEdge
	case m*n <= 2*128*128:
		return 64
	default:
		return 128
	}
}

// grid cuts a product of m rows and n columns into blocks.
type grid struct{ m, n, rows, cols int }

func newGrid(m, n int) grid {
	e := edge(m, n)
	return grid{m, n, blocks(m, e), blocks(n, e)}
}

// count is the number of blocks.
func (g grid) count() int { return g.rows * g.cols }

// region is block i.
func (g grid) region(i int) (r region) {
	r.i0, r.i1 = block(g.m, g.rows, tileM, i/g.cols)
	r.j0, r.j1 = block(g.n, g.cols, tileN, i%g.cols)
	return r
}

// lines is a matrix that can be read in pieces of its rows.
type lines interface {
	// line is elements from to from+n of row i. It may use buf, which is long
	// enough, to hold them.
	line(i, from, n int, buf []float32) []float32
}

// operand is op(A) or op(B) of a product.
type operand struct {
	lines
	along bool // lines run along the inner dimension, rather than across it
}

// dense is a matrix stored row by row.
type dense struct {
	data   []float32
	stride int
}

func (d *dense) line(i, from, n int, _ []float32) []float32 {
	at := i*d.stride + from
	return d.data[at : at+n]
}

// pack copies count rows or columns of an operand, from first on, and elements
// k0 to k0+kc of its inner dimension, into panels of the given width.
func (w *workspace) pack(dst []float32, width int, o operand, first, count, k0, kc int) {
	full := blocks(kc, unroll) * unroll
	stride := full*width + panelPad
	for p, at := 0, 0; p < count; p, at = p+width, at+stride {
		panel := dst[at:][:full*width]
		clear(panel[kc*width:])
		if p+width > count {
			clear(panel)
		}
	}
	if !o.along {
		for k := range kc {
			line := o.line(k0+k, first, count, w.line[0])
			at := k * width
			for ; len(line) >= width; line = line[width:] {
				if width == tileN {
					*(*[tileN]float32)(dst[at:]) = [tileN]float32(line)
				} else {
					*(*[tileM]float32)(dst[at:]) = [tileM]float32(line)
				}
				at += stride
			}
			if len(line) > 0 {
				copy(dst[at:], line)
			}
		}
		return
	}
	for p, at := 0, 0; p < count; p, at = p+width, at+stride {
		panel := dst[at:][:kc*width]
		if width == tileN && p+tileN <= count {
			l0 := o.line(first+p, k0, kc, w.line[0])[:kc]
			l1 := o.line(first+p+1, k0, kc, w.line[1])[:kc]
			l2 := o.line(first+p+2, k0, kc, w.line[2])[:kc]
			l3 := o.line(first+p+3, k0, kc, w.line[3])[:kc]
			for k := range kc {
				*(*[tileN]float32)(panel[k*tileN:]) = [tileN]float32{l0[k], l1[k], l2[k], l3[k]}
			}
			continue
		}
		for x := range min(width, count-p) {
			line := o.line(first+p+x, k0, kc, w.line[0])
			for k, v := range line {
				panel[k*width+x] = v
			}
		}
	}
}
