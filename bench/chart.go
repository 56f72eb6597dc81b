package main

import (
	"bytes"
	"fmt"
	"image/color"
	"math"
	"slices"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/plotutil"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// chart is a picture of curves.
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

// curve is a line through points. What an axis has no place for, such as NaN, or 0
// where it is logarithmic, is left out.
type curve struct {
	name   string
	dashed bool         // belongs to the one before, and has its colour
	points [][2]float64 // by x
}

// Sizes in points: the picture without its legend, which is beneath, and what is in it.
const (
	chartWidth, chartHeight = 480, 300
	chartEdge               = 8
	titleSize, textSize     = 12, 9
	legendLine, legendThumb = 13, 28
	lineWidth, glyphRadius  = 1.5, 2.5
)

// palette has colours that those who see few tell apart: Okabe and Ito, "Color
// Universal Design", 2008.
var palette = []color.Color{
	color.RGBA{0x00, 0x72, 0xb2, 0xff}, color.RGBA{0xd5, 0x5e, 0x00, 0xff}, color.RGBA{0x00, 0x9e, 0x73, 0xff},
	color.RGBA{0xcc, 0x79, 0xa7, 0xff}, color.RGBA{0xe6, 0x9f, 0x00, 0xff}, color.RGBA{0x56, 0xb4, 0xe9, 0xff},
}

var gridColour = color.Gray{Y: 0xdd}

// svg draws the chart; nil if there is nothing to draw.
func (c chart) svg() []byte {
	p, legend := plot.New(), plot.NewLegend()
	p.Title.Text, p.Title.Padding = c.title, vg.Points(chartEdge)
	p.Add(&plotter.Grid{
		Vertical:   draw.LineStyle{Color: gridColour, Width: 0.5},
		Horizontal: draw.LineStyle{Color: gridColour, Width: 0.5},
	})
	var xs, ys []float64
	solid := 0
	for _, curve := range c.curves {
		if !curve.dashed {
			solid++
		}
		look := max(solid-1, 0)
		var points plotter.XYs
		for _, at := range curve.points {
			if c.x.shows(at[0]) && c.y.shows(at[1]) {
				x, y := c.x.unit(at[0]), c.y.unit(at[1])
				points = append(points, plotter.XY{X: x, Y: y})
				xs, ys = append(xs, x), append(ys, y)
			}
		}
		colour := palette[look%len(palette)]
		line := &plotter.Line{XYs: points, LineStyle: draw.LineStyle{Color: colour, Width: lineWidth}}
		if curve.dashed {
			line.Dashes = []vg.Length{5, 3}
		}
		glyphs := &plotter.Scatter{XYs: points, GlyphStyle: draw.GlyphStyle{Color: colour, Radius: glyphRadius, Shape: plotutil.Shape(look)}}
		legend.Add(curve.name, line, glyphs)
		if len(points) > 0 {
			p.Add(line, glyphs)
		}
	}
	if len(xs) == 0 {
		return nil
	}
	c.x.set(&p.X, xs)
	c.y.set(&p.Y, ys)

	legend.Top, legend.Left, legend.ThumbnailWidth = true, true, legendThumb
	for _, style := range []*text.Style{&p.X.Label.TextStyle, &p.Y.Label.TextStyle, &p.X.Tick.Label, &p.Y.Tick.Label, &legend.TextStyle, &p.Title.TextStyle} {
		style.Font.Variant, style.Font.Size = "Sans", textSize
	}
	p.Title.TextStyle.Font.Size = titleSize
	legend.Padding = legendLine - legend.TextStyle.Rectangle("0").Max.Y

	under := vg.Length(legendLine * len(c.curves))
	canvas := vgsvg.New(chartWidth, chartHeight+under)
	page := draw.New(canvas)
	page.SetColor(color.White) // readers' pages may be dark
	page.Fill(page.Rectangle.Path())
	page = draw.Crop(page, chartEdge, -chartEdge, chartEdge, -chartEdge)
	p.Draw(draw.Crop(page, 0, 0, under+chartEdge, 0))
	legend.Draw(draw.Crop(page, 5*chartEdge, 0, 0, under-page.Size().Y))
	var b bytes.Buffer
	canvas.WriteTo(&b) // a buffer takes all
	// Who has not the font that the widths were reckoned with gets one much like it.
	return bytes.ReplaceAll(b.Bytes(), []byte("font-family:Liberation Sans;"), []byte("font-family:Liberation Sans,Arial,Helvetica,sans-serif;"))
}

// shows tells whether there is a place for a value on the axis.
func (a axis) shows(v float64) bool {
	return !math.IsNaN(v) && !math.IsInf(v, 0) && (!a.log || v > 0)
}

// unit is a value in the unit of plots: its logarithm where the axis is logarithmic.
// (With plot.LogScale the label of an axis takes room above the frame.)
func (a axis) unit(v float64) float64 {
	if a.log {
		return math.Log10(v)
	}
	return v
}

// set gives an axis of a plot its label, ticks, and range, for values in its unit.
func (a axis) set(to *plot.Axis, values []float64) {
	to.Label.Text, to.Label.Padding = a.label, 4
	to.Padding = 0
	to.Tick.Marker = a
	to.Min, to.Max = a.span(values)
}

// span is the range of some values, in the unit, with a margin. It starts at zero
// where that is near.
func (a axis) span(values []float64) (low, high float64) {
	low, high = slices.Min(values), slices.Max(values)
	if !a.log && low > 0 && low < high/2 {
		low = 0
	}
	margin := 0.05 * (high - low)
	if margin == 0 {
		margin = 0.5
	}
	return low - margin, high + margin
}

// Ticks implements plot.Ticker: the marks, or round numbers, as plain numbers. One
// that is too near the next has no number.
func (a axis) Ticks(low, high float64) []plot.Tick {
	if a.marks == nil && !a.log {
		return plot.DefaultTicks{}.Ticks(low, high)
	}
	marks := a.marks
	if marks == nil {
		marks = roundNumbers(low, high)
	}
	const apart = 0.035 // of the axis
	var list []plot.Tick
	next := math.Inf(1)
	for _, v := range slices.Backward(marks) {
		at := a.unit(v)
		if at < low || at > high {
			continue
		}
		tick := plot.Tick{Value: at}
		if next-at >= apart*(high-low) {
			tick.Label, next = strconv.FormatFloat(v, 'f', -1, 64), at
		}
		list = append(list, tick)
	}
	return list
}

// roundNumbers are 1, 2 and 5 times the powers of ten between two exponents; beyond
// three decades 1 times.
func roundNumbers(low, high float64) []float64 {
	steps := []int{1, 2, 5}
	if high-low > 3 {
		steps = steps[:1]
	}
	var list []float64
	for decade := int(math.Floor(low)); decade <= int(math.Floor(high)); decade++ {
		for _, step := range steps {
			if v, err := strconv.ParseFloat(fmt.Sprintf("%de%d", step, decade), 64); err == nil { // the nearest, unlike a product
				list = append(list, v)
			}
		}
	}
	return list
}
