package kernel

import (
	"fmt"
	"math"
	"testing"
)

// pointCase is an element-wise function and what it must compute.
type pointCase struct {
	name string
	pick func(*pointFuncs) pointFunc
	want func(x, g, p, q float64) float64

	// What results may be off by, relative to scale, which is the size of the
	// result unless given.
	error float64
	scale func(x, g float64) float64

	// exact results have the bits of the generic ones.
	exact bool
}

func pointCases() []pointCase {
	normal := func(x float64) float64 { return math.Erfc(-x/math.Sqrt2) / 2 }
	u := func(x float64) float64 { return math.Sqrt(2/math.Pi) * (x + 0.044715*x*x*x) }
	sizeX := func(x, g float64) float64 { return math.Abs(x) }
	sizeG := func(x, g float64) float64 { return math.Abs(g) }
	return []pointCase{
		{name: "relu", pick: func(f *pointFuncs) pointFunc { return f.relu }, exact: true,
			want: func(x, g, p, q float64) float64 { return max(x, 0) }},
		{name: "reluGrad", pick: func(f *pointFuncs) pointFunc { return f.reluGrad }, exact: true},
		{name: "leakyRelu", pick: func(f *pointFuncs) pointFunc { return f.leakyRelu }, exact: true},
		{name: "leakyReluGrad", pick: func(f *pointFuncs) pointFunc { return f.leakyReluGrad }, exact: true},
		{name: "clip", pick: func(f *pointFuncs) pointFunc { return f.clip }, exact: true,
			want: func(x, g, p, q float64) float64 { return min(max(x, p), q) }},
		{name: "clipGrad", pick: func(f *pointFuncs) pointFunc { return f.clipGrad }, exact: true},
		{name: "scale", pick: func(f *pointFuncs) pointFunc { return f.scale }, exact: true},
		{name: "difference", pick: func(f *pointFuncs) pointFunc { return f.difference }, exact: true},
		{name: "sigmoidGrad", pick: func(f *pointFuncs) pointFunc { return f.sigmoidGrad }, exact: true},
		{name: "tanhGrad", pick: func(f *pointFuncs) pointFunc { return f.tanhGrad }, exact: true},
		{name: "exp", pick: func(f *pointFuncs) pointFunc { return f.exp }, error: 1.5e-7,
			want: func(x, g, p, q float64) float64 { return math.Exp(x) }},
		{name: "sigmoid", pick: func(f *pointFuncs) pointFunc { return f.sigmoid }, error: 2e-7,
			want: func(x, g, p, q float64) float64 { return 1 / (1 + math.Exp(-x)) }},
		{name: "tanh", pick: func(f *pointFuncs) pointFunc { return f.tanh }, error: 4e-7,
			want: func(x, g, p, q float64) float64 { return math.Tanh(x) }},
		{name: "erf", pick: func(f *pointFuncs) pointFunc { return f.erf }, error: 5e-7,
			want: func(x, g, p, q float64) float64 { return math.Erf(x) }},
		{name: "erfGrad", pick: func(f *pointFuncs) pointFunc { return f.erfGrad }, error: 2e-7, scale: sizeG,
			want: func(x, g, p, q float64) float64 { return g * 2 / math.SqrtPi * math.Exp(-x*x) }},
		{name: "gelu", pick: func(f *pointFuncs) pointFunc { return f.gelu }, error: 3e-7, scale: sizeX,
			want: func(x, g, p, q float64) float64 { return x * normal(x) }},
		{name: "geluGrad", pick: func(f *pointFuncs) pointFunc { return f.geluGrad }, error: 3e-7, scale: sizeG,
			want: func(x, g, p, q float64) float64 {
				return g * (normal(x) + x*math.Exp(-x*x/2)/math.Sqrt(2*math.Pi))
			}},
		{name: "geluTanh", pick: func(f *pointFuncs) pointFunc { return f.geluTanh }, error: 2e-7, scale: sizeX,
			want: func(x, g, p, q float64) float64 { return x / 2 * (1 + math.Tanh(u(x))) }},
		{name: "geluTanhGrad", pick: func(f *pointFuncs) pointFunc { return f.geluTanhGrad }, error: 3e-7, scale: sizeG,
			want: func(x, g, p, q float64) float64 {
				t := math.Tanh(u(x))
				return g * ((1+t)/2 + x/2*(1-t*t)*math.Sqrt(2/math.Pi)*(1+3*0.044715*x*x))
			}},
	}
}

// smallest is the least normal float32; errors below it do not count.
const smallest = 0x1p-126

// holds tells whether a result is what it must be.
func (c *pointCase) holds(got, x, g, p, q float32) bool {
	want := c.want(float64(x), float64(g), float64(p), float64(q))
	if same(got, float32(want)) {
		return true
	}
	scale := math.Abs(want)
	if c.scale != nil {
		scale = c.scale(float64(x), float64(g))
	}
	return math.Abs(float64(got)-want) <= c.error*scale+smallest
}

// TestPoints compares the element-wise functions with their definitions: those
// that have no bound for their error, with the generic ones.
func TestPoints(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		for _, c := range pointCases() {
			const p, q = -0.75, 1.5
			for _, n := range lengths {
				x, g := noise(1, n+1)[1:], noise(2, n+3)[3:]
				for i := range x {
					x[i] *= 3
				}
				for offset := range 3 {
					what := fmt.Sprintf("%s of %d elements", c.name, n)
					out, check := guarded(t, n, offset)
					c.pick(&active.point)(out, x, g, p, q)
					check(what)
					reference := make([]float32, n)
					c.pick(&pointGeneric)(reference, x, g, p, q)
					for i := range out {
						if c.want != nil && !c.holds(out[i], x[i], g[i], p, q) {
							t.Fatalf("%s: of %v and %v: got %v, want %v", what, x[i], g[i], out[i], c.want(float64(x[i]), float64(g[i]), p, q))
						}
						if c.exact && !same(out[i], reference[i]) {
							t.Fatalf("%s: of %v and %v: got %v, want %v as in generic code", what, x[i], g[i], out[i], reference[i])
						}
					}
				}
			}
		}
	})
}

// TestPointsEverywhere takes numbers of every size, and those that are none.
func TestPointsEverywhere(t *testing.T) {
	inf := float32(math.Inf(1))
	special := []float32{0, float32(math.Copysign(0, -1)), inf, -inf, float32(math.NaN()), -float32(math.NaN()),
		1, -1, math.MaxFloat32, -math.MaxFloat32, math.SmallestNonzeroFloat32, -math.SmallestNonzeroFloat32,
		smallest, 87, -87, 88, 88.7, 88.8, -88, -103, -104, -105, 89, 3.93, -3.93, 9.02, -9.02}
	var x, g []float32
	for _, a := range special {
		for _, b := range special {
			x, g = append(x, a), append(g, b)
		}
	}
	for b := uint32(0); b < posInf; b += 1 << 15 {
		v := math.Float32frombits(b + b>>12&0x7FFF)
		x, g = append(x, v, -v), append(g, 1, 1)
	}
	eachISA(t, func(t *testing.T) {
		for _, c := range pointCases() {
			out, reference := make([]float32, len(x)), make([]float32, len(x))
			c.pick(&active.point)(out, x, g, 0.5, 2)
			c.pick(&pointGeneric)(reference, x, g, 0.5, 2)
			for i := range out {
				if c.exact && !same(out[i], reference[i]) {
					t.Fatalf("%s of %v and %v: got %v, want %v as in generic code", c.name, x[i], g[i], out[i], reference[i])
				}
				if x[i] != x[i] && out[i] == out[i] && c.want != nil {
					t.Fatalf("%s of NaN: got %v", c.name, out[i])
				}
				size := math.Abs(float64(x[i]))
				if c.error > 0 && size < 1e4 && math.Abs(float64(g[i])) < 1e4 && !c.holds(out[i], x[i], g[i], 0.5, 2) {
					t.Fatalf("%s of %v and %v: got %v, want %v", c.name, x[i], g[i], out[i], c.want(float64(x[i]), float64(g[i]), 0.5, 2))
				}
			}
		}
	})
}

// TestPointErrors reports the largest errors, for the record.
func TestPointErrors(t *testing.T) {
	if !testing.Verbose() {
		t.Skip("reports only with -v")
	}
	x := make([]float32, 0, 1<<20)
	for v := 1e-6; v < 30; v *= 1.00002 {
		x = append(x, float32(v), float32(-v))
	}
	one := make([]float32, len(x))
	fill(one, 1)
	eachISA(t, func(t *testing.T) {
		for _, c := range pointCases() {
			if c.error == 0 {
				continue
			}
			out := make([]float32, len(x))
			c.pick(&active.point)(out, x, one, 0, 0)
			worst, at := 0.0, float32(0)
			for i, v := range x {
				want := c.want(float64(v), 1, 0, 0)
				scale := math.Abs(want)
				if c.scale != nil {
					scale = c.scale(float64(v), 1)
				}
				if e := math.Abs(float64(out[i])-want) / (scale + smallest); e > worst {
					worst, at = e, v
				}
			}
			t.Logf("%s: %.2g at %v", c.name, worst, at)
		}
	})
}
