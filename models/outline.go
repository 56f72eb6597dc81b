package models

import "golang.org/x/image/vector"

// point is a position on the page: x to the right, y downwards.
type point struct{ x, y float32 }

// outline is the border of a filled shape. A digit's outline is one unit high
// and centred at the origin.
type outline []edge

// edge continues an outline to the point to: along a straight line, along a
// quadratic Bézier curve with the control point via, or, where it starts a new
// contour, without leaving a mark.
type edge struct {
	kind edgeKind
	via  point
	to   point
}

type edgeKind uint8

const (
	move edgeKind = iota
	line
	curve
)

// rectangle appends the border of an upright rectangle, clockwise as outer
// contours are.
func (o outline) rectangle(x0, y0, x1, y1 float32) outline {
	return append(o,
		edge{kind: move, to: point{x0, y0}},
		edge{kind: line, to: point{x1, y0}},
		edge{kind: line, to: point{x1, y1}},
		edge{kind: line, to: point{x0, y1}})
}

// upright moves and scales o to be one unit high and centred at the origin.
// Curves count with their control points, which in a font lie at the extremes.
func (o outline) upright() outline {
	lo, hi := o[0].to, o[0].to
	for _, e := range o {
		if e.kind != curve {
			e.via = e.to
		}
		lo = point{min(lo.x, e.to.x, e.via.x), min(lo.y, e.to.y, e.via.y)}
		hi = point{max(hi.x, e.to.x, e.via.x), max(hi.y, e.to.y, e.via.y)}
	}
	s := 1 / (hi.y - lo.y)
	t := affine{s, 0, -s * (lo.x + hi.x) / 2, 0, s, -s * (lo.y + hi.y) / 2}
	for i, e := range o {
		o[i].via, o[i].to = t.apply(e.via), t.apply(e.to)
	}
	return o
}

// fill adds o, mapped by t, to what r paints.
func (o outline) fill(r *vector.Rasterizer, t affine) {
	for _, e := range o {
		to := t.apply(e.to)
		switch e.kind {
		case move:
			r.ClosePath()
			r.MoveTo(to.x, to.y)
		case line:
			r.LineTo(to.x, to.y)
		case curve:
			via := t.apply(e.via)
			r.QuadTo(via.x, via.y, to.x, to.y)
		}
	}
	r.ClosePath()
}

// affine maps (x, y) to (t[0]·x + t[1]·y + t[2], t[3]·x + t[4]·y + t[5]).
type affine [6]float32

func (t affine) apply(p point) point {
	return point{t[0]*p.x + t[1]*p.y + t[2], t[3]*p.x + t[4]*p.y + t[5]}
}
