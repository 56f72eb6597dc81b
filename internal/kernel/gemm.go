package kernel

import "fmt"

// The product is cut into blocks of C, one task each. A task copies ("packs")
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

// multiply computes c = alpha·a·b + beta·c, where c is the block r of the whole
// product and starts at c[0]. No side of the block is longer than maxEdge. With
// beta 0, c is not read.
func (w *workspace) multiply(r region, k int, alpha float32, a, b operand, beta float32, c []float32, ldc int) {
	m, n := r.i1-r.i0, r.j1-r.j0
	if k == 0 {
		for i := range m {
			scaleRow(c[i*ldc:][:n], beta)
		}
		return
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
					storeRow(c[(i+x)*ldc+j:][:cols], w.tile[x*tileN:], alpha, beta)
				}
			}
		}
		beta = 1
	}
}

// storeRow is c = alpha·t + beta·c.
func storeRow(c, t []float32, alpha, beta float32) {
	switch {
	case beta == 0:
		for i := range c {
			c[i] = alpha * t[i]
		}
	case beta == 1:
		for i := range c {
			c[i] += alpha * t[i]
		}
	default:
		for i := range c {
			c[i] = alpha*t[i] + beta*c[i]
		}
	}
}

// scaleRow is c = beta·c, without a look at c if beta is 0.
func scaleRow(c []float32, beta float32) {
	if beta == 0 {
		clear(c)
		return
	}
	for i := range c {
		c[i] *= beta
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

type gemmArgs struct {
	transA, transB bool
	grid           grid
	k              int
	alpha, beta    float32
	a, b, c        []float32
	lda, ldb, ldc  int
	aOff, bOff     []int
	terms          int // of the sum that makes one matrix of a batch
}

var gemmBlocks = split(gemmTasks)

// Gemm computes c = alpha·op(a)·op(b) + beta·c, where op(a) is m by k, op(b) is
// k by n, c is m by n, and op transposes if its flag is set. Matrices are stored
// row by row; lda, ldb and ldc are the distances between the starts of rows as
// stored. With beta 0, c may hold anything.
func Gemm(transA, transB bool, m, n, k int, alpha float32, a []float32, lda int, b []float32, ldb int, beta float32, c []float32, ldc int) {
	if m < 0 || n < 0 || k < 0 {
		panic(fmt.Sprintf("kernel: Gemm of %d by %d by %d", m, n, k))
	}
	ar, ac, br, bc := m, k, k, n
	if transA {
		ar, ac = k, m
	}
	if transB {
		br, bc = n, k
	}
	checkMatrix("a", a, ar, ac, lda)
	checkMatrix("b", b, br, bc, ldb)
	checkMatrix("c", c, m, n, ldc)
	if m == 0 || n == 0 {
		return
	}
	s := newGrid(m, n)
	gemmBlocks.do(s.count(), 1, gemmArgs{
		transA: transA, transB: transB, grid: s, k: k, alpha: alpha, beta: beta,
		a: a, b: b, c: c, lda: lda, ldb: ldb, ldc: ldc, terms: 1,
	})
}

// checkMatrix panics if rows of cols elements, stride apart, do not fit in x.
func checkMatrix(name string, x []float32, rows, cols, stride int) {
	if rows == 0 || cols == 0 {
		return
	}
	if stride < cols || len(x) < (rows-1)*stride+cols {
		panic(fmt.Sprintf("kernel: Gemm: %s has %d elements, stride %d: got too few for %d by %d", name, len(x), stride, rows, cols))
	}
}

// GemmBatch computes a batch of m by n matrices that lie behind each other in c.
// Each is the sum of terms alpha·op(a)·op(b): with t terms, matrix i has numbers
// i·t to (i+1)·t, and term j reads its matrices at a[aOff[j]:] and b[bOff[j]:].
// Matrices are stored without gaps between rows. c may hold anything.
func GemmBatch(transA, transB bool, m, n, k int, alpha float32, a []float32, aOff []int, b []float32, bOff []int, c []float32) {
	if m == 0 || n == 0 || len(c) == 0 {
		return
	}
	count := len(c) / (m * n)
	if count*m*n != len(c) || len(aOff) != len(bOff) || len(aOff)%count != 0 || len(aOff) == 0 {
		panic(fmt.Sprintf("kernel: GemmBatch: got %d and %d terms for %d elements of %d by %d", len(aOff), len(bOff), len(c), m, n))
	}
	for i := range aOff {
		if aOff[i]+m*k > len(a) || bOff[i]+k*n > len(b) {
			panic(fmt.Sprintf("kernel: GemmBatch: term %d lies outside of the operands", i))
		}
	}
	lda, ldb := k, n
	if transA {
		lda = m
	}
	if transB {
		ldb = k
	}
	s := newGrid(m, n)
	gemmBlocks.do(count*s.count(), 1, gemmArgs{
		transA: transA, transB: transB, grid: s, k: k, alpha: alpha,
		a: a, b: b, c: c, lda: lda, ldb: ldb, ldc: n,
		aOff: aOff, bOff: bOff, terms: len(aOff) / count,
	})
}

// gemmTasks computes blocks lo to hi of the batch.
func gemmTasks(g *gemmArgs, lo, hi int) {
	w := getWorkspace()
	defer w.put()
	for task := lo; task < hi; task++ {
		matrix := task / g.grid.count()
		r := g.grid.region(task % g.grid.count())
		c := g.c[matrix*g.grid.m*g.grid.n+r.i0*g.ldc+r.j0:]
		beta := g.beta
		for t := range g.terms {
			a, b := g.a, g.b
			if g.aOff != nil {
				a, b = a[g.aOff[matrix*g.terms+t]:], b[g.bOff[matrix*g.terms+t]:]
			}
			w.multiply(r, g.k, g.alpha,
				w.matrix(0, a, g.lda, !g.transA), w.matrix(1, b, g.ldb, g.transB),
				beta, c, g.ldc)
			beta = 1
		}
	}
}
