package main

import (
	"bytes"
	"fmt"
	"html"
	"math"
)

// chart is a picture of curves, drawn as SVG.
type chart struct {
	title  string
	x, y   axis
	curves []curve
}

type axis struct {
	label string
	log   bool
	marks []float64 // where to draw lines; nil is at round numbers
}

type curve struct {
	name   string
	dashed bool
	points [][2]float64 // by x
}

// Sizes in pixels: the picture, and the frame that the curves are in.
const (
	chartWidth, chartHeight   = 640, 400
	frameLeft, frameTop       = 70, 40
	frameRight, frameBottom   = 620, 340
	pixelsPerTick             = 60
	legendLine, legendSwatch  = 18, 24
	markerRadius, strokeWidth = 3, 2
)

var palette = []string{"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"} // Okabe and Ito, 2008

// scale maps values to pixels.
type scale struct {
	axis
	low, high float64 // in units of the axis: logarithms if it is logarithmic
	from, to  float64 // pixels
}

func newScale(a axis, values []float64, from, to float64) scale {
	s := scale{axis: a, low: math.Inf(1), high: math.Inf(-1), from: from, to: to}
	for _, v := range values {
		s.low, s.high = min(s.low, s.unit(v)), max(s.high, s.unit(v))
	}
	if !a.log && s.low > 0 && s.low < s.high/2 {
		s.low = 0
	}
	if margin := 0.05 * (s.high - s.low); margin > 0 {
		s.low, s.high = s.low-margin, s.high+margin
	} else {
		s.low, s.high = s.low-0.5, s.high+0.5
	}
	return s
}

func (s scale) unit(v float64) float64 {
	if s.log {
		return math.Log10(v)
	}
	return v
}

func (s scale) pixel(v float64) float64 {
	return s.from + (s.unit(v)-s.low)/(s.high-s.low)*(s.to-s.from)
}

// ticks are the marks of the axis, or round numbers within the scale.
func (s scale) ticks() []float64 {
	if s.marks != nil {
		return s.marks
	}
	var list []float64
	if s.log {
		steps := []float64{1, 2, 5}
		if s.high-s.low > 3 {
			steps = []float64{1}
		}
		for decade := math.Floor(s.low); decade <= s.high; decade++ {
			for _, m := range steps {
				if v := m * math.Pow(10, decade); s.unit(v) >= s.low && s.unit(v) <= s.high {
					list = append(list, v)
				}
			}
		}
		return list
	}
	rough := (s.high - s.low) * pixelsPerTick / math.Abs(s.to-s.from)
	power := math.Pow(10, math.Floor(math.Log10(rough)))
	step := power
	for _, m := range []float64{2, 5, 10} {
		if step < rough {
			step = m * power
		}
	}
	for i := math.Ceil(s.low / step); i*step <= s.high; i++ {
		list = append(list, i*step+0) // not -0
	}
	return list
}

// svg draws the chart; nil if there is nothing to draw.
func (c chart) svg() []byte {
	var xs, ys []float64
	for _, curve := range c.curves {
		for _, p := range curve.points {
			xs, ys = append(xs, p[0]), append(ys, p[1])
		}
	}
	if len(xs) == 0 {
		return nil
	}
	x := newScale(c.x, xs, frameLeft, frameRight)
	y := newScale(c.y, ys, frameBottom, frameTop)
	var b bytes.Buffer
	text := func(at, down float64, anchor, extra, s string) {
		fmt.Fprintf(&b, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\"%s>%s</text>\n", at, down, anchor, extra, html.EscapeString(s))
	}
	fmt.Fprintf(&b, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" font-family=\"sans-serif\" font-size=\"12\">\n",
		chartWidth, chartHeight, chartWidth, chartHeight)
	fmt.Fprintf(&b, "<rect width=\"%d\" height=\"%d\" fill=\"white\"/>\n", chartWidth, chartHeight)
	text(chartWidth/2, 22, "middle", " font-size=\"15\"", c.title)
	for _, v := range x.ticks() {
		at := x.pixel(v)
		fmt.Fprintf(&b, "<line x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%d\" stroke=\"#ddd\"/>\n", at, frameTop, at, frameBottom)
		text(at, frameBottom+16, "middle", "", fmt.Sprintf("%.4g", v))
	}
	for _, v := range y.ticks() {
		at := y.pixel(v)
		fmt.Fprintf(&b, "<line x1=\"%d\" y1=\"%.1f\" x2=\"%d\" y2=\"%.1f\" stroke=\"#ddd\"/>\n", frameLeft, at, frameRight, at)
		text(frameLeft-6, at+4, "end", "", fmt.Sprintf("%.4g", v))
	}
	fmt.Fprintf(&b, "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" fill=\"none\" stroke=\"#444\"/>\n",
		frameLeft, frameTop, frameRight-frameLeft, frameBottom-frameTop)
	text((frameLeft+frameRight)/2, frameBottom+36, "middle", "", c.x.label)
	text(16, (frameTop+frameBottom)/2, "middle", fmt.Sprintf(" transform=\"rotate(-90 16 %d)\"", (frameTop+frameBottom)/2), c.y.label)
	solid := 0
	for i, curve := range c.curves {
		dash := ""
		if curve.dashed { // belongs to the one before
			dash = " stroke-dasharray=\"6 4\""
		} else {
			solid++
		}
		colour := palette[(solid+len(palette)-1)%len(palette)]
		var line bytes.Buffer
		for _, p := range curve.points {
			fmt.Fprintf(&line, "%.1f,%.1f ", x.pixel(p[0]), y.pixel(p[1]))
			fmt.Fprintf(&b, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"%d\" fill=\"%s\"/>\n", x.pixel(p[0]), y.pixel(p[1]), markerRadius, colour)
		}
		fmt.Fprintf(&b, "<polyline points=\"%s\" fill=\"none\" stroke=\"%s\" stroke-width=\"%d\"%s/>\n", bytes.TrimSpace(line.Bytes()), colour, strokeWidth, dash)
		down := float64(frameTop + 18 + legendLine*i)
		fmt.Fprintf(&b, "<line x1=\"%d\" y1=\"%.1f\" x2=\"%d\" y2=\"%.1f\" stroke=\"%s\" stroke-width=\"%d\"%s/>\n",
			frameLeft+10, down-4, frameLeft+10+legendSwatch, down-4, colour, strokeWidth, dash)
		text(frameLeft+16+legendSwatch, down, "start", "", curve.name)
	}
	b.WriteString("</svg>\n")
	return b.Bytes()
}
