package models

import (
	"image"
	"image/draw"
)

// clean draws a digit as a printer sets it.
func (c *canvas) clean(digit int, pixels []uint8) {
	faces := typefaces()
	face := &faces[c.rand.IntN(len(faces))]
	height := c.between(17, 22)
	width := height * c.between(0.9, 1.1)

	c.raster.Reset(Side, Side)
	face[digit].fill(&c.raster, affine{
		width, 0, Side/2 + c.between(-2, 2),
		0, height, Side/2 + c.between(-2, 2),
	})
	c.cover()
	copy(pixels, c.ink.Pix)
}

// cover finishes the shapes on the raster: how much of each pixel they cover.
func (c *canvas) cover() {
	c.raster.DrawOp = draw.Src
	c.raster.Draw(&c.ink, c.ink.Rect, image.Opaque, image.Point{})
}
