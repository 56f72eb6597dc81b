package kernel

import "fmt"

// Softmax computes exp(x)/Σexp(x), and its logarithm if log is set, along the
// middle axis of an array of shape (outer, n, inner). The largest x is taken
// out first, so nothing overflows. out may be x.
func Softmax(out, x []float32, outer, n, inner int, log bool) {
	a := softmaxArgs{out: out, x: x, n: n, inner: inner, log: log}
	a.do(outer, softmaxRows, softmaxBlocks)
}

// SoftmaxGrad computes the gradient of the input of Softmax from its result y
// and the gradient g of y: y·(g - Σg·y), or g - exp(y)·Σg if log is set. out
// may be g.
func SoftmaxGrad(out, y, g []float32, outer, n, inner int, log bool) {
	if len(g) != len(y) {
		panic(fmt.Sprintf("kernel: got %d elements of gradient, want %d", len(g), len(y)))
	}
	a := softmaxArgs{out: out, x: y, g: g, n: n, inner: inner, log: log}
	a.do(outer, softmaxGradRows, softmaxGradBlocks)
}

// softmaxLoops are loops over rows of n elements, which fill out, or along
// columns: the elements of one lie inner elements apart, and width columns side
// by side. There is at least one element.
type softmaxLoops struct {
	rows, logRows         func(out, x []float32, n int, p float32) // p times softmax
	gradRows, logGradRows func(out, y, g []float32, n int)

	columns, logColumns         func(out, x []float32, n, inner, width int, p float32)
	gradColumns, logGradColumns func(out, y, g []float32, n, inner, width int)

	// sumExp finds the largest x and Σexp(x - top) of each row.
	sumExp func(tops, sums, x []float32, n int)
}

type softmaxArgs struct {
	out, x, g []float32
	n, inner  int
	log       bool
}

// softmaxWidth is how many neighbouring columns are worked on at a time where
// the axis is not the innermost.
const softmaxWidth = 64

func (a softmaxArgs) do(outer int, rows, blocks *splitter[softmaxArgs]) {
	if want := outer * a.n * a.inner; len(a.out) != want || len(a.x) != want {
		panic(fmt.Sprintf("kernel: got %d and %d elements for softmax, want %d", len(a.out), len(a.x), want))
	}
	if len(a.out) == 0 {
		return
	}
	const grain = chunk / 4 // an exponential costs more than a sum
	if a.inner == 1 {
		rows.do(outer, grain/a.n, a)
		return
	}
	width := min(a.inner, softmaxWidth)
	blocks.do(outer*a.perOuter(), grain/(a.n*width), a)
}

func (a *softmaxArgs) perOuter() int { return blocks(a.inner, softmaxWidth) }

// block is where block b starts, and how many columns it has.
func (a *softmaxArgs) block(b int) (start, width int) {
	col := b % a.perOuter() * softmaxWidth
	return b/a.perOuter()*a.n*a.inner + col, min(softmaxWidth, a.inner-col)
}

var softmaxRows = split(func(a *softmaxArgs, lo, hi int) {
	f := active.softmax.rows
	if a.log {
		f = active.softmax.logRows
	}
	f(a.out[lo*a.n:hi*a.n], a.x[lo*a.n:], a.n, 1)
})

var softmaxGradRows = split(func(a *softmaxArgs, lo, hi int) {
	f := active.softmax.gradRows
	if a.log {
		f = active.softmax.logGradRows
	}
	f(a.out[lo*a.n:hi*a.n], a.x[lo*a.n:], a.g[lo*a.n:], a.n)
})

var softmaxBlocks = split(func(a *softmaxArgs, lo, hi int) {
	f := active.softmax.columns
	if a.log {
		f = active.softmax.logColumns
	}
	for b := lo; b < hi; b++ {
		start, width := a.block(b)
		f(a.out[start:], a.x[start:], a.n, a.inner, width, 1)
	}
})

var softmaxGradBlocks = split(func(a *softmaxArgs, lo, hi int) {
	f := active.softmax.gradColumns
	if a.log {
		f = active.softmax.logGradColumns
	}
	for b := lo; b < hi; b++ {
		start, width := a.block(b)
		f(a.out[start:], a.x[start:], a.g[start:], a.n, a.inner, width)
	}
})
