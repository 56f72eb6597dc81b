package models

import (
	"fmt"
	"image"
	"sync"

	"golang.org/x/image/font"
	"golang.org/x/image/font/basicfont"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/gobolditalic"
	"golang.org/x/image/font/gofont/goitalic"
	"golang.org/x/image/font/gofont/gomedium"
	"golang.org/x/image/font/gofont/gomediumitalic"
	"golang.org/x/image/font/gofont/gomono"
	"golang.org/x/image/font/gofont/gomonobold"
	"golang.org/x/image/font/gofont/gomonobolditalic"
	"golang.org/x/image/font/gofont/gomonoitalic"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/inconsolata"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
)

// typeface holds the outlines of the digits 0 to 9 in one font.
type typeface [10]outline

// typefaces reads all fonts once, at their first use.
var typefaces = sync.OnceValue(func() []typeface {
	var faces []typeface
	for _, ttf := range [][]byte{
		goregular.TTF, goitalic.TTF, gomedium.TTF, gomediumitalic.TTF, gobold.TTF, gobolditalic.TTF,
		gomono.TTF, gomonoitalic.TTF, gomonobold.TTF, gomonobolditalic.TTF,
	} {
		faces = append(faces, scalable(ttf))
	}
	for _, face := range []*basicfont.Face{basicfont.Face7x13, inconsolata.Regular8x16, inconsolata.Bold8x16} {
		faces = append(faces, bitmap(face))
	}
	return faces
})

// scalable takes the digits from a TrueType font.
func scalable(ttf []byte) (face typeface) {
	f, err := sfnt.Parse(ttf)
	if err != nil {
		panic(fmt.Sprintf("models: built-in font: %v", err))
	}
	em := fixed.Int26_6(f.UnitsPerEm())
	at := func(p fixed.Point26_6) point { return point{float32(p.X), float32(p.Y)} }
	for digit := range face {
		glyph, err := f.GlyphIndex(nil, '0'+rune(digit))
		if err != nil {
			panic(fmt.Sprintf("models: built-in font: digit %d: %v", digit, err))
		}
		segments, err := f.LoadGlyph(nil, glyph, em, nil)
		if err != nil {
			panic(fmt.Sprintf("models: built-in font: digit %d: %v", digit, err))
		}
		var o outline
		for _, s := range segments {
			switch s.Op {
			case sfnt.SegmentOpMoveTo:
				o = append(o, edge{kind: move, to: at(s.Args[0])})
			case sfnt.SegmentOpLineTo:
				o = append(o, edge{kind: line, to: at(s.Args[0])})
			case sfnt.SegmentOpQuadTo:
				o = append(o, edge{kind: curve, via: at(s.Args[0]), to: at(s.Args[1])})
			default:
				panic("models: built-in font: cubic curves do not occur in TrueType")
			}
		}
		face[digit] = o.upright()
	}
	return face
}

// bitmap takes the digits from a bitmap font: each pixel becomes a square, so
// that the digits keep their steps when they are enlarged.
func bitmap(f font.Face) (face typeface) {
	for digit := range face {
		box, mask, at, _, ok := f.Glyph(fixed.Point26_6{}, '0'+rune(digit))
		if !ok {
			panic(fmt.Sprintf("models: built-in bitmap font: no digit %d", digit))
		}
		alpha := mask.(*image.Alpha)
		var o outline
		for y := range box.Dy() {
			for x := range box.Dx() {
				if alpha.AlphaAt(at.X+x, at.Y+y).A > 127 {
					o = o.rectangle(float32(x), float32(y), float32(x+1), float32(y+1))
				}
			}
		}
		face[digit] = o.upright()
	}
	return face
}
