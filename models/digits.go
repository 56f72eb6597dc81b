package models

import (
	"fmt"
	"image"
	"math/rand/v2"
	"sync"

	"golang.org/x/image/vector"
)

// Side is the width and the height of a drawn digit, in pixels.
const Side = 28

// Style is a way to draw digits.
type Style uint8

const (
	// Clean digits are set in one of thirteen fonts, upright, white on black,
	// with a little play in size and place. DigitsONNX has learned these.
	Clean Style = iota

	// Rough digits are drawn by hand with an uneven pen, then turned by up to
	// 25°, slanted, lit from one side, smudged and covered with noise; one
	// in four is dark on light.
	Rough
)

// String is the name of the style in lower case.
func (s Style) String() string {
	switch s {
	case Clean:
		return "clean"
	case Rough:
		return "rough"
	}
	return fmt.Sprintf("Style(%d)", uint8(s))
}

// Digits is an endless data set of drawn digits. Nothing is stored: each
// picture follows from Style, Seed and its index alone, so two values that are
// equal draw the same pictures, and different seeds draw different ones. Use
// one seed for training and another for held-out digits.
type Digits struct {
	Style Style
	Seed  uint64
}

// Label is the digit that picture number index shows. Digits come in turn, from
// 0 to 9 and over again. It panics if index is negative.
func (d Digits) Label(index int) int {
	if index < 0 {
		panic(fmt.Sprintf("models: no picture %d", index))
	}
	return index % 10
}

// Draw draws picture number index into pixels, row by row, 0 for black to 255
// for white, and returns its Label. It may be called from several goroutines at
// once.
//
// It panics if index is negative or pixels does not hold Side·Side elements.
func (d Digits) Draw(index int, pixels []uint8) (label int) {
	label = d.Label(index)
	if len(pixels) != Side*Side {
		panic(fmt.Sprintf("models: a picture has %d pixels, not %d", Side*Side, len(pixels)))
	}
	c := canvases.Get().(*canvas)
	defer canvases.Put(c)
	c.source.Seed(mix(d.Seed), mix(uint64(d.Style)<<56^uint64(index)))
	switch d.Style {
	case Clean:
		c.clean(label, pixels)
	case Rough:
		c.rough(label, pixels)
	default:
		panic("models: no style " + d.Style.String())
	}
	return label
}

// canvas is what drawing one picture needs. It draws its chances from rand.
type canvas struct {
	source rand.PCG
	rand   *rand.Rand
	raster vector.Rasterizer
	ink    image.Alpha // how much of each pixel the ink covers
	path   []point     // a stroke of the pen
}

var canvases = sync.Pool{New: func() any {
	c := &canvas{ink: *image.NewAlpha(image.Rect(0, 0, Side, Side))}
	c.rand = rand.New(&c.source)
	return c
}}

// between is a random number from lo up to hi.
func (c *canvas) between(lo, hi float32) float32 { return lo + (hi-lo)*c.rand.Float32() }

// chance is true with probability p.
func (c *canvas) chance(p float32) bool { return c.rand.Float32() < p }

// mix spreads neighbouring numbers over all 64 bits, so that neighbouring
// pictures have nothing in common. It is the finaliser of SplitMix64 (Steele,
// Lea, Flood: Fast splittable pseudorandom number generators, 2014).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
