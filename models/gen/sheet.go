package main

import (
	"fmt"
	"image"
	"image/png"
	"io"

	"finetune/models"
)

// sheet writes a PNG with the first digits of a style, enlarged, a column for
// each, so that a person can judge them.
func sheet(w io.Writer, style string) error {
	styles := map[string]models.Style{"clean": models.Clean, "rough": models.Rough}
	s, ok := styles[style]
	if !ok {
		return fmt.Errorf("no style %q: there are clean and rough", style)
	}
	digits := models.Digits{Style: s, Seed: 1}
	const (
		columns = 20
		rows    = 12
		zoom    = 2
		cell    = models.Side*zoom + 2
	)
	page := image.NewGray(image.Rect(0, 0, columns*cell, rows*cell))
	for i := range page.Pix {
		page.Pix[i] = 128
	}
	var pixels [models.Side * models.Side]uint8
	for i := range columns * rows {
		digits.Draw(i, pixels[:])
		left, top := i%columns*cell+1, i/columns*cell+1
		for y := range models.Side * zoom {
			for x := range models.Side * zoom {
				page.Pix[(top+y)*page.Stride+left+x] = pixels[y/zoom*models.Side+x/zoom]
			}
		}
	}
	return png.Encode(w, page)
}
