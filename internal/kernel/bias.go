package kernel

import "fmt"

type biasArgs struct {
	m, n, row, col int
	factor         float32
	bias, x        []float32
}

var (
	spreadMatrix = split(spreadRows)
	foldRows     = split(foldEachRow)
	foldCols     = split(foldEachColumn)
)

func checkBias(bias, x []float32, m, n, row, col int) {
	if len(x) != m*n || (m > 0 && n > 0 && len(bias) != (m-1)*row+(n-1)*col+1) {
		panic(fmt.Sprintf("kernel: bias of %d elements, strides %d and %d, for %d elements of %d by %d", len(bias), row, col, len(x), m, n))
	}
}

// SpreadMatrix sets element (i, j) of the m by n matrix x to
// factor·bias[i·row+j·col]. Strides of 0 repeat a column, a row or one element.
func SpreadMatrix(bias []float32, m, n, row, col int, factor float32, x []float32) {
	checkBias(bias, x, m, n, row, col)
	spreadMatrix.do(m, max(1, chunk/(n+1)), biasArgs{m, n, row, col, factor, bias, x})
}

func spreadRows(a *biasArgs, lo, hi int) {
	for i := lo; i < hi; i++ {
		x := a.x[i*a.n:][:a.n]
		if a.col == 0 {
			fill(x, a.factor*a.bias[i*a.row])
			continue
		}
		active.point.scale(x, a.bias[i*a.row:], nil, a.factor, 0)
	}
}

// FoldMatrix is the transpose of SpreadMatrix: each element of the bias becomes
// factor times the sum of the elements of x that it was spread to.
func FoldMatrix(x []float32, m, n, row, col int, factor float32, bias []float32) {
	checkBias(bias, x, m, n, row, col)
	args := biasArgs{m, n, row, col, factor, bias, x}
	switch {
	case row == 0 && col == 0:
		bias[0] = factor * float32(totalOfAll(x))
	case row == 0:
		foldCols.do(blocks(n, sumBlock), max(1, chunk/(m*sumBlock+1)), args)
	default:
		foldRows.do(m, max(1, chunk/(n+1)), args)
	}
}

func foldEachRow(a *biasArgs, lo, hi int) {
	for i := lo; i < hi; i++ {
		x := a.x[i*a.n:][:a.n]
		if a.col == 0 {
			a.bias[i*a.row] = a.factor * float32(total(x))
			continue
		}
		active.point.scale(a.bias[i*a.row:][:a.n], x, nil, a.factor, 0)
	}
}

func foldEachColumn(a *biasArgs, lo, hi int) {
	for part := lo; part < hi; part++ {
		from := part * sumBlock
		to := min(from+sumBlock, a.n)
		sums := spareSums.Get().(*columnSums)
		*sums = columnSums{}
		if a.m > 0 {
			sums.add(a.x[from:], a.m, a.n, to-from)
		}
		for j := range to - from {
			a.bias[from+j] = a.factor * float32(sums[j])
		}
		spareSums.Put(sums)
	}
}
