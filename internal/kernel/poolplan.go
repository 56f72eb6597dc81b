package kernel

import "math"

// poolPlan is how vector code pools images of one or two axes: it copies them
// into planes in which what a tap reads is a fixed distance away.
type poolPlan struct {
	loops   *poolLoops
	rows    *sweepLoops
	inputs  planes
	lowest  planes      // the same with -Inf as padding
	outputs planes      // of what gradients of inputs come from
	taps    []int32     // for each tap: its number from 1 on, as the bits of a float32, and its distance in bytes
	phases  []poolPhase // of gradients of inputs
	inverse []float32   // 1/area of each output
	spread  []float32   // the same in planes
}

// poolPhase is the gradients of inputs that come through the same taps.
type poolPhase struct {
	row, col phase
	taps     []int32
}

// newPoolPlan returns nil if plain loops must do it.
func newPoolPlan(t *table, p *Pool) *poolPlan {
	w := &p.Window
	if t.pool.max == nil || w.In[0] != 1 || w.Out[0] != 1 || w.Kernel[0] != 1 || w.Pad[0] != 0 || p.Planes*p.pixels()*p.outputs() == 0 {
		return nil
	}
	forward, backward := w.axes(false), w.axes(true)
	plan := &poolPlan{loops: &t.pool, rows: &t.sweep}
	plan.inputs = newPlanes(&t.sweep, forward, w.Out[1], w.Out[2])
	plan.outputs = newPlanes(&t.sweep, backward, backward[1].count(), backward[2].count())
	if plan.inputs.slice()+plan.outputs.slice() > sweepLimit {
		return nil
	}
	plan.lowest = plan.inputs
	for range plan.inputs.pitch {
		plan.lowest.padding = append(plan.lowest.padding, float32(math.Inf(-1)))
	}
	pair := func(l *planes, h, w axisTap) []int32 {
		number := float32(h.tap*p.Kernel[2] + w.tap + 1)
		return []int32{int32(math.Float32bits(number)), int32(4 * l.offset(0, h, w))}
	}
	for _, th := range forward[1].phases[0].taps {
		for _, tw := range forward[2].phases[0].taps {
			plan.taps = append(plan.taps, pair(&plan.inputs, th, tw)...)
		}
	}
	for _, row := range backward[1].phases {
		for _, col := range backward[2].phases {
			phase := poolPhase{row: row, col: col}
			for _, th := range row.taps {
				for _, tw := range col.taps {
					phase.taps = append(phase.taps, pair(&plan.outputs, th, tw)...)
				}
			}
			plan.phases = append(plan.phases, phase)
		}
	}
	for _, n := range p.area {
		plan.inverse = append(plan.inverse, 1/n)
	}
	plan.spread = make([]float32, plan.outputs.room())
	plan.outputs.loadImage(plan.spread, plan.inverse)
	return plan
}

// need is how many elements of memory a task works in.
func (p *poolPlan) need() int {
	return p.inputs.room() + 2*p.outputs.room() + p.area() + p.outputs.axes[1].count()*p.pitch()*len(p.outputs.axes[2].phases)
}

// area is the number of outputs.
func (p *poolPlan) area() int { return len(p.inverse) }

// pitch is the distance between rows of gradients of inputs of a phase.
func (p *poolPlan) pitch() int { return p.outputs.axes[2].count() }

// maxPlane computes the outputs y of an image.
func maxPlane(p *Pool, x, y, _ []float32, mem *memory) {
	plan := p.plan
	planes := mem.take(plan.inputs.room())
	plan.lowest.loadImage(planes, x)
	plan.loops.max(&y[0], 4*p.Out[2], &planes[0], 4*plan.inputs.pitch, &plan.taps[0], len(plan.taps)/2, p.Out[1], p.Out[2])
}

// maxBackwardPlane computes the gradients dx of an image from those of its
// outputs. Plain loops do it where all inputs under a window are -Inf: in planes
// they look like padding.
func maxBackwardPlane(p *Pool, x, dy, dx []float32, mem *memory) {
	plan := p.plan
	planes, numbers := mem.take(plan.inputs.room()), mem.take(p.outputs())
	plan.lowest.loadImage(planes, x)
	if plan.loops.place(&numbers[0], 4*p.Out[2], &planes[0], 4*plan.inputs.pitch, &plan.taps[0], len(plan.taps)/2, p.Out[1], p.Out[2]) != 0 {
		p.maxBackwardPlane(x, dy, dx)
		return
	}
	gradients, places := mem.take(plan.outputs.room()), mem.take(plan.outputs.room())
	plan.outputs.loadImage(gradients, dy)
	plan.outputs.loadImage(places, numbers)
	plan.gather(plan.loops.pick, gradients, places, dx, mem)
}

// averagePlane computes the outputs y of an image.
func averagePlane(p *Pool, x, y, _ []float32, mem *memory) {
	plan := p.plan
	planes := mem.take(plan.inputs.room())
	plan.inputs.loadImage(planes, x)
	plan.loops.sum(&y[0], &plan.inverse[0], 4*p.Out[2], &planes[0], 4*plan.inputs.pitch,
		&plan.taps[0], len(plan.taps)/2, p.Out[1], p.Out[2])
}

// averageBackwardPlane computes the gradients dx of an image from those of its
// outputs.
func averageBackwardPlane(p *Pool, _, dy, dx []float32, mem *memory) {
	gradients := mem.take(p.plan.outputs.room())
	p.plan.outputs.loadImage(gradients, dy)
	p.plan.gather(p.plan.loops.scaled, gradients, p.plan.spread, dx, mem)
}

// gather computes gradients of inputs from planes of gradients of outputs and of
// something about them.
func (p *poolPlan) gather(loop poolGather, dy, about, dx []float32, mem *memory) {
	h, w := &p.outputs.axes[1], &p.outputs.axes[2]
	columns := len(w.phases)
	pitch := p.pitch()
	size := h.count() * pitch
	phases := mem.take(columns * size)
	for i := range p.phases {
		q := &p.phases[i]
		to, rowTo := phases[i%columns*size:], pitch
		if columns == 1 {
			to, rowTo = dx[q.row.first*w.result:], h.stride*w.result
		}
		if len(q.taps) == 0 {
			for r := range q.row.count {
				clear(to[r*rowTo:][:q.col.count])
			}
		} else {
			loop(&to[0], 4*rowTo, &dy[0], &about[0], 4*p.outputs.pitch, &q.taps[0], len(q.taps)/2, q.row.count, q.col.count)
		}
		if columns > 1 && i%columns == columns-1 {
			p.join(dx[q.row.first*w.result:], phases, size, q.row.count)
		}
	}
}

// join makes rows of gradients from those of the phases of columns.
func (p *poolPlan) join(dx, phases []float32, size, rows int) {
	h, w := &p.outputs.axes[1], &p.outputs.axes[2]
	pitch := p.pitch()
	if w.stride == 2 {
		p.rows.joinRows(&dx[0], 4*h.stride*w.result, &phases[0], &phases[size], 4*pitch, rows, w.result)
		return
	}
	for i := range w.phases {
		for r := range rows {
			to := dx[r*h.stride*w.result+i:]
			for j, v := range phases[i*size+r*pitch:][:w.phases[i].count] {
				to[j*w.stride] = v
			}
		}
	}
}
