package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func poolWindows() []Window {
	one, two, none := []int{1, 1}, []int{2, 2}, []int{0, 0}
	ragged := slide{[]int{6, 7}, two, two, one, none, none}.window()
	ragged.Out[2] = 4 // the last window is half outside
	return []Window{
		slide{[]int{6, 8}, two, two, one, none, none}.window(),
		slide{[]int{7, 5}, []int{3, 3}, two, one, one, one}.window(),
		slide{[]int{9, 8}, []int{3, 2}, []int{1, 3}, two, []int{2, 0}, []int{0, 1}}.window(),
		slide{[]int{11}, []int{4}, []int{3}, []int{2}, []int{1}, []int{3}}.window(),
		slide{[]int{3, 4, 5}, []int{2, 2, 3}, []int{1, 2, 2}, []int{1, 1, 1}, []int{1, 0, 1}, []int{0, 0, 1}}.window(),
		ragged,
	}
}

func TestMaxPool(t *testing.T) { eachISA(t, testMaxPool) }

func testMaxPool(t *testing.T) {
	for _, w := range poolWindows() {
		p := NewPool(3, w, false, nil)
		x, dy := noise(1, p.Planes*p.pixels()), noise(2, p.Planes*p.outputs())
		for i := range x {
			x[i] = float32(math.Round(float64(x[i]) * 2)) // many equal maxima
		}
		y, dx := make([]float64, len(dy)), make([]float64, len(x))
		first := make([]int, len(dy))
		for i := range y {
			y[i] = math.Inf(-1)
		}
		for plane := range p.Planes {
			visit(&w, func(o, _, i int) {
				o, i = plane*p.outputs()+o, plane*p.pixels()+i
				if v := float64(x[i]); v > y[o] {
					y[o], first[o] = v, i
				}
			})
		}
		for o, i := range first {
			dx[i] += float64(dy[o])
		}
		got := dirty(len(y))
		p.Max(x, got)
		for i := range y {
			if float64(got[i]) != y[i] {
				t.Fatalf("window %+v: output %d: got %v, want %v", w, i, got[i], y[i])
			}
		}
		got = dirty(len(x))
		p.MaxBackward(x, dy, got)
		compare(t, fmt.Sprintf("gradient under window %+v", w), got, dx, 1e-6)
	}
}

func TestMaxPoolNaN(t *testing.T) { eachISA(t, testMaxPoolNaN) }

func testMaxPoolNaN(t *testing.T) {
	nan := float32(math.NaN())
	p := NewPool(1, NewWindow([]int{4}, []int{2}, []int{2}, []int{2}, []int{1}, []int{0}), false, nil)
	y, dx := make([]float32, 2), make([]float32, 4)
	x := []float32{5, nan, 1, 2}
	p.Max(x, y)
	if y[0] == y[0] || y[1] != 2 {
		t.Errorf("maxima: got %v, want NaN and 2", y)
	}
	p.MaxBackward(x, []float32{1, 1}, dx)
	if want := []float32{0, 1, 0, 1}; !slices.Equal(dx, want) {
		t.Errorf("gradient: got %v, want %v", dx, want)
	}
}

func TestMaxPoolOfPadding(t *testing.T) { eachISA(t, testMaxPoolOfPadding) }

func testMaxPoolOfPadding(t *testing.T) {
	p := NewPool(1, NewWindow([]int{1}, []int{1}, []int{2}, []int{1}, []int{2}, []int{1}), false, nil)
	y, dx := make([]float32, 1), make([]float32, 1)
	p.Max([]float32{3}, y)
	p.MaxBackward([]float32{3}, []float32{1}, dx)
	if !math.IsInf(float64(y[0]), -1) || dx[0] != 0 {
		t.Errorf("window over padding only: got %v with gradient %v, want -Inf with 0", y[0], dx[0])
	}
}

func TestAveragePool(t *testing.T) { eachISA(t, testAveragePool) }

func testAveragePool(t *testing.T) {
	for _, w := range poolWindows() {
		for _, padding := range []bool{false, true} {
			end := make([]int, 3)
			for i := range end {
				end[i] = max(0, (w.Out[i]-1)*w.Stride[i]+(w.Kernel[i]-1)*w.Dilation[i]+1-w.In[i]-w.Pad[i])
			}
			p := NewPool(2, w, padding, end)
			x, dy := noise(1, p.Planes*p.pixels()), noise(2, p.Planes*p.outputs())
			counts := make([]float64, p.outputs())
			visit(&w, func(o, _, _ int) { counts[o]++ })
			if padding {
				for i := range counts {
					counts[i] = float64(p.taps())
				}
			}
			y, dx := make([]float64, len(dy)), make([]float64, len(x))
			for plane := range p.Planes {
				visit(&w, func(o, _, i int) {
					at := plane*p.outputs() + o
					y[at] += float64(x[plane*p.pixels()+i]) / counts[o]
					dx[plane*p.pixels()+i] += float64(dy[at]) / counts[o]
				})
			}
			got := dirty(len(y))
			p.Average(x, got)
			compare(t, fmt.Sprintf("window %+v, padding %t", w, padding), got, y, 1e-6)
			got = dirty(len(x))
			p.AverageBackward(dy, got)
			compare(t, fmt.Sprintf("gradient under window %+v, padding %t", w, padding), got, dx, 1e-6)
		}
	}
}

// A window that reaches beyond the padding divides by what lies before its end.
func TestAveragePoolBeyondPadding(t *testing.T) { eachISA(t, testAveragePoolBeyondPadding) }

func testAveragePoolBeyondPadding(t *testing.T) {
	w := NewWindow([]int{4}, []int{3}, []int{3}, []int{2}, []int{1}, []int{1})
	y := make([]float32, 3)
	NewPool(1, w, true, []int{1}).Average([]float32{1, 2, 3, 4}, y)
	if want := []float32{1, 3, 2}; !slices.Equal(y, want) { // (0+1+2)/3, (2+3+4)/3, (4+0)/2
		t.Errorf("averages: got %v, want %v", y, want)
	}
}

func TestPlaneMeans(t *testing.T) { eachISA(t, testPlaneMeans) }

func testPlaneMeans(t *testing.T) {
	x := noise(1, 5*13)
	want := make([]float64, 5)
	for i, v := range x {
		want[i/13] += float64(v) / 13
	}
	y, dx := make([]float32, 5), dirty(len(x))
	PlaneMeans(x, y)
	compare(t, "means", y, want, 1e-6)
	PlaneMeansBackward(y, dx)
	for i, got := range dx {
		if want := y[i/13] / 13; got != want {
			t.Errorf("gradient of element %d: got %v, want %v", i, got, want)
		}
	}
}

// Windows of all kinds, with fences around what is read and written, compared
// with plain loops.
func TestPoolShapes(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		random := rand.New(rand.NewPCG(1, 2))
		for range 300 {
			w := randomConv(random).Window
			p := NewPool(1+random.IntN(3), w, random.IntN(2) == 0, nil)
			plain := *p
			plain.plan, plain.squares = nil, false
			x, dy := fenced(t, noise(1, p.Planes*p.pixels())), fenced(t, noise(2, p.Planes*p.outputs()))
			for i := range x {
				x[i] = float32(math.Round(float64(x[i]) * 2)) // many equal maxima
				switch random.IntN(50) {
				case 0:
					x[i] = float32(math.NaN())
				case 1:
					x[i] = float32(math.Inf(-1))
				}
			}
			got, want := fenced(t, dirty(len(dy))), make([]float32, len(dy))
			p.Max(x, got)
			plain.Max(x, want)
			for i := range want {
				if !same(got[i], want[i]) {
					t.Fatalf("maximum under window %+v: output %d: got %v, want %v", w, i, got[i], want[i])
				}
			}
			gotX, wantX := fenced(t, dirty(len(x))), make([]float32, len(x))
			p.MaxBackward(x, dy, gotX)
			plain.MaxBackward(x, dy, wantX)
			closeFloats(t, fmt.Sprintf("gradient of the maximum under window %+v", w), gotX, wantX)
			x = fenced(t, noise(3, len(x)))
			p.Average(x, got)
			plain.Average(x, want)
			closeFloats(t, fmt.Sprintf("average under window %+v", w), got, want)
			p.AverageBackward(dy, gotX)
			plain.AverageBackward(dy, wantX)
			closeFloats(t, fmt.Sprintf("gradient of the average under window %+v", w), gotX, wantX)
		}
	})
}

// Squares in rows of all lengths, with fences around what is read and written,
// give what plain loops do.
func TestMaxPoolOfSquares(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		random := rand.New(rand.NewPCG(3, 4))
		for _, n := range lengths[1:] {
			two, none := []int{2, 2}, []int{0, 0}
			p := NewPool(3, slide{[]int{6, 2 * n}, two, two, []int{1, 1}, none, none}.window(), false, nil)
			plain := *p
			plain.plan, plain.squares = nil, false
			x, dy := fenced(t, noise(1, p.Planes*p.pixels())), fenced(t, noise(2, p.Planes*p.outputs()))
			for i := range x {
				x[i] = float32(math.Round(float64(x[i]) * 2))
				switch random.IntN(20) {
				case 0:
					x[i] = float32(math.NaN())
				case 1:
					x[i] = float32(math.Inf(-1))
				}
			}
			y, wantY := fenced(t, dirty(len(dy))), make([]float32, len(dy))
			p.Max(x, y)
			plain.Max(x, wantY)
			dx, wantX := fenced(t, dirty(len(x))), make([]float32, len(x))
			p.MaxBackward(x, dy, dx)
			plain.MaxBackward(x, dy, wantX)
			for i := range y {
				if !same(y[i], wantY[i]) {
					t.Fatalf("rows of %d: output %d: got %v, want %v", n, i, y[i], wantY[i])
				}
			}
			for i := range dx {
				if dx[i] != wantX[i] {
					t.Fatalf("rows of %d: gradient %d: got %v, want %v", n, i, dx[i], wantX[i])
				}
			}
		}
	})
}

// closeFloats wants the same but for rounding.
func closeFloats(t *testing.T, what string, got, want []float32) {
	t.Helper()
	for i := range want {
		if !(math.Abs(float64(got[i]-want[i])) <= 1e-5) {
			t.Fatalf("%s: element %d: got %v, want %v", what, i, got[i], want[i])
		}
	}
}

func TestPoolAllocates(t *testing.T) {
	if raceDetector {
		t.Skip("allocations cannot be counted under the race detector")
	}
	p := NewPool(64, slide{[]int{28, 28}, []int{2, 2}, []int{2, 2}, []int{1, 1}, []int{0, 0}, []int{0, 0}}.window(), false, nil)
	x, y := noise(1, 64*28*28), noise(2, 64*14*14)
	dx := make([]float32, len(x))
	got := testing.AllocsPerRun(5, func() {
		p.Max(x, y)
		p.MaxBackward(x, y, dx)
		p.Average(x, y)
		p.AverageBackward(y, dx)
	})
	if got > 0 {
		t.Errorf("allocations: got %v, want 0", got)
	}
}

// BenchmarkPool prints the speed of common poolings on one thread, counting an
// operation for each tap.
func BenchmarkPool(b *testing.B) {
	for _, l := range []struct {
		name                 string
		planes               int
		size, kernel, s, pad int
	}{
		{"3s2@112", 8 * 64, 112, 3, 2, 1},
		{"2s2@28", 64 * 8, 28, 2, 2, 0},
		{"2s2@14", 64 * 16, 14, 2, 2, 0},
		{"2s2@128", 4 * 16, 128, 2, 2, 0},
		{"3s1@28", 8 * 192, 28, 3, 1, 1},
	} {
		p := NewPool(l.planes, square(l.size, l.kernel, l.s, l.pad), false, nil)
		x, y := noise(1, p.Planes*p.pixels()), noise(2, p.Planes*p.outputs())
		dx := make([]float32, len(x))
		for name, run := range map[string]func(){
			"max":             func() { p.Max(x, y) },
			"maxBackward":     func() { p.MaxBackward(x, y, dx) },
			"average":         func() { p.Average(x, y) },
			"averageBackward": func() { p.AverageBackward(y, dx) },
		} {
			b.Run(l.name+"/"+name, func(b *testing.B) {
				SetThreads(1)
				defer SetThreads(0)
				benchShare(b, len(y)*p.taps(), 1, run)
			})
		}
	}
}
