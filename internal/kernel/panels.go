package kernel

// panels are a transposed matrix: elements of so many columns, which were rows,
// lie together for each row.
type panels struct {
	rows, cols int // of the whole, as transposed
	width      int // of a panel
}

func newPanels(isa *sparseLoops, rows, cols, most int) panels {
	width := min(most*isa.lanes, blocks(cols, isa.lanes)*isa.lanes)
	return panels{rows, cols, width}
}

func (p *panels) count() int { return blocks(p.cols, p.width) }

// room is how many elements they take.
func (p *panels) room() int { return p.count() * p.rows * p.width }

type panelArgs struct {
	p     *panels
	to, x []float32
}

// transpose makes panels of x, which has their columns as rows.
func (p *panels) transpose(to, x []float32) {
	panelParts.do(p.count()*blocks(p.rows, sparseBlock), max(1, chunk/(sparseBlock*p.width)), panelArgs{p, to, x})
}

var panelParts = split(func(a *panelArgs, lo, hi int) {
	p := a.p
	parts := blocks(p.rows, sparseBlock)
	for task := lo; task < hi; task++ {
		col, row := task/parts*p.width, task%parts*sparseBlock
		to := a.to[col*p.rows+row*p.width:]
		end := min(p.cols, col+p.width)
		for c := col; c < end; c += tileEdge {
			transposeTile(to[c-col:], a.x, c*p.rows+row, min(sparseBlock, p.rows-row), min(tileEdge, end-c), p.width, p.rows)
		}
	}
})
