package kernel

import (
	"fmt"
	"math"
)

// Regions pools parts of images, each cut into Rows by Cols cells: the weighted
// elements that Cell names for a cell are averaged or, with Max, the largest
// counts. A cell without elements gives 0.
type Regions struct {
	Images, Channels, Height, Width int
	Rows, Cols                      int
	Max                             bool

	// Cell adds what a cell of a box (x1, y1, x2, y2) reads to taps.
	Cell func(taps []Tap, box []float32, row, col int) []Tap
}

// Tap is an element of a plane and what it counts.
type Tap struct {
	At     int
	Weight float32
}

// Pool computes out (regions, Channels, Rows, Cols) from x (Images, Channels,
// Height, Width). images says which image the box of a region is on.
func (r *Regions) Pool(out, x, boxes []float32, images []int64) {
	r.check(out, x, boxes, images)
	cells, plane := r.Rows*r.Cols, r.Height*r.Width
	Parallel(len(images), func(k int) {
		var taps []Tap
		for cell := range cells {
			taps = r.Cell(taps[:0], boxes[4*k:4*k+4], cell/r.Cols, cell%r.Cols)
			for c := range r.Channels {
				from := x[(int(images[k])*r.Channels+c)*plane:][:plane]
				y := &out[(k*r.Channels+c)*cells+cell]
				if r.Max {
					_, *y = largest(taps, from)
				} else {
					*y = weighted(taps, from)
				}
			}
		}
	})
}

// PoolGrad computes the gradient dx of x from that of the result, g.
func (r *Regions) PoolGrad(dx, g, x, boxes []float32, images []int64) {
	r.check(g, x, boxes, images)
	clear(dx)
	cells, plane := r.Rows*r.Cols, r.Height*r.Width
	Parallel(r.Channels, func(c int) {
		var taps []Tap
		for k, image := range images {
			first := (int(image)*r.Channels + c) * plane
			for cell := range cells {
				taps = r.Cell(taps[:0], boxes[4*k:4*k+4], cell/r.Cols, cell%r.Cols)
				g := g[(k*r.Channels+c)*cells+cell]
				if !r.Max {
					for _, t := range taps {
						dx[first+t.At] += g * t.Weight
					}
				} else if i, _ := largest(taps, x[first:first+plane]); i >= 0 {
					dx[first+taps[i].At] += g * taps[i].Weight
				}
			}
		}
	})
}

func (r *Regions) check(out, x, boxes []float32, images []int64) {
	if len(x) != r.Images*r.Channels*r.Height*r.Width || len(boxes) != 4*len(images) || len(out) != len(images)*r.Channels*r.Rows*r.Cols {
		panic(fmt.Sprintf("kernel: %d regions with %d boxes of %d elements make %d", len(images), len(boxes), len(x), len(out)))
	}
}

// largest is the tap whose weighted element is the largest, the first of equals,
// and that; -1 and 0 without taps.
func largest(taps []Tap, x []float32) (int, float32) {
	best, most := -1, float32(0)
	for i, t := range taps {
		if v := t.Weight * x[t.At]; i == 0 || v > most {
			best, most = i, v
		}
	}
	return best, most
}

func weighted(taps []Tap, x []float32) float32 {
	total := float32(0)
	for _, t := range taps {
		total += t.Weight * x[t.At]
	}
	return total
}

// Align is how RoiAlign reads a box: at points evenly spread over each cell, by
// bilinear interpolation between the centres of elements (He, Gkioxari, Dollár,
// Girshick, "Mask R-CNN", 2017).
type Align struct {
	Scale     float64 // from coordinates of boxes to elements
	HalfPixel bool    // element 0 lies at 0.5, not at 0; else boxes have at least one element
	Points    int     // along each axis of a cell; 0 is one an element, rounded up
}

// AlignRegions makes r read boxes that way.
func (r *Regions) AlignRegions(a Align) {
	r.Cell = func(taps []Tap, box []float32, row, col int) []Tap {
		x, dx, nx := a.points(box[0], box[2], r.Cols, col)
		y, dy, ny := a.points(box[1], box[3], r.Rows, row)
		share := 1 / float64(max(nx*ny, 1))
		if r.Max {
			share = 1
		}
		for i := range ny {
			for j := range nx {
				taps = r.between(taps, y+float64(i)*dy, x+float64(j)*dx, share)
			}
		}
		return taps
	}
}

// points is the first point that a cell reads along an axis, the distance to the
// next, and how many there are.
func (a Align) points(from, to float32, cells, cell int) (first, step float64, n int) {
	start, end := float64(from)*a.Scale, float64(to)*a.Scale
	size := end - start
	if a.HalfPixel {
		start -= 0.5
	} else {
		size = max(size, 1)
	}
	size /= float64(cells)
	n = a.Points
	if n == 0 {
		n = int(min(math.Ceil(size), 1<<12))
	}
	step = size / float64(max(n, 1))
	return start + size*float64(cell) + step/2, step, max(n, 0)
}

// between adds the four elements around a point, none for one that lies more than
// an element outside.
func (r *Regions) between(taps []Tap, y, x, share float64) []Tap {
	if !(y >= -1 && y <= float64(r.Height) && x >= -1 && x <= float64(r.Width)) {
		return taps
	}
	y0, y1, fy := neighbours(y, r.Height)
	x0, x1, fx := neighbours(x, r.Width)
	return append(taps,
		Tap{y0*r.Width + x0, float32(share * (1 - fy) * (1 - fx))}, Tap{y0*r.Width + x1, float32(share * (1 - fy) * fx)},
		Tap{y1*r.Width + x0, float32(share * fy * (1 - fx))}, Tap{y1*r.Width + x1, float32(share * fy * fx)})
}

// neighbours is the elements below and above a place, which is held to those
// there are, and how far it is from the lower one.
func neighbours(at float64, n int) (low, high int, part float64) {
	at = min(max(at, 0), float64(n-1))
	low = int(at)
	return low, min(low+1, n-1), at - float64(low)
}

// BinRegions makes r read boxes as RoiPool does: corners rounded to elements, cells
// that overlap where sizes do not divide (Girshick, "Fast R-CNN", 2015).
func (r *Regions) BinRegions(scale float64) {
	span := func(from, to float32, cells, cell, n int) (int, int) {
		start, end := math.Round(float64(from)*scale), math.Round(float64(to)*scale)
		size := max(end-start+1, 1) / float64(cells)
		low, high := start+math.Floor(float64(cell)*size), start+math.Ceil(float64(cell+1)*size)
		return int(min(max(low, 0), float64(n))), int(min(max(high, 0), float64(n)))
	}
	r.Cell = func(taps []Tap, box []float32, row, col int) []Tap {
		x0, x1 := span(box[0], box[2], r.Cols, col, r.Width)
		y0, y1 := span(box[1], box[3], r.Rows, row, r.Height)
		for y := y0; y < y1; y++ {
			for x := x0; x < x1; x++ {
				taps = append(taps, Tap{y*r.Width + x, 1})
			}
		}
		return taps
	}
}
