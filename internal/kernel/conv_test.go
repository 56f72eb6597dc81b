package kernel

import (
	"fmt"
	"math"
	"slices"
	"testing"
)

// slide describes a window for tests: lists have an element for each axis.
type slide struct {
	in, kernel, strides, dilations, begin, end []int
}

// window is the window and the sizes of its output.
func (s slide) window() Window {
	var out []int
	for i := range s.in {
		span := (s.kernel[i]-1)*s.dilations[i] + 1
		out = append(out, (s.in[i]+s.begin[i]+s.end[i]-span)/s.strides[i]+1)
	}
	return NewWindow(s.in, out, s.kernel, s.strides, s.dilations, s.begin)
}

// visit calls f for each output o of a channel, each tap k and the input x they
// meet at, where it is not in the padding.
func visit(w *Window, f func(o, k, x int)) {
	for o := range w.outputs() {
		for k := range w.taps() {
			od, oh, ow := o/w.Out[2]/w.Out[1], o/w.Out[2]%w.Out[1], o%w.Out[2]
			kd, kh, kw := k/w.Kernel[2]/w.Kernel[1], k/w.Kernel[2]%w.Kernel[1], k%w.Kernel[2]
			d := od*w.Stride[0] + kd*w.Dilation[0] - w.Pad[0]
			h := oh*w.Stride[1] + kh*w.Dilation[1] - w.Pad[1]
			x := ow*w.Stride[2] + kw*w.Dilation[2] - w.Pad[2]
			if d >= 0 && d < w.In[0] && h >= 0 && h < w.In[1] && x >= 0 && x < w.In[2] {
				f(o, k, (d*w.In[1]+h)*w.In[2]+x)
			}
		}
	}
}

// convTerms calls f for each product that a convolution adds up, with the places
// of the output, the input and the weight.
func convTerms(c *Conv, f func(y, x, w int)) {
	perGroup, filters := c.C/c.Groups, c.M/c.Groups
	for n := range c.N {
		for m := range c.M {
			for i := range perGroup {
				channel := m/filters*perGroup + i
				visit(&c.Window, func(o, k, x int) {
					f((n*c.M+m)*c.outputs()+o, (n*c.C+channel)*c.pixels()+x, (m*perGroup+i)*c.taps()+k)
				})
			}
		}
	}
}

func convCases() []*Conv {
	var cases []*Conv
	add := func(n, c, m, groups int, s slide) {
		cases = append(cases, NewConv(n, c, m, groups, s.window()))
	}
	one, none := []int{1, 1}, []int{0, 0}
	add(2, 3, 5, 1, slide{[]int{7, 6}, []int{3, 3}, one, one, one, one})
	add(2, 3, 5, 1, slide{[]int{7, 9}, []int{3, 2}, []int{2, 3}, one, []int{0, 1}, []int{2, 0}})
	add(1, 2, 4, 2, slide{[]int{9, 8}, []int{2, 3}, []int{1, 2}, []int{3, 2}, []int{2, 1}, []int{1, 3}})
	add(3, 4, 6, 1, slide{[]int{5, 5}, []int{1, 1}, one, one, none, none}) // plain
	add(3, 4, 6, 2, slide{[]int{5, 5}, []int{1, 1}, []int{2, 2}, one, none, none})
	add(2, 4, 4, 4, slide{[]int{8, 7}, []int{3, 3}, one, one, one, one})                  // each channel by itself
	add(2, 3, 6, 3, slide{[]int{8, 7}, []int{3, 2}, []int{2, 2}, []int{1, 2}, one, none}) // two filters each
	add(1, 1, 1, 1, slide{[]int{3, 3}, []int{3, 3}, one, one, []int{4, 4}, []int{4, 4}})  // rows of padding only
	add(2, 1, 8, 1, slide{[]int{28, 28}, []int{5, 5}, one, one, []int{2, 2}, []int{2, 2}})
	add(2, 3, 4, 1, slide{[]int{40}, []int{9}, []int{4}, []int{2}, []int{3}, []int{8}})
	add(1, 2, 4, 1, slide{[]int{300}, []int{260}, []int{1}, []int{1}, []int{130}, []int{129}}) // more taps than a block has rows
	add(2, 2, 4, 1, slide{[]int{4, 5, 3}, []int{2, 3, 2}, []int{1, 2, 1}, []int{2, 1, 1}, []int{1, 0, 1}, []int{0, 2, 1}})
	add(9, 20, 70, 1, slide{[]int{4, 4}, []int{3, 3}, one, one, one, one}) // several blocks, partial sums
	add(2, 5, 4, 1, slide{[]int{1, 1}, []int{3, 3}, one, one, one, one})
	add(2, 0, 5, 1, slide{[]int{7, 6}, []int{3, 3}, one, one, one, one}) // nothing to add up
	return cases
}

func name(c *Conv) string {
	return fmt.Sprintf("%dx%d to %d, %d groups, in %v, kernel %v, stride %v, dilation %v, pad %v",
		c.N, c.C, c.M, c.Groups, c.In, c.Kernel, c.Stride, c.Dilation, c.Pad)
}

// operands are an input, weights, biases and a gradient of the output.
func operands(c *Conv) (x, w, b, dy []float32) {
	return noise(1, c.N*c.C*c.pixels()), noise(2, c.M*c.weights()), noise(3, c.M), noise(4, c.N*c.M*c.outputs())
}

// dirty is n elements that nobody may read.
func dirty(n int) []float32 {
	x := make([]float32, n)
	fill(x, float32(math.NaN()))
	return x
}

// tolerance bounds the error of a sum of so many products.
func tolerance(terms int) float64 { return 3e-6 * math.Sqrt(float64(10+terms)) }

func TestConv(t *testing.T) { eachISA(t, testConv) }

func testConv(t *testing.T) {
	for _, c := range convCases() {
		x, w, b, dy := operands(c)
		y, dx, dw := make([]float64, len(dy)), make([]float64, len(x)), make([]float64, len(w))
		convTerms(c, func(iy, ix, iw int) {
			y[iy] += float64(x[ix]) * float64(w[iw])
			dx[ix] += float64(dy[iy]) * float64(w[iw])
			dw[iw] += float64(dy[iy]) * float64(x[ix])
		})
		got := dirty(len(y))
		c.Forward(x, w, got, Epilogue{})
		compare(t, name(c)+": forward", got, y, tolerance(c.weights()))
		for i := range y {
			y[i] += float64(b[i/c.outputs()%c.M])
		}
		got = dirty(len(y))
		c.Forward(x, w, got, Epilogue{Row: b})
		compare(t, name(c)+": forward with bias", got, y, tolerance(c.weights()))
		got = dirty(len(dx))
		c.BackwardData(dy, w, got, Epilogue{})
		compare(t, name(c)+": gradient of the input", got, dx, tolerance(c.M/c.Groups*c.taps()))
		got = dirty(len(dw))
		c.BackwardWeights(x, dy, got, dirty(c.Scratch()))
		compare(t, name(c)+": gradient of the weights", got, dw, tolerance(c.N*c.outputs()))
	}
}

func TestConvThreads(t *testing.T) { eachISA(t, testConvThreads) }

func testConvThreads(t *testing.T) {
	for _, c := range convCases() {
		x, w, b, dy := operands(c)
		sameBits(t, name(c), func() []float32 {
			y, dx, dw := dirty(len(dy)), dirty(len(x)), dirty(len(w))
			c.Forward(x, w, y, Epilogue{Row: b})
			c.BackwardData(dy, w, dx, Epilogue{})
			c.BackwardWeights(x, dy, dw, dirty(c.Scratch()))
			return slices.Concat(y, dx, dw)
		})
	}
}

func TestConvAllocates(t *testing.T) {
	if raceDetector {
		t.Skip("allocations cannot be counted under the race detector")
	}
	for _, c := range convCases() {
		x, w, b, dy := operands(c)
		scratch := make([]float32, c.Scratch())
		got := testing.AllocsPerRun(5, func() {
			c.Forward(x, w, dy, Epilogue{Row: b})
			c.BackwardData(dy, w, x, Epilogue{})
			c.BackwardWeights(x, dy, w, scratch)
		})
		if got > 0 {
			t.Errorf("%s: allocations: got %v, want 0", name(c), got)
		}
	}
}

func BenchmarkConv(b *testing.B) {
	three, five, one, two := []int{3, 3}, []int{5, 5}, []int{1, 1}, []int{2, 2}
	for _, l := range []struct {
		name string
		c    *Conv
	}{
		{"1to8_5x5_28", NewConv(64, 1, 8, 1, slide{[]int{28, 28}, five, one, one, two, two}.window())},
		{"8to16_5x5_14", NewConv(64, 8, 16, 1, slide{[]int{14, 14}, five, one, one, two, two}.window())},
		{"64to64_3x3_28", NewConv(4, 64, 64, 1, slide{[]int{28, 28}, three, one, one, one, one}.window())},
		{"64to128_1x1_28", NewConv(4, 64, 128, 1, slide{[]int{28, 28}, one, one, one, []int{0, 0}, []int{0, 0}}.window())},
		{"depthwise64_3x3_28", NewConv(8, 64, 64, 64, slide{[]int{28, 28}, three, one, one, one, one}.window())},
	} {
		c := l.c
		x, w, bias, dy := operands(c)
		scratch := make([]float32, c.Scratch())
		y, dx, dw := make([]float32, len(dy)), make([]float32, len(x)), make([]float32, len(w))
		operations := 2 * len(dy) * c.weights()
		b.Run(l.name+"/forward", func(b *testing.B) {
			for b.Loop() {
				c.Forward(x, w, y, Epilogue{Row: bias})
			}
			report(b, operations)
		})
		b.Run(l.name+"/data", func(b *testing.B) {
			for b.Loop() {
				c.BackwardData(dy, w, dx, Epilogue{})
			}
			report(b, operations)
		})
		b.Run(l.name+"/weights", func(b *testing.B) {
			for b.Loop() {
				c.BackwardWeights(x, dy, dw, scratch)
			}
			report(b, operations)
		})
	}
}
