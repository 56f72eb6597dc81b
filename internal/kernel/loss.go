package kernel

import (
	"fmt"
	"math"
	"sync"
)

// lossParts bounds the chunks of a loss, whose partial sums are kept.
const lossParts = 64

// CrossEntropy sums log Σexp(row) - row[label] over the rows of an array of n
// rows and c columns. Labels must lie in [0, c).
func CrossEntropy(logits []float32, labels []int64, n, c int) float64 {
	a := entropyArgs{logits: logits, labels: labels, c: c}
	a.check(n, len(logits))
	return crossEntropy.do(n, max(chunk/4/c, n/lossParts), a)
}

// CrossEntropyGrad computes factor·(softmax(row) - onehot(label)) for each row:
// the gradient of CrossEntropy times factor. out may be logits.
func CrossEntropyGrad(out, logits []float32, labels []int64, n, c int, factor float32) {
	a := entropyArgs{out: out, logits: logits, labels: labels, c: c, factor: factor}
	a.check(n, len(out))
	crossEntropyGrad.do(n, chunk/4/c, a)
}

type entropyArgs struct {
	out, logits []float32
	labels      []int64
	c           int
	factor      float32
}

func (a *entropyArgs) check(n, out int) {
	if len(a.logits) != n*a.c || len(a.labels) != n || out != n*a.c {
		panic(fmt.Sprintf("kernel: got %d logits, %d labels and %d results for %d rows of %d",
			len(a.logits), len(a.labels), out, n, a.c))
	}
}

// lossRows is how many rows are summed up side by side.
const lossRows = 64

type rowSums struct{ tops, sums [lossRows]float32 }

// spareRows holds sums that are not in use: as arguments of a loop that is chosen
// at run time they cannot lie on the stack.
var spareRows = sync.Pool{New: func() any { return new(rowSums) }}

var crossEntropy = splitSum(func(a *entropyArgs, lo, hi int) float64 {
	total := 0.0
	s := spareRows.Get().(*rowSums)
	for ; lo < hi; lo += lossRows {
		n := min(lossRows, hi-lo)
		rows := a.logits[lo*a.c : (lo+n)*a.c]
		active.softmax.sumExp(s.tops[:n], s.sums[:n], rows, a.c)
		for r, label := range a.labels[lo : lo+n] {
			total += math.Log(float64(s.sums[r])) + float64(s.tops[r]) - float64(rows[r*a.c+int(label)])
		}
	}
	spareRows.Put(s)
	return total
})

var crossEntropyGrad = split(func(a *entropyArgs, lo, hi int) {
	out := a.out[lo*a.c : hi*a.c]
	active.softmax.rows(out, a.logits[lo*a.c:], a.c, a.factor)
	for r, label := range a.labels[lo:hi] {
		out[r*a.c+int(label)] -= a.factor
	}
})

// SquaredError sums (a-b)² over the elements.
func SquaredError(a, b []float32) float64 {
	if len(a) != len(b) {
		panic(fmt.Sprintf("kernel: got %d elements to compare with %d", len(a), len(b)))
	}
	return squaredError.do(len(a), max(chunk, len(a)/lossParts), pointArgs{x: a, g: b})
}

var squaredError = splitSum(func(a *pointArgs, lo, hi int) float64 {
	total := 0.0
	for ; lo < hi; lo += sumPiece {
		end := min(lo+sumPiece, hi)
		total += active.sums.distances(a.x[lo:end], a.g[lo:end])
	}
	return total
})

// SquaredErrorGrad computes factor·(a-b). out may be a or b.
func SquaredErrorGrad(out, a, b []float32, factor float32) {
	point(difference, pointArgs{out: out, x: a, g: b, p: factor})
}
