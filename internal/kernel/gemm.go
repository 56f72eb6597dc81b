package kernel

import (
	"fmt"
	"math"
)

// A product is cut into rectangles of C, a task each. A task goes through the
// inner dimension in steps of at most stepK, through the columns in groups of
// groupPanels panels, and through the rows in blocks of stepM. For a block it
// passes from panel to panel and computes tile after tile below each other: the
// sums of a tile stay in registers, a panel of B in the L1 cache, the block of A
// and the group in L2. The scheme is that of Goto and van de Geijn, Anatomy of
// High-Performance Matrix Multiplication, 2008, but for the copying. They pack A
// and B; here tiles read A where it is, mostly, and meanwhile fetch what the next
// tile will read. The panels of B are packed by the first tile that reads them, if
// B is not transposed. Measured with operands that are in no cache, that is 5 to
// 30 % faster than packing.
//
// An element of C is the sum of its terms in order, step by step. So it does not
// depend on the rectangles.
const (
	stepK       = 512
	stepM       = 280
	groupPanels = 4
)

// Gemm computes c = alpha·op(a)·op(b) + beta·c, where op(a) is m by k, op(b) is
// k by n, c is m by n, and op transposes if its flag is set. Matrices are stored
// row by row; lda, ldb and ldc are the distances between the starts of rows as
// stored. With beta 0, c may hold anything.
func Gemm(transA, transB bool, m, n, k int, alpha float32, a []float32, lda int, b []float32, ldb int, beta float32, c []float32, ldc int) {
	GemmThen(transA, transB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc, Epilogue{})
}

// GemmThen is Gemm with an epilogue. Add and Gate of it are laid out like c.
func GemmThen(transA, transB bool, m, n, k int, alpha float32, a []float32, lda int, b []float32, ldb int, beta float32, c []float32, ldc int, then Epilogue) {
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
	then.check(m, n, ldc)
	g := gemmArgs{
		transA: transA, transB: transB, m: m, n: n, k: k, alpha: alpha, beta: beta,
		a: a, b: b, c: c, lda: lda, ldb: ldb, ldc: ldc, terms: 1, then: then,
	}
	g.do(1)
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

// check panics if something is too short for m rows and n columns.
func (e *Epilogue) check(m, n, stride int) {
	if e.Row != nil && len(e.Row) < m || e.Col != nil && len(e.Col) < n {
		panic(fmt.Sprintf("kernel: Gemm: got %d and %d elements to add to %d rows and %d columns", len(e.Row), len(e.Col), m, n))
	}
	if e.Add != nil {
		checkMatrix("Add", e.Add, m, n, stride)
	}
	if e.Gate != nil {
		checkMatrix("Gate", e.Gate, m, n, stride)
	}
}

// GemmBatch computes a batch of m by n matrices that lie behind each other in c.
// Each is the sum of terms alpha·op(a)·op(b): with t terms, matrix i has numbers
// i·t to (i+1)·t, and term j reads its matrices at a[aOff[j]:] and b[bOff[j]:].
// Matrices are stored without gaps between rows. c may hold anything.
func GemmBatch(transA, transB bool, m, n, k int, alpha float32, a []float32, aOff []int, b []float32, bOff []int, c []float32) {
	GemmBatchThen(transA, transB, m, n, k, alpha, a, aOff, b, bOff, c, Epilogue{})
}

// GemmBatchThen is GemmBatch with an epilogue. Row and Col of it are the same
// for all matrices, Add and Gate are laid out like c.
func GemmBatchThen(transA, transB bool, m, n, k int, alpha float32, a []float32, aOff []int, b []float32, bOff []int, c []float32, then Epilogue) {
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
	then.check(m, n, n)
	if then.Add != nil && len(then.Add) < len(c) || then.Gate != nil && len(then.Gate) < len(c) {
		panic(fmt.Sprintf("kernel: GemmBatch: got %d and %d elements to add and for the gate, want %d", len(then.Add), len(then.Gate), len(c)))
	}
	g := gemmArgs{
		transA: transA, transB: transB, m: m, n: n, k: k, alpha: alpha,
		a: a, b: b, c: c, lda: lda, ldb: ldb, ldc: n,
		aOff: aOff, bOff: bOff, terms: len(aOff) / count, then: then,
	}
	g.do(count)
}

type gemmArgs struct {
	transA, transB bool
	m, n, k        int
	alpha, beta    float32
	a, b, c        []float32
	lda, ldb, ldc  int
	aOff, bOff     []int
	terms          int // of the sum that makes one matrix of a batch
	then           Epilogue
	packed         []float32 // all panels of B; or nil

	dots       bool // sums run along the vectors
	steps      int  // of the inner dimension
	rows, cols int  // parts that the matrices are cut into
	matrix     int  // that is computed, and
	term       int  // that is added to it
}

var gemmParts = split(gemmTasks)

// taskWork is the number of multiply-adds that are worth a task.
const taskWork = 1 << 20

// Panels of B pay off from so many rows of A on, and if B does not fit into the
// L1 cache as it is.
const (
	panelRows = 28
	panelSize = 8 << 10
)

// do computes so many matrices.
func (g *gemmArgs) do(count int) {
	g.straighten()
	g.dots = g.usesDots()
	g.steps = gemmSteps(g.k)
	if g.dots {
		g.steps = blocks(g.k, 1024)
	}
	g.cut(count)
	parts := g.rows * g.cols
	grain := max(1, taskWork*parts/(g.m*g.n*max(g.k, 8)*g.terms))
	if count*parts <= grain {
		gemmTasks(g, 0, count*parts)
		return
	}
	gemmParts.do(count*parts, grain, *g)
}

// gemmSteps is the number of steps through an inner dimension of k.
func gemmSteps(k int) int { return max(1, blocks(k, stepK)) }

// straighten makes of vectors that lie the wrong way, but without gaps, rows of A
// and columns of B.
func (g *gemmArgs) straighten() {
	if g.transA && g.m == 1 && g.lda == 1 {
		g.transA, g.lda = false, g.k
	}
	if !g.transB && g.n == 1 && g.ldb == 1 {
		g.transB, g.ldb = true, g.k
	}
}

// usesDots tells whether sums should run along the vectors. Otherwise columns of
// B would have to be packed, and vectors run along a row of C, which few columns
// may not fill. The figures are estimates of the time for a multiply-add.
func (g *gemmArgs) usesDots() bool {
	if g.transA || !g.transB || g.k < 32 || active.lanes == 0 {
		return false
	}
	lanes := active.lanes
	dots := 1.08 * float64(g.k+3*lanes) / float64(g.k)
	tiles := 1.05*float64(blocks(g.n, lanes)*lanes)/float64(g.n) + float64(lanes/2)/float64(g.m)
	return dots < tiles
}

// The least numbers of rows and columns that are worth a part. To transpose B
// costs as much as some tens of rows.
const (
	minRows       = 56
	minRowsTransB = 224
	minCols       = 2 * panelCols
)

// cut chooses the parts. More tasks keep more threads busy; large tasks read
// less of A and B again. Of two parts of the same size, the squarest read least.
func (g *gemmArgs) cut(count int) {
	g.rows, g.cols = 1, 1
	work := float64(g.m) * float64(g.n) * float64(g.k) * float64(g.terms) * float64(count)
	if work <= taskWork {
		return
	}
	least := minRows
	if g.transB && !g.dots {
		least = minRowsTransB
	}
	wanted := blocks(int(math.Ceil(math.Pow(work/taskWork, 0.35))), count)
	for g.rows*g.cols < wanted {
		rows, cols := g.m/(2*g.rows), g.n/(2*g.cols)
		switch {
		case rows >= least && (2*rows >= cols || cols < minCols):
			g.rows *= 2
		case cols >= minCols:
			g.cols *= 2
		default:
			return
		}
	}
}

// packsB tells whether the elements of B are used often enough for panels of them
// to pay off.
func (g *gemmArgs) packsB() bool {
	return g.packed != nil || !g.dots && (g.transB || g.m >= panelRows && g.n*g.k > panelSize)
}

// packsA tells whether to copy A as well. Rows 4 KB apart, of which a tile
// reads a few elements each, compete for sets of the L1 cache; high tiles have
// the time to read them from L2.
func (g *gemmArgs) packsA() bool {
	return g.transA && g.lda%1024 == 0 && active.tall < 14 && g.n > 2*panelCols
}

// step is the range of the inner dimension that step i covers.
func (g *gemmArgs) step(i int) (from, to int) { return block(g.k, g.steps, 1, i) }

// pitch is the distance between panels.
func (g *gemmArgs) pitch() int { return panelPitch(blocks(g.k, g.steps)) }

// whole is the panel of a step that begins at column j of a B that is packed.
func (g *gemmArgs) whole(step, j int) []float32 {
	return g.packed[(step*blocks(g.n, panelCols)+j/panelCols)*g.pitch():]
}
