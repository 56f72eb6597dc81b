package kernel

// packed is a right operand of many products, which is packed once, whole: k by n,
// in panels of panelCols columns, those of each step of the inner dimension behind
// those of the one before.
type packed struct {
	k, n   int
	panels []float32
}

// packedSize is the room for an operand of k by n.
func packedSize(k, n int) int {
	g := gemmArgs{k: k, steps: gemmSteps(k)}
	return g.steps * blocks(n, panelCols) * g.pitch()
}

// packWhole packs op(b), which is k by n, into the first elements of room, and
// returns the others. Rows of b as stored are ldb apart; op transposes it if the
// flag is set.
func packWhole(room []float32, trans bool, k, n int, b []float32, ldb int) (p packed, rest []float32) {
	size := packedSize(k, n)
	p = packed{k: k, n: n, panels: room[:size]}
	g := gemmArgs{transB: trans, k: k, n: n, b: b, ldb: ldb, steps: gemmSteps(k), packed: p.panels}
	packPanels.do(g.steps*blocks(n, panelCols), max(1, chunk/(k*panelCols)), g)
	return p, room[size:]
}

var packPanels = split(func(g *gemmArgs, lo, hi int) {
	perStep := blocks(g.n, panelCols)
	for i := lo; i < hi; i++ {
		step, j := i/perStep, i%perStep*panelCols
		k0, k1 := g.step(step)
		cols := min(panelCols, g.n-j)
		if g.transB {
			active.packColumns(g.whole(step, j), g.b[j*g.ldb+k0:], k1-k0, cols, g.ldb, g.pitch())
		} else {
			active.packRows(g.whole(step, j), g.b[k0*g.ldb+j:], k1-k0, cols, g.ldb, g.pitch())
		}
	}
})

// multiply computes c = a·p + beta·c for m rows; those of a are lda apart, those
// of c ldc. With beta 0, c may hold anything.
func (p *packed) multiply(m int, a []float32, lda int, beta float32, c []float32, ldc int) {
	checkMatrix("a", a, m, p.k, lda)
	checkMatrix("c", c, m, p.n, ldc)
	g := gemmArgs{
		m: m, n: p.n, k: p.k, alpha: 1, beta: beta,
		a: a, c: c, lda: lda, ldc: ldc, terms: 1, packed: p.panels,
	}
	g.do(1)
}
