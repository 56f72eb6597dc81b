package kernel

import "fmt"

// A product is cut into rectangles of C, a task each. A task goes through the
// inner dimension in steps of at most stepK. It copies what it needs of B into
// panels of panelCols columns and what it needs of A into a block, and computes
// tile after tile: the sums of a tile stay in registers, a panel of B in the L1
// cache, the rest in L2. The scheme is that of Goto and van de Geijn, Anatomy of
// High-Performance Matrix Multiplication, 2008. Where the copies would not be
// read often enough to pay off, the tiles read A and B where they are.
//
// An element of C is the sum of its terms in order, step by step. So it does not
// depend on the rectangles.
const (
	stepK = 384
	stepM = 280
	stepN = 256
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
	g := gemmArgs{
		transA: transA, transB: transB, m: m, n: n, k: k, alpha: alpha,
		a: a, b: b, c: c, lda: lda, ldb: ldb, ldc: n,
		aOff: aOff, bOff: bOff, terms: len(aOff) / count,
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

	rows, cols int // parts that the matrices are cut into
}

var gemmParts = split(gemmTasks)

// do computes so many matrices.
func (g *gemmArgs) do(count int) {
	g.cut(count)
	parts := g.rows * g.cols
	work := max(1, g.m*g.n*max(g.k, 8)*g.terms/parts)
	grain := max(1, taskWork/work)
	if tasks := blocks(count*parts, grain); tasks == 1 {
		gemmTasks(g, 0, count*parts)
		return
	}
	gemmParts.do(count*parts, grain, *g)
}

// taskWork is the number of multiply-adds that are worth a task.
const taskWork = 1 << 20

// cut chooses the parts of a matrix. More tasks keep more threads busy; large
// tasks share more of the packing.
func (g *gemmArgs) cut(count int) {
	g.rows, g.cols = 1, 1
	work := g.m * g.n * g.k * g.terms
	parts := 1
	for parts*parts*taskWork < work*count {
		parts++
	}
	parts = blocks(parts, count)
	for g.rows*g.cols < parts {
		rows, cols := blocks(g.m, g.rows), blocks(g.n, g.cols)
		switch {
		case cols >= 2*panelCols && 2*cols >= rows:
			g.cols++
		case rows >= 2*minRows:
			g.rows++
		default:
			return
		}
	}
}

// minRows is the least number of rows that are worth a part.
const minRows = 28

// gemmTasks computes parts lo to hi of the batch.
func gemmTasks(g *gemmArgs, lo, hi int) {
	s := gemmSpaces.get()
	defer gemmSpaces.put(s)
	for task := lo; task < hi; task++ {
		matrix, part := task/(g.rows*g.cols), task%(g.rows*g.cols)
		i0, i1 := block(g.m, g.rows, 1, part/g.cols)
		j0, j1 := block(g.n, g.cols, panelCols, part%g.cols)
		for t := range g.terms {
			s.multiply(g, matrix, t, i0, i1, j0, j1)
		}
	}
	s.tile = tile{} // a resting one must not keep buffers alive
}

// gemmSpace is the memory of a task.
type gemmSpace struct {
	tile tile
	a, b []float32 // packed
}

func (s *gemmSpace) roomForA() []float32 {
	if s.a == nil {
		s.a = make([]float32, max(stepM*(stepK+panelCols), stepK*(stepM+panelCols)))
	}
	return s.a
}

func (s *gemmSpace) roomForB() []float32 {
	if s.b == nil {
		s.b = make([]float32, stepN/panelCols*panelPitch(stepK))
	}
	return s.b
}

var gemmSpaces pool[gemmSpace]

// multiply adds a term to rows i0 to i1 and columns j0 to j1 of a matrix.
func (s *gemmSpace) multiply(g *gemmArgs, matrix, term, i0, i1, j0, j1 int) {
	if i0 == i1 || j0 == j1 {
		return
	}
	a, b := g.a, g.b
	if g.aOff != nil {
		a, b = a[g.aOff[matrix*g.terms+term]:], b[g.bOff[matrix*g.terms+term]:]
	}
	aRow, aStep := g.lda, 1
	if g.transA {
		aRow, aStep = 1, g.lda
	}
	bStep, bCol := g.ldb, 1
	if g.transB {
		bStep, bCol = 1, g.ldb
	}
	c := g.c[matrix*g.m*g.n:]

	t := &s.tile
	*t = tile{cRow: g.ldc, alpha: g.alpha, beta: g.beta}
	if term > 0 {
		t.beta = 1
	}
	m, n := i1-i0, j1-j0
	packA := m*g.k > 16<<10 && n > 64
	packB := g.transB || m >= 64
	steps := max(1, blocks(g.k, stepK))
	for step := range steps {
		k0, k1 := block(g.k, steps, 1, step)
		k := k1 - k0
		t.k = k
		t.last = step == steps-1 && term == g.terms-1
		for j := j0; j < j1; j += stepN {
			cols := min(stepN, j1-j)
			pitch := panelPitch(k)
			if k > 0 && packB {
				from := b[k0*bStep+j*bCol:]
				if g.transB {
					active.packColumns(s.roomForB(), from, k, cols, bCol, pitch)
				} else {
					active.packRows(s.roomForB(), from, k, cols, bStep, pitch)
				}
			}
			for i := i0; i < i1; i += stepM {
				rows := min(stepM, i1-i)
				if k > 0 {
					t.a, t.aRow, t.aStep = a[i*aRow+k0*aStep:], aRow, aStep
					if packA {
						s.packA(rows, k)
					}
				}
				at := i*g.ldc + j
				t.c = c[at:]
				if t.last {
					t.ep = g.then.from(i, j, at)
				}
				t.i, t.rows = 0, rows
				if !packB {
					if k > 0 {
						t.b, t.bRow = b[k0*bStep+j*bCol:], bStep
					}
					t.j, t.y, t.cols = 0, 0, cols
					active.multiply(t)
					continue
				}
				t.bRow, t.y = panelCols, 0
				for p := 0; p < cols; p += panelCols {
					t.b = s.b[p/panelCols*pitch:]
					t.i, t.j, t.cols = 0, p, min(panelCols, cols-p)
					active.multiply(t)
				}
			}
		}
		t.beta = 1
	}
}

// packA copies the part of A that the tile is about to need, so that its rows
// or columns lie close together but do not compete for sets of the caches.
func (s *gemmSpace) packA(rows, k int) {
	t := &s.tile
	lines, length, stride := rows, k, t.aRow
	if t.aStep != 1 {
		lines, length, stride = k, rows, t.aStep
	}
	pitch := blocks(length, 16)*16 + 16
	room := s.roomForA()
	for l := range lines {
		copy(room[l*pitch:], t.a[l*stride:][:length])
	}
	t.a = room
	if t.aStep != 1 {
		t.aStep = pitch
	} else {
		t.aRow = pitch
	}
}

// from is the part of an epilogue that begins at row i and column j, which is
// element at.
func (e *Epilogue) from(i, j, at int) Epilogue {
	part := *e
	if e.Row != nil {
		part.Row = e.Row[i:]
	}
	if e.Col != nil {
		part.Col = e.Col[j:]
	}
	if e.Add != nil {
		part.Add = e.Add[at:]
	}
	if e.Gate != nil {
		part.Gate = e.Gate[at:]
	}
	return part
}
