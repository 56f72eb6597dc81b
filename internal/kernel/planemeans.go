package kernel

import "fmt"

// PlaneMeans computes the mean of each plane of x: y[i] is that of the i-th of
// len(y) equal parts of x.
func PlaneMeans(x, y []float32) {
	size := checkPlanes(x, y)
	planeMeans.do(len(y), max(1, chunk/(size+1)), poolArgs{x: x, y: y})
}

// PlaneMeansBackward computes the gradient dx of the input of PlaneMeans from
// the gradient dy of its output.
func PlaneMeansBackward(dy, dx []float32) {
	size := checkPlanes(dx, dy)
	planeMeansBack.do(len(dy), max(1, chunk/(size+1)), poolArgs{y: dy, dx: dx})
}

var (
	planeMeans     = split(planeMeansOf)
	planeMeansBack = split(planeMeansBackOf)
)

func checkPlanes(x, y []float32) (size int) {
	if len(y) == 0 {
		return 0
	}
	if len(x)%len(y) != 0 {
		panic(fmt.Sprintf("kernel: PlaneMeans: got %d elements for %d planes", len(x), len(y)))
	}
	return len(x) / len(y)
}

func planeMeansOf(a *poolArgs, lo, hi int) {
	size := len(a.x) / len(a.y)
	for i := lo; i < hi; i++ {
		a.y[i] = float32(total(a.x[i*size:][:size]) / float64(size))
	}
}

func planeMeansBackOf(a *poolArgs, lo, hi int) {
	size := len(a.dx) / len(a.y)
	if f := active.pool.spread; f != nil && size > 0 && lo < hi {
		f(&a.dx[lo*size], &a.y[lo], hi-lo, size, float32(size))
		return
	}
	for i := lo; i < hi; i++ {
		fill(a.dx[i*size:][:size], a.y[i]/float32(size))
	}
}
