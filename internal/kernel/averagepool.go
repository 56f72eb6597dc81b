package kernel

var (
	averageForward  = split(averageForwardPlanes)
	averageBackward = split(averageBackwardPlanes)
)

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
