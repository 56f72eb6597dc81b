package kernel

// planes is a layout of images in which an element that a result reads is a
// fixed distance behind the one that a tap with shift 0 reads, padding included.
// A channel has a slice for each tap of depth, in which there are planes for
// each plane of the height and of the width.
type planes struct {
	isa   *sweepLoops
	axes  [3]axis
	pitch int // of rows
	size  int // of a plane

	padding []float32 // a row of it, if it is not 0
}

// newPlanes lays out planes for so many rows and columns of results. All columns
// at once need less room.
func newPlanes(isa *sweepLoops, axes [3]axis, rows, cols int) planes {
	h, w := &axes[1], &axes[2]
	p := planes{isa: isa, axes: axes, pitch: cols + w.ahead}
	if cols == w.count() {
		p.pitch -= w.shared()
	}
	p.size = p.pitch * (rows + h.ahead)
	return p
}

// slice is the size of a slice.
func (p *planes) slice() int { return len(p.axes[1].planes) * len(p.axes[2].planes) * p.size }

// room is the size of planes for an image with one channel and no depth.
func (p *planes) room() int { return p.slice() + p.axes[2].shared() }

// loadImage copies an image with one channel and no depth.
func (p *planes) loadImage(to, x []float32) {
	taps := [1]axisTap{}
	p.load(to, x, 1, taps[:], 0, 0, p.axes[1].count(), 0)
	for i := p.slice(); i < p.room(); i++ { // rows share their padding
		to[i] = 0
		if p.padding != nil {
			to[i] = p.padding[0]
		}
	}
}

// offset is where a tap finds the element for the first result, from the start
// of a channel.
func (p *planes) offset(slice int, h, w axisTap) int {
	plane := (slice*len(p.axes[1].planes)+h.plane)*len(p.axes[2].planes) + w.plane
	return plane*p.size + h.shift*p.pitch + w.shift
}

// load copies channels of an image, which lie behind each other at x, for
// results at the given place. A tap of depth reads at its shift behind depth.
func (p *planes) load(to, x []float32, channels int, taps []axisTap, depth, row, rows, col int) {
	d, h, w := &p.axes[0], &p.axes[1], &p.axes[2]
	slice := h.source * w.source
	for c := range channels {
		for _, tap := range taps {
			z := d.planes[tap.plane] + (depth+tap.shift)*d.step
			if z < 0 || z >= d.source {
				clear(to[:p.slice()])
				to = to[p.slice():]
				continue
			}
			from := x[(c*d.source+z)*slice:][:slice]
			for ph := range h.planes {
				for pw := range w.planes {
					p.loadPlane(to[:p.size], from, ph, pw, row, rows, col)
					to = to[p.size:]
				}
			}
		}
	}
}

func (p *planes) loadPlane(plane, x []float32, ph, pw, row, rows, col int) {
	h, w := &p.axes[1], &p.axes[2]
	top, bottom, y := h.inside(ph, row, row+rows+h.ahead)
	left, right, at := w.inside(pw, col, col+p.pitch)
	if top > 0 || left > 0 || bottom*right < len(plane) {
		if p.padding == nil {
			clear(plane)
		} else {
			p.isa.copyRows(&plane[0], 4*p.pitch, &p.padding[0], 0, rows+h.ahead, p.pitch)
		}
	}
	rows, n := bottom-top, right-left
	if rows == 0 || n == 0 {
		return
	}
	to, from := plane[top*p.pitch+left:], x[y*w.source+at:]
	stride := h.step * w.source
	switch w.step {
	case 1:
		p.isa.copyRows(&to[0], 4*p.pitch, &from[0], 4*stride, rows, n)
	case 2:
		p.isa.pickRows(&to[0], 4*p.pitch, &from[0], 4*stride, rows, n)
	default:
		for r := range rows {
			for i := range n {
				to[r*p.pitch+i] = from[r*stride+i*w.step]
			}
		}
	}
}
