package kernel

// viewLoops are loops that move elements.
type viewLoops struct {
	// repeat fills rows of n elements with one of x each, stride elements apart;
	// rows, with n of x.
	repeat, rows func(out, x []float32, n, stride int)

	// transpose sets out[r*outStride+c] to x[c*stride+r], for multiples of 8 rows
	// and columns that are not 0.
	transpose func(out, x []float32, rows, cols, outStride, stride int)
}

var viewGeneric = viewLoops{
	repeat: func(out, x []float32, n, stride int) {
		for i := 0; i < len(out); i += n {
			v := x[i/n*stride]
			row := out[i : i+n]
			for j := range row {
				row[j] = v
			}
		}
	},
	rows: func(out, x []float32, n, stride int) {
		for i := 0; i < len(out); i += n {
			copy(out[i:i+n], x[i/n*stride:])
		}
	},
	transpose: func(out, x []float32, rows, cols, outStride, stride int) {
		for r := range rows {
			from := r
			row := out[r*outStride:][:cols]
			for c := range row {
				row[c] = x[from]
				from += stride
			}
		}
	},
}
