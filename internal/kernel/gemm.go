package kernel

import (
	"fmt"
	"math"
)

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

	dots       bool // sums run along the vectors
	steps      int  // of the inner dimension
	rows, cols int  // parts that the matrices are cut into
	matrix     int  // the first of those to compute, and
	term       int  // the only term to add, if B is shared

	// What tasks share of B, packed: columns j0 to j1 of steps step0 to step1, in
	// panels that are pitch apart, step behind step. Nil if each task packs its
	// own; the ranges are then whole.
	shared       []float32
	step0, step1 int
	j0, j1       int
}

var (
	gemmParts = split(gemmTasks)
	gemmPacks = split(packTasks)
)

// taskWork is the number of multiply-adds that are worth a task.
const taskWork = 1 << 20

// do computes so many matrices.
func (g *gemmArgs) do(count int) {
	g.straighten()
	g.dots = g.usesDots()
	g.steps = max(1, blocks(g.k, stepK))
	if g.dots {
		g.steps = blocks(g.k, 1024)
	}
	g.step1, g.j1 = g.steps, g.n
	g.cut(count)
	if g.rows > 1 && g.packsB() {
		for g.matrix = range count {
			for g.term = range g.terms {
				g.doShared()
			}
		}
		return
	}
	parts := g.rows * g.cols
	grain := max(1, taskWork*parts/(g.m*g.n*max(g.k, 8)*g.terms))
	if count*parts <= grain {
		gemmTasks(g, 0, count*parts)
		return
	}
	gemmParts.do(count*parts, grain, *g)
}

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

// The least numbers of rows and columns that are worth a part.
const (
	minRows = 56
	minCols = 2 * panelCols
)

// cut chooses the parts. More tasks keep more threads busy; large tasks share
// more of the packing. Wide ones are best: a part with more rows passes over B
// fewer times, but one with more columns copies less of A for each of them.
func (g *gemmArgs) cut(count int) {
	g.rows, g.cols = 1, 1
	work := float64(g.m) * float64(g.n) * float64(g.k) * float64(g.terms) * float64(count)
	if work <= taskWork {
		return
	}
	wanted := blocks(int(math.Ceil(math.Pow(work/taskWork, 0.35))), count)
	for g.rows*g.cols < wanted {
		rows, cols := g.m/(2*g.rows), g.n/(2*g.cols)
		switch {
		case rows >= minRows && (2*rows >= cols || cols < minCols):
			g.rows *= 2
		case cols >= minCols:
			g.cols *= 2
		default:
			return
		}
	}
}

// packsB tells whether the elements of B are used often enough, or lie so
// inconveniently, that packing them pays off. Rows that are a multiple of 2 KB
// apart compete for the same few sets of the L1 cache, and with 16 KB of L2.
func (g *gemmArgs) packsB() bool {
	switch {
	case g.dots:
		return false
	case g.transB || g.m >= 2*minRows:
		return true
	}
	return g.ldb%512 == 0 && g.m >= active.crowded || g.ldb%4096 == 0 && g.m >= 48
}

// step is the range of the inner dimension that step i covers.
func (g *gemmArgs) step(i int) (from, to int) { return block(g.k, g.steps, 1, i) }

// pitch is the distance between panels of a step.
func (g *gemmArgs) pitch() int { return panelPitch(blocks(g.k, g.steps)) }

// sharedRoom is how many elements of B are packed at a time.
var sharedRoom = 2 << 20

var sharedPanels pool[[]float32]

// doShared adds a term to a matrix whose tasks share packed parts of B.
func (g *gemmArgs) doShared() {
	width := max(1, min(blocks(g.n, panelCols), sharedRoom/g.pitch())) // in panels
	steps := max(1, min(g.steps, sharedRoom/(width*g.pitch())))
	room := sharedPanels.get()
	defer sharedPanels.put(room)
	if need := width * steps * g.pitch(); len(*room) < need {
		*room = make([]float32, need)
	}
	round := *g
	round.shared = *room
	for round.j0 = 0; round.j0 < g.n; round.j0 = round.j1 {
		round.j1 = min(g.n, round.j0+width*panelCols)
		for round.step0 = 0; round.step0 < g.steps; round.step0 = round.step1 {
			round.step1 = min(g.steps, round.step0+steps)
			gemmPacks.do((round.step1-round.step0)*round.packParts(), 1, round)
			gemmParts.do(g.rows*g.cols, 1, round)
		}
	}
}

// packParts is how many tasks pack a step of what is shared.
func (g *gemmArgs) packParts() int { return blocks(g.j1-g.j0, packCols) }

const packCols = 4 * panelCols

// packTasks packs parts lo to hi of what is shared.
func packTasks(g *gemmArgs, lo, hi int) {
	for task := lo; task < hi; task++ {
		step, from := task/g.packParts(), task%g.packParts()*packCols
		g.pack(g.panels(step, from), g.step0+step, g.j0+from, min(packCols, g.j1-g.j0-from))
	}
}

// panels is where the shared panels of a step begin that hold column from and
// the next; both count from the start of what is shared.
func (g *gemmArgs) panels(step, from int) []float32 {
	panels := blocks(g.j1-g.j0, panelCols)
	return g.shared[(step*panels+from/panelCols)*g.pitch():]
}

// pack packs columns of a step, from column j on.
func (g *gemmArgs) pack(dst []float32, step, j, cols int) {
	k0, k1 := g.step(step)
	b := g.b
	if g.bOff != nil {
		b = b[g.bOff[g.matrix*g.terms+g.term]:]
	}
	switch {
	case k0 == k1:
	case g.transB:
		active.packColumns(dst, b[j*g.ldb+k0:], k1-k0, cols, g.ldb, g.pitch())
	default:
		active.packRows(dst, b[k0*g.ldb+j:], k1-k0, cols, g.ldb, g.pitch())
	}
}

// gemmTasks computes parts lo to hi of a batch.
func gemmTasks(args *gemmArgs, lo, hi int) {
	s := gemmSpaces.get()
	defer gemmSpaces.put(s)
	g := &s.args
	*g = *args
	for task := lo; task < hi; task++ {
		part := task % (g.rows * g.cols)
		i0, i1 := block(g.m, g.rows, 1, part/g.cols)
		j0, j1 := block(g.j1-g.j0, g.cols, panelCols, part%g.cols)
		if g.shared != nil {
			s.multiply(i0, i1, g.j0+j0, g.j0+j1)
			continue
		}
		g.matrix = args.matrix + task/(g.rows*g.cols)
		for g.term = range g.terms {
			s.multiply(i0, i1, j0, j1)
		}
	}
	s.tile, s.args = tile{}, gemmArgs{} // a resting one must not keep buffers alive
}

// gemmSpace is the memory of a task.
type gemmSpace struct {
	args gemmArgs
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
		s.b = make([]float32, panelPitch(stepK))
	}
	return s.b
}

var gemmSpaces pool[gemmSpace]

// multiply adds a term to rows i0 to i1 and columns j0 to j1 of a matrix.
func (s *gemmSpace) multiply(i0, i1, j0, j1 int) {
	g, t := &s.args, &s.tile
	a, b := g.a, g.b
	if g.aOff != nil {
		a, b = a[g.aOff[g.matrix*g.terms+g.term]:], b[g.bOff[g.matrix*g.terms+g.term]:]
	}
	*t = tile{cRow: g.ldc, alpha: g.alpha, beta: g.beta}
	packA := !g.dots && (i1-i0)*g.k > 16<<10 && j1-j0 > 64
	packB := g.packsB()
	for step := g.step0; step < g.step1; step++ {
		k0, k1 := g.step(step)
		t.k = k1 - k0
		if step > 0 || g.term > 0 {
			t.beta = 1
		}
		t.last = step == g.steps-1 && g.term == g.terms-1
		for i := i0; i < i1; i += stepM {
			t.rows = min(stepM, i1-i)
			t.setA(a, g.lda, g.transA, i, k0)
			if packA {
				s.packA()
			}
			at := g.matrix*g.m*g.n + i*g.ldc + j0
			t.c = g.c[at:]
			if t.last {
				t.ep = g.then.from(i, j0, at)
			}
			switch {
			case g.dots:
				s.dots(b[k0:], j0, j1)
			case packB:
				s.panels(step, j0, j1)
			default:
				t.b, t.bRow = b, g.ldb
				if t.k > 0 {
					t.b = b[k0*g.ldb+j0:]
				}
				t.j, t.cols = 0, j1-j0
				active.multiply(t)
			}
		}
	}
}

// panels multiplies with columns j0 to j1 of B, panel by panel.
func (s *gemmSpace) panels(step, j0, j1 int) {
	g, t := &s.args, &s.tile
	t.bRow = panelCols
	for j := j0; j < j1; j += panelCols {
		t.j, t.cols = j-j0, min(panelCols, j1-j)
		if g.shared != nil {
			t.b = g.panels(step-g.step0, j-g.j0)
		} else {
			// In the same place again and again, it stays in the L1 cache.
			t.b = s.roomForB()
			g.pack(t.b, step, j, t.cols)
		}
		active.multiply(t)
	}
}

// dots multiplies with columns j0 to j1 of B, as many at a time as fit into a
// cache together.
func (s *gemmSpace) dots(b []float32, j0, j1 int) {
	g, t := &s.args, &s.tile
	t.bRow = g.ldb
	width := max(4, dotRoom/t.k/4*4)
	for j := j0; j < j1; j += width {
		t.b = b[j*g.ldb:]
		t.j, t.cols = j-j0, min(width, j1-j)
		active.dots(t)
	}
}

// dotRoom is how many elements of B dots pass over for each few rows of A.
const dotRoom = 8 << 10

// setA makes the rows of A from i on, from element k0 of each, those of the tile.
func (t *tile) setA(a []float32, lda int, trans bool, i, k0 int) {
	t.aRow, t.aStep = lda, 1
	if trans {
		t.aRow, t.aStep = 1, lda
	}
	if t.k > 0 {
		a = a[i*t.aRow+k0*t.aStep:]
	}
	t.a = a
}

// packA copies the part of A that the tile is about to need, so that its rows
// or columns lie close together but do not compete for sets of the caches.
func (s *gemmSpace) packA() {
	t := &s.tile
	lines, length, stride := t.rows, t.k, t.aRow
	if t.aStep != 1 {
		lines, length, stride = t.k, t.rows, t.aStep
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
