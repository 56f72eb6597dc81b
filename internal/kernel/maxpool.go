package kernel

import "math"

var (
	maxForward    = split(maxForwardPlanes)
	maxBackward   = split(maxBackwardPlanes)
	squareMax     = split(squareMaxPlanes)
	squareMaxGrad = split(squareMaxGradPlanes)
)

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
