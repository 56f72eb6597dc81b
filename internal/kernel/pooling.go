package kernel

import "fmt"

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

var planned = split(plannedPlanes)

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
