package kernel

import "fmt"

type rowsArgs struct{ out, x, factors []float32 }

var scaleRows = split(scaleEachRow)

// ScaleRows multiplies each row of x, of which there are as many as factors, by
// its factor. out may be x.
func ScaleRows(out, x, factors []float32) {
	if len(out) != len(x) || len(factors) == 0 || len(x)%len(factors) != 0 {
		panic(fmt.Sprintf("kernel: ScaleRows: got %d elements and %d results for %d factors", len(x), len(out), len(factors)))
	}
	scaleRows.do(len(factors), max(1, chunk*len(factors)/(len(x)+1)), rowsArgs{out, x, factors})
}

func scaleEachRow(a *rowsArgs, lo, hi int) {
	n := len(a.x) / len(a.factors)
	for i := lo; i < hi; i++ {
		active.point.scale(a.out[i*n:][:n], a.x[i*n:][:n], nil, a.factors[i], 0)
	}
}
