package kernel

// sparseLoops are the inner loops of products with a matrix that is mostly zero.
// Terms are pairs of offsets in bytes.
type sparseLoops struct {
	lanes int // of a vector

	// rows has, for each number of vectors less one, the function that computes
	// rows of the product of a sparse matrix and a dense one:
	//
	//	c[r·rowC+j] = start[r] + Σ a[terms[2·p]]·b[terms[2·p+1]+j]
	//
	// over the counts[r] terms p of each row r, and for as many vectors of columns
	// j. A nil start is 0. If add is not 0, it adds to c instead. rowC is in bytes.
	rows []func(counts, terms []int32, a, b, start, c []float32, rowC, add int)

	// dots computes elements of a product, each the sum
	//
	//	c[terms[2·p]] = Σ a[f·frameA+i]·b[terms[2·p+1]+f·frameB+i]
	//
	// over all frames f and i < n, for p < count. If add is not 0, it adds to c. It
	// may read b for sparseAhead more terms. Frames are in bytes.
	dots func(terms []int32, count int, a, b, c []float32, n, frames, frameA, frameB, add int)

	// The largest shares of elements that are not zero at which products with a
	// sparse matrix, and elements of products, take less time than dense products.
	rowsPay, dotsPay float64
	// The same for convolutions: of results and gradients of inputs, and of weights.
	convPays, correlationPays float64
}

// sparseAhead is how many terms there must be behind the last one.
const sparseAhead = 5

func (l *sparseLoops) most() int { return len(l.rows) }

var sparseGeneric = sparseLoops{
	lanes: 8,
	rows: []func(counts, terms []int32, a, b, start, c []float32, rowC, add int){
		sparseRowsGeneric(8), sparseRowsGeneric(16), sparseRowsGeneric(24), sparseRowsGeneric(32),
	},
	dots:    sparseDotsGeneric,
	rowsPay: 0.9, dotsPay: 0.9,
}

func sparseRowsGeneric(cols int) func(counts, terms []int32, a, b, start, c []float32, rowC, add int) {
	return func(counts, terms []int32, a, b, start, c []float32, rowC, add int) {
		for r, count := range counts {
			row := c[r*rowC/4:][:cols]
			switch {
			case add != 0:
			case start != nil:
				fill(row, start[r])
			default:
				clear(row)
			}
			for range count {
				v, x := a[terms[0]/4], b[terms[1]/4:][:len(row)]
				for j := range row {
					row[j] += v * x[j]
				}
				terms = terms[2:]
			}
		}
	}
}

func sparseDotsGeneric(terms []int32, count int, a, b, c []float32, n, frames, frameA, frameB, add int) {
	for p := range count {
		to := &c[terms[2*p]/4]
		if add == 0 {
			*to = 0
		}
		for f := range frames {
			x, y := a[f*frameA/4:][:n], b[int(terms[2*p+1])/4+f*frameB/4:][:n]
			var even, odd float32
			i := 0
			for ; i+1 < n; i += 2 {
				even += x[i] * y[i]
				odd += x[i+1] * y[i+1]
			}
			if i < n {
				even += x[i] * y[i]
			}
			*to += even + odd
		}
	}
}
