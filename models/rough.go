package models

import (
	"math"

	"golang.org/x/image/vector"
)

// rough draws a digit as it comes out of a bad scanner.
func (c *canvas) rough(digit int, pixels []uint8) {
	c.raster.Reset(Side, Side)
	c.write(digit)
	c.cover()
	c.develop(pixels)
}

// write puts a digit on the raster by hand.
func (c *canvas) write(digit int) {
	ways := handwriting[digit]
	hand := c.slant(c.between(17, 22))
	pen := pen{width: c.between(1.3, 3.2), swing: c.between(0, 0.35), phase: c.between(0, 2*math.Pi)}
	for _, s := range ways[c.rand.IntN(len(ways))] {
		c.path = s.along(c.path[:0])
		wobble := wave{c.between(0, 0.03), c.between(2, 7), c.between(0, 2*math.Pi)}
		for i, p := range c.path {
			p.x += wobble.at(p.y)
			p.y += wobble.at(p.x + 1)
			c.path[i] = hand.apply(p)
		}
		pen.draw(&c.raster, c.path)
	}
}

// slant maps a digit of one unit onto the picture: height pixels high, narrowed
// or widened, slanted, turned and moved.
func (c *canvas) slant(height float32) affine {
	sin, cos := math.Sincos(float64(c.between(-25, 25)) * math.Pi / 180)
	s, k := float32(sin), float32(cos)
	width := height * c.between(0.75, 1.1)
	shear := height * c.between(-0.25, 0.25)
	return affine{
		k * width, k*shear - s*height, Side/2 + c.between(-2, 2),
		s * width, s*shear + k*height, Side/2 + c.between(-2, 2),
	}
}

// wave is a sine of some height, frequency and phase.
type wave struct{ height, frequency, phase float32 }

func (w wave) at(x float32) float32 {
	return w.height * float32(math.Sin(float64(w.frequency*x+w.phase)))
}

// pen is a round nib whose width, in pixels, swings by a part of itself along
// the way.
type pen struct{ width, swing, phase float32 }

// nib is a circle, near enough at the size of a few pixels.
var nib = func() (c [8]point) {
	for i := range c {
		sin, cos := math.Sincos(2 * math.Pi * float64(i) / float64(len(c)))
		c[i] = point{float32(cos), float32(sin)}
	}
	return c
}()

// draw fills what the pen covers on its way: a disc at each point of path, and
// a bar from each to the next. All contours turn clockwise, so where they
// overlap they add up to ink rather than cancel.
func (p pen) draw(r *vector.Rasterizer, path []point) {
	swing := wave{p.swing, 0.45, p.phase}
	radius := func(i int) float32 { return p.width / 2 * (1 + swing.at(float32(i))) }
	for i, b := range path {
		rb := radius(i)
		disc(r, b, rb)
		if i == 0 {
			continue
		}
		a, ra := path[i-1], radius(i-1)
		dx, dy := b.x-a.x, b.y-a.y
		length := float32(math.Hypot(float64(dx), float64(dy)))
		if length == 0 {
			continue
		}
		nx, ny := dy/length, -dx/length
		r.MoveTo(a.x+nx*ra, a.y+ny*ra)
		r.LineTo(b.x+nx*rb, b.y+ny*rb)
		r.LineTo(b.x-nx*rb, b.y-ny*rb)
		r.LineTo(a.x-nx*ra, a.y-ny*ra)
		r.ClosePath()
	}
}

// disc fills a circle.
func disc(r *vector.Rasterizer, centre point, radius float32) {
	for i, u := range nib {
		x, y := centre.x+radius*u.x, centre.y+radius*u.y
		if i == 0 {
			r.MoveTo(x, y)
		} else {
			r.LineTo(x, y)
		}
	}
	r.ClosePath()
}

// develop turns coverage into the grey of a bad scan: paper and ink of some
// brightness, light from one side, blots, and noise.
func (c *canvas) develop(pixels []uint8) {
	paper, ink := c.between(0, 70), c.between(170, 255)
	if c.chance(0.25) {
		paper, ink = ink, paper
	}
	lightX, lightY := c.between(-1.5, 1.5), c.between(-1.5, 1.5)
	noise := c.between(4, 30)

	var spots [3]blot
	blots := spots[:c.rand.IntN(len(spots)+1)]
	for i := range blots {
		blots[i] = blot{point{c.between(2, Side-2), c.between(2, Side-2)}, c.between(0.8, 2.2), paper}
		if c.chance(0.5) {
			blots[i].grey = ink
		}
	}

	for y := range Side {
		for x := range Side {
			cover := float32(c.ink.Pix[y*Side+x]) / 255
			grey := paper + (ink-paper)*cover
			for _, b := range blots {
				grey = b.over(grey, float32(x)+0.5, float32(y)+0.5)
			}
			grey += lightX*(float32(x)-Side/2) + lightY*(float32(y)-Side/2)
			grey += noise * float32(c.rand.NormFloat64())
			pixels[y*Side+x] = uint8(min(max(grey+0.5, 0), 255))
		}
	}
}

// blot is a round spot of one grey, soft at its edge.
type blot struct {
	centre point
	radius float32
	grey   float32
}

// over is the grey at (x, y) with the blot over it.
func (b blot) over(under, x, y float32) float32 {
	dx, dy := x-b.centre.x, y-b.centre.y
	if dx*dx+dy*dy >= (b.radius+1)*(b.radius+1) {
		return under
	}
	cover := min(b.radius+0.5-float32(math.Hypot(float64(dx), float64(dy))), 1)
	if cover <= 0 {
		return under
	}
	return under + (b.grey-under)*cover
}
