package kernel

import (
	"math"
	"testing"
)

func TestExp(t *testing.T) {
	worst := 0.0
	for x := float32(-87); x < 88; x += 0.00137 {
		want := math.Exp(float64(x))
		worst = max(worst, math.Abs(float64(exp(x))-want)/want)
	}
	if worst > 2.5e-7 {
		t.Errorf("got a relative error of %v, want at most 2.5e-7", worst)
	}
	inf := float32(math.Inf(1))
	for x, want := range map[float32]float32{
		0: 1, inf: inf, -inf: 0, 89: inf, 1e30: inf, -1e30: 0, -200: 0,
		-100: float32(math.Exp(-100)), 88.5: float32(math.Exp(88.5)),
	} {
		if got := exp(x); got != want {
			t.Errorf("exp(%v): got %v, want %v", x, got, want)
		}
	}
	if got := exp(float32(math.NaN())); got == got {
		t.Errorf("exp(NaN): got %v, want NaN", got)
	}
}

// TestPointwiseInChunks compares arrays that are split with the definitions.
func TestPointwiseInChunks(t *testing.T) { eachISA(t, testPointwiseInChunks) }

func testPointwiseInChunks(t *testing.T) {
	const n = 2*chunk + 77
	x, g := noise(1, n), noise(2, n)
	for _, c := range []struct {
		name string
		f    func(out []float32)
		want func(x, g float64) float64
	}{
		{"Relu", func(out []float32) { Relu(out, x) }, func(x, _ float64) float64 { return max(x, 0) }},
		{"ReluGrad", func(out []float32) { Relu(out, x); ReluGrad(out, out, g) }, func(x, g float64) float64 {
			if x > 0 {
				return g
			}
			return 0
		}},
		{"LeakyRelu", func(out []float32) { LeakyRelu(out, x, 0.2) }, func(x, _ float64) float64 { return max(x, 0.2*x) }},
		{"LeakyReluGrad", func(out []float32) { LeakyReluGrad(out, x, g, 0.2) }, func(x, g float64) float64 {
			if x > 0 {
				return g
			}
			return 0.2 * g
		}},
		{"Sigmoid", func(out []float32) { Sigmoid(out, x) }, func(x, _ float64) float64 { return 1 / (1 + math.Exp(-x)) }},
		{"SigmoidGrad", func(out []float32) { SigmoidGrad(out, x, g) }, func(x, g float64) float64 { return g * x * (1 - x) }},
		{"Tanh", func(out []float32) { Tanh(out, x) }, func(x, _ float64) float64 { return math.Tanh(x) }},
		{"TanhGrad", func(out []float32) { TanhGrad(out, x, g) }, func(x, g float64) float64 { return g * (1 - x*x) }},
		{"Clip", func(out []float32) { Clip(out, x, -1, 2) }, func(x, _ float64) float64 { return min(max(x, -1), 2) }},
		{"ClipGrad", func(out []float32) { Clip(out, x, -1, 2); ClipGrad(out, out, g, -1, 2) }, func(x, g float64) float64 {
			if x <= -1 || x >= 2 {
				return 0
			}
			return g
		}},
		{"Scale", func(out []float32) { Scale(out, x, 3) }, func(x, _ float64) float64 { return 3 * x }},
		{"SquaredErrorGrad", func(out []float32) { SquaredErrorGrad(out, x, g, 3) }, func(x, g float64) float64 { return 3 * (x - g) }},
	} {
		want := make([]float64, n)
		for i := range want {
			want[i] = c.want(float64(x[i]), float64(g[i]))
		}
		got := dirty(n)
		c.f(got)
		compare(t, c.name, got, want, 1e-6)
	}
}

// BenchmarkActivation reads and writes 1 MB each, which stay in the caches.
func BenchmarkActivation(b *testing.B) {
	out, x, g := make([]float32, 1<<18), noise(1, 1<<18), noise(2, 1<<18)
	for _, c := range []struct {
		name string
		f    func()
	}{
		{"Relu", func() { Relu(out, x) }},
		{"ReluGrad", func() { ReluGrad(out, x, g) }},
		{"LeakyRelu", func() { LeakyRelu(out, x, 0.1) }},
		{"Clip", func() { Clip(out, x, 0, 6) }},
		{"ClipGrad", func() { ClipGrad(out, x, g, 0, 6) }},
		{"Exp", func() { Exp(out, x) }},
		{"Sigmoid", func() { Sigmoid(out, x) }},
		{"Tanh", func() { Tanh(out, x) }},
		{"Erf", func() { Erf(out, x) }},
		{"Gelu", func() { Gelu(out, x) }},
		{"GeluGrad", func() { GeluGrad(out, x, g) }},
		{"GeluTanh", func() { GeluTanh(out, x) }},
		{"GeluTanhGrad", func() { GeluTanhGrad(out, x, g) }},
		{"Dropout", func() { Dropout(out, x, 0.5, 1, 1) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			benchISA(b, func(b *testing.B) {
				b.SetBytes(int64(8 * len(x)))
				for b.Loop() {
					c.f()
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(x)), "ns/elem")
			})
		})
	}
}

func TestTanhIsAccurateNearZero(t *testing.T) { eachISA(t, testTanhNearZero) }

func testTanhNearZero(t *testing.T) {
	worst := 0.0
	x, y := make([]float32, 1), make([]float32, 1)
	for v := 1e-10; v < 50; v *= 1.003 {
		for _, s := range []float64{v, -v} {
			x[0] = float32(s)
			Tanh(y, x)
			want := math.Tanh(float64(x[0]))
			worst = max(worst, math.Abs(float64(y[0])/want-1))
		}
	}
	if worst > 6e-7 {
		t.Errorf("got a relative error of %v, want at most 6e-7", worst)
	}
}
