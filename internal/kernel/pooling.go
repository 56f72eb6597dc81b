package kernel

import (
	"fmt"
	"math"
)

// Pool is a pooling of planes, one for each image and channel.
type Pool struct {
	Planes int
	Window
	area []float32 // for averages: what the sum of each output is divided by
	plan *poolPlan // nil if plain loops do it

	squares bool // windows of two by two elements cover the planes without gaps
}

// NewPool makes a pooling that takes maxima or averages. An average divides by
// the number of inputs under the window. With countPadding, elements of the
// padding count too; padEnd holds how many there are behind the last input of
// each axis, and nothing counts that lies behind these.
func NewPool(planes int, w Window, countPadding bool, padEnd []int) *Pool {
	p := &Pool{Planes: planes, Window: w, area: make([]float32, w.outputs())}
	ends := w.In
	if countPadding {
		for i, n := range padEnd {
			ends[3-len(padEnd)+i] += n
		}
	}
	var counts [3][]int
	for axis := range counts {
		counts[axis] = make([]int, w.Out[axis])
		for o := range counts[axis] {
			for k := range w.Kernel[axis] {
				at := o*w.Stride[axis] - w.Pad[axis] + k*w.Dilation[axis]
				if (at >= 0 || countPadding) && at < ends[axis] {
					counts[axis][o]++
				}
			}
		}
	}
	i := 0
	for _, d := range counts[0] {
		for _, h := range counts[1] {
			for _, x := range counts[2] {
				p.area[i] = float32(max(1, d*h*x))
				i++
			}
		}
	}
	p.plan = newPoolPlan(active, p)
	p.squares = active.pool.squareMax != nil && w.squares()
	return p
}

// squares tells whether windows of two by two elements cover planes without gaps.
func (w *Window) squares() bool {
	for axis, size := range [3]int{1, 2, 2} {
		if w.Kernel[axis] != size || w.Stride[axis] != size || size > 1 && w.Dilation[axis] != 1 ||
			w.Pad[axis] != 0 || w.In[axis] != size*w.Out[axis] {
			return false
		}
	}
	return w.outputs() > 0
}

func (p *Pool) check(x, y []float32) {
	if len(x) != p.Planes*p.pixels() || len(y) != p.Planes*p.outputs() {
		panic(fmt.Sprintf("kernel: Pool of %d planes %v to %v: got %d inputs, %d outputs", p.Planes, p.In, p.Out, len(x), len(y)))
	}
}

type poolArgs struct {
	p        *Pool
	x, y, dx []float32
	pass     func(p *Pool, x, y, dx []float32, mem *memory) // of a plane, in vector code
}

var (
	planned         = split(plannedPlanes)
	squareMax       = split(squareMaxPlanes)
	squareMaxGrad   = split(squareMaxGradPlanes)
	maxForward      = split(maxForwardPlanes)
	maxBackward     = split(maxBackwardPlanes)
	averageForward  = split(averageForwardPlanes)
	averageBackward = split(averageBackwardPlanes)
)

// do runs a pass over all planes, in vector code if there is a plan.
func (p *Pool) do(plain *splitter[poolArgs], a poolArgs) {
	a.p = p
	if p.plan != nil {
		plain = planned
	}
	plain.do(p.Planes, p.grain(), a)
}

func plannedPlanes(a *poolArgs, lo, hi int) {
	p := a.p
	mem := getMemory(p.plan.need())
	defer mem.put()
	part := func(x []float32, plane, size int) []float32 {
		if x == nil {
			return nil
		}
		return x[plane*size:][:size]
	}
	for plane := lo; plane < hi; plane++ {
		mem.used = 0
		a.pass(p, part(a.x, plane, p.pixels()), part(a.y, plane, p.outputs()), part(a.dx, plane, p.pixels()), mem)
	}
}

// grain is how many planes are worth a task.
func (p *Pool) grain() int { return max(1, chunk/(p.taps()*p.outputs()+1)) }

// Max computes the maximum y under the window for each output. Padding never
// wins; NaN always does. A window that sees only padding gives -Inf.
func (p *Pool) Max(x, y []float32) {
	p.check(x, y)
	if p.squares {
		squareMax.do(p.Planes, p.grain(), poolArgs{p: p, x: x, y: y})
		return
	}
	p.do(maxForward, poolArgs{x: x, y: y, pass: maxPlane})
}

func maxForwardPlanes(a *poolArgs, lo, hi int) {
	p := a.p
	lowest := float32(math.Inf(-1))
	for plane := lo; plane < hi; plane++ {
		x := a.x[plane*p.pixels():][:p.pixels()]
		y := a.y[plane*p.outputs():][:p.outputs()]
		fill(y, lowest)
		for i := range p.taps() {
			t := p.tap(i)
			t.each(func(x, y []float32, step int) {
				for j, v := range y {
					y[j] = max(v, x[j*step])
				}
			}, x, y)
		}
	}
}

// MaxBackward computes the gradient dx of the input from the gradient dy of the
// output: each goes to the input that was the maximum, the first of equals.
func (p *Pool) MaxBackward(x, dy, dx []float32) {
	p.check(x, dy)
	p.check(dx, dy)
	if p.squares {
		squareMaxGrad.do(p.Planes, p.grain(), poolArgs{p: p, x: x, y: dy, dx: dx})
		return
	}
	p.do(maxBackward, poolArgs{x: x, y: dy, dx: dx, pass: maxBackwardPlane})
}

func squareMaxPlanes(a *poolArgs, lo, hi int) {
	a.p.eachSquares(lo, hi, func(at, rows, n int) {
		active.pool.squareMax(&a.y[at], &a.x[4*at], rows, n)
	})
}

func squareMaxGradPlanes(a *poolArgs, lo, hi int) {
	a.p.eachSquares(lo, hi, func(at, rows, n int) {
		active.pool.squareMaxGrad(&a.dx[4*at], &a.x[4*at], &a.y[at], rows, n)
	})
}

// eachSquares calls f for pieces of the rows of planes, with the place of the
// first output: loops in assembly cannot be interrupted.
func (p *Pool) eachSquares(lo, hi int, f func(at, rows, n int)) {
	n := p.Out[2]
	most := max(1, chunk/n)
	end := hi * p.outputs() / n
	for row := lo * p.outputs() / n; row < end; row += most {
		f(row*n, min(most, end-row), n)
	}
}

func maxBackwardPlanes(a *poolArgs, lo, hi int) {
	p := a.p
	for plane := lo; plane < hi; plane++ {
		in, out := plane*p.pixels(), plane*p.outputs()
		p.maxBackwardPlane(a.x[in:][:p.pixels()], a.y[out:][:p.outputs()], a.dx[in:][:p.pixels()])
	}
}

func (p *Pool) maxBackwardPlane(x, dy, dx []float32) {
	clear(dx)
	for i, g := range dy {
		if at := p.first(x, i); at >= 0 {
			dx[at] += g
		}
	}
}

// first is the place of the first maximum under the window of output i, or -1 if
// it sees only padding. NaN is larger than all numbers.
func (p *Pool) first(x []float32, i int) int {
	w := &p.Window
	d := i / (w.Out[1] * w.Out[2])
	h := i / w.Out[2] % w.Out[1]
	d0, d1, d := w.inside(0, d)
	h0, h1, h := w.inside(1, h)
	c0, c1, c := w.inside(2, i%w.Out[2])
	at, best := -1, float32(math.Inf(-1))
	for kd := d0; kd < d1; kd++ {
		for kh := h0; kh < h1; kh++ {
			row := ((d+kd*w.Dilation[0])*w.In[1]+h+kh*w.Dilation[1])*w.In[2] + c
			if at < 0 && c0 < c1 {
				at = row + c0*w.Dilation[2]
			}
			for kc := c0; kc < c1; kc++ {
				j := row + kc*w.Dilation[2]
				v := x[j]
				// Conditional moves: which branch is taken has no pattern.
				above := j
				if v <= best {
					above = at
				}
				if best == best {
					at = above
				}
				best = max(best, v)
			}
		}
	}
	return at
}

// inside is the range of taps of output o that read no padding along an axis,
// and where tap 0 reads.
func (w *Window) inside(axis, o int) (from, to, at int) {
	at = o*w.Stride[axis] - w.Pad[axis]
	step := w.Dilation[axis]
	if at < 0 {
		from = blocks(-at, step)
	}
	if at < w.In[axis] {
		to = min(w.Kernel[axis], blocks(w.In[axis]-at, step))
	}
	return from, to, at
}

// Average computes the mean y under the window for each output.
func (p *Pool) Average(x, y []float32) {
	p.check(x, y)
	p.do(averageForward, poolArgs{x: x, y: y, pass: averagePlane})
}

func averageForwardPlanes(a *poolArgs, lo, hi int) {
	p := a.p
	for plane := lo; plane < hi; plane++ {
		x := a.x[plane*p.pixels():][:p.pixels()]
		y := a.y[plane*p.outputs():][:p.outputs()]
		clear(y)
		for i := range p.taps() {
			t := p.tap(i)
			t.each(func(x, y []float32, step int) {
				for j := range y {
					y[j] += x[j*step]
				}
			}, x, y)
		}
		for i, n := range p.area {
			y[i] /= n
		}
	}
}

// AverageBackward computes the gradient dx of the input from the gradient dy of
// the output.
func (p *Pool) AverageBackward(dy, dx []float32) {
	p.check(dx, dy)
	p.do(averageBackward, poolArgs{y: dy, dx: dx, pass: averageBackwardPlane})
}

func averageBackwardPlanes(a *poolArgs, lo, hi int) {
	p := a.p
	for plane := lo; plane < hi; plane++ {
		dx := a.dx[plane*p.pixels():][:p.pixels()]
		dy := a.y[plane*p.outputs():][:p.outputs()]
		clear(dx)
		for i := range p.taps() {
			t := p.tap(i)
			step := p.Stride[2]
			for r := range p.rows() {
				at, ok := t.row(r)
				if !ok {
					continue
				}
				for j := t.lo; j < t.hi; j++ {
					o := r*p.Out[2] + j
					dx[at+j*step] += dy[o] / p.area[o]
				}
			}
		}
	}
}

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
