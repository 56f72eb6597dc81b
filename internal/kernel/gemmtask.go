package kernel

// gemmTasks computes parts lo to hi of a batch.
func gemmTasks(args *gemmArgs, lo, hi int) {
	s := gemmSpaces.get()
	defer gemmSpaces.put(s)
	g := &s.args
	*g = *args
	for task := lo; task < hi; task++ {
		part := task % (g.rows * g.cols)
		i0, i1 := block(g.m, g.rows, 1, part/g.cols)
		j0, j1 := block(g.n, g.cols, panelCols, part%g.cols)
		g.matrix = task / (g.rows * g.cols)
		for g.term = range g.terms {
			s.multiply(i0, i1, j0, j1)
		}
	}
	s.tile, s.args = tile{}, gemmArgs{} // a resting one must not keep buffers alive
}

// gemmSpace is the memory of a task.
type gemmSpace struct {
	args  gemmArgs
	tile  tile
	group []float32 // packed panels of B
	block []float32 // packed, of A
}

func (s *gemmSpace) roomForGroup() []float32 {
	if s.group == nil {
		s.group = make([]float32, groupPanels*panelPitch(stepK))
	}
	return s.group
}

func (s *gemmSpace) roomForBlock() []float32 {
	if s.block == nil {
		s.block = make([]float32, stepK*blockPitch)
	}
	return s.block
}

// blockPitch is the distance between the rows of a packed block of A, which was
// transposed.
const blockPitch = stepM + 16

var gemmSpaces freeList[gemmSpace]

// multiply adds a term to rows i0 to i1 and columns j0 to j1 of a matrix.
func (s *gemmSpace) multiply(i0, i1, j0, j1 int) {
	g, t := &s.args, &s.tile
	a, b := g.a, g.b
	if g.aOff != nil {
		a, b = a[g.aOff[g.matrix*g.terms+g.term]:], b[g.bOff[g.matrix*g.terms+g.term]:]
	}
	*t = tile{cRow: g.ldc, alpha: g.alpha, beta: g.beta}
	width := j1 - j0
	if g.packsB() {
		width = groupPanels * panelCols
	}
	for step := range g.steps {
		k0, k1 := g.step(step)
		t.k = k1 - k0
		if step > 0 || g.term > 0 {
			t.beta = 1
		}
		t.last = step == g.steps-1 && g.term == g.terms-1
		for j := j0; j < j1; j += width {
			for i := i0; i < i1; i += stepM {
				t.rows = min(stepM, i1-i)
				t.setA(a, g.lda, g.transA, i, k0)
				if g.packsA() {
					s.packA()
				}
				at := g.matrix*g.m*g.n + i*g.ldc + j
				t.c = g.c[at:]
				if t.last {
					t.ep = g.then.from(i, j, at)
				}
				t.cols = min(width, j1-j)
				switch {
				case g.dots:
					s.dots(b[k0+j*g.ldb:])
				case g.packsB():
					s.panels(b, step, j, i == i0 && g.packed == nil)
				default:
					t.b, t.bRow = b, g.ldb
					if t.k > 0 {
						t.b = b[k0*g.ldb+j:]
					}
					active.multiply(t)
				}
			}
		}
	}
}

// panels multiplies with a group of panels of B, which begins at column j. The
// first to read them packs them.
func (s *gemmSpace) panels(b []float32, step, j int, first bool) {
	g, t := &s.args, &s.tile
	k0, _ := g.step(step)
	rows, cols := t.rows, t.cols
	for done := 0; done < cols; done += panelCols {
		panel := s.panel(step, j, done)
		t.j, t.cols = done, min(panelCols, cols-done)
		t.b, t.bRow = panel, panelCols
		switch {
		case t.k == 0 || !first:
		case g.transB:
			active.packColumns(panel, b[(j+done)*g.ldb+k0:], t.k, t.cols, g.ldb, g.pitch())
		default:
			t.rows = active.tall // at most: there are panelRows
			t.b, t.bRow, t.copy = b[k0*g.ldb+j+done:], g.ldb, panel
			active.multiply(t)
			t.b, t.bRow, t.copy = panel, panelCols, nil
			t.i, t.rows = t.rows, rows-t.rows
		}
		active.multiply(t)
		t.i, t.rows = 0, rows
	}
	t.j, t.cols = 0, cols
}

// panel is where columns j+done and on of a step are, packed, of a group that
// begins at column j.
func (s *gemmSpace) panel(step, j, done int) []float32 {
	if s.args.packed != nil {
		return s.args.whole(step, j+done)
	}
	return s.roomForGroup()[done/panelCols*s.args.pitch():]
}

// packA copies the rows of A, which is transposed, that the tile is about to need,
// so that they lie close together.
func (s *gemmSpace) packA() {
	t, room := &s.tile, s.roomForBlock()
	for p := range t.k {
		copy(room[p*blockPitch:], t.a[p*t.aStep:][:t.rows])
	}
	t.a, t.aStep = room, blockPitch
}

// dots multiplies with the columns of B, as many at a time as fit into a cache
// together.
func (s *gemmSpace) dots(b []float32) {
	g, t := &s.args, &s.tile
	t.bRow = g.ldb
	cols, width := t.cols, max(4, dotRoom/t.k/4*4)
	for t.j = 0; t.j < cols; t.j += width {
		t.b = b[t.j*g.ldb:]
		t.cols = min(width, cols-t.j)
		active.dots(t)
	}
	t.j, t.cols = 0, cols
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
