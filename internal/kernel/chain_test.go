package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// chains are some that optimizers have, and one with all links out of order.
var chains = map[string][]Link{
	"nothing":  {{Kind: End}},
	"sgd":      {{AddWeights, 0.1, 0}, {AddSigns, 0.2, 0}, {Descend, 0.3, 0}, {Drop, 0, 0}, {End, 0, 0}},
	"momentum": {{Average, 0.9, 0.8}, {TakeAverage, 0, 0}, {Descend, 0.3, 0}, {Multiply, 0.5, 0}, {Shrink, 0.7, 0}, {End, 0, 0}},
	"adamw": {{AddWeights, 0.1, 0}, {AddSigns, 0.2, 0}, {Multiply, 0.99, 0}, {Average, 0.9, 0.1},
		{AverageSquares, 0.999, 0.001}, {Normalize, 1e-3, 0}, {Descend, 0.3, 0}, {Drop, 0, 0}, {End, 0, 0}},
	"rmsprop": {{AddSigns, 0.2, 0}, {GatherSquares, 0.9, 0.1}, {Divide, 1e-3, 0}, {Descend, 0.3, 0}, {Drop, 0, 0}, {End, 0, 0}},
	"out of order": {{Drop, 0, 0}, {Divide, 2, 0}, {GatherSquares, 0.5, 2}, {Shrink, 0.1, 0}, {Multiply, 2, 0}, {Average, 0.5, 0.5}, {AddAverage, 3, 0},
		{Normalize, 1, 0}, {AddSigns, 1, 0}, {AddWeights, -1, 0}, {AverageSquares, 0.9, 0.1}, {TakeAverage, 0, 0},
		{Descend, 0.1, 0}, {Multiply, 0.5, 0}, {Drop, 0, 0}, {Multiply, 3, 0}, {End, 0, 0}},
	"thrice": {{Multiply, 3, 0}, {Multiply, 5, 0}, {Multiply, 7, 0}, {Average, 0.5, 0.5}, {Multiply, 2, 0}, {End, 0, 0}},
	"store":  {{AddWeights, 0.1, 0}, {AddSigns, 0.2, 0}, {Store, 0, 0}, {AddWeights, 0.1, 0}, {Store, 0, 0}, {End, 0, 0}},
}

// naiveChain is the definition, one element at a time. It returns w, s, t and out.
func naiveChain(links []Link, w, u, s, t float32, keep bool) [4]float32 {
	var out float32
	for _, l := range links {
		switch l.Kind {
		case AddWeights:
			u += float32(l.A * w)
		case AddSigns:
			if w != 0 {
				u += float32(math.Copysign(float64(l.A), float64(w)))
			}
		case Multiply:
			w *= l.A
		case Average:
			s = float32(l.A*s) + float32(l.B*u)
		case AverageSquares:
			t = float32(l.A*t) + float32(float32(l.B*u)*u)
		case TakeAverage:
			u = s
		case AddAverage:
			u += float32(l.A * s)
		case Normalize:
			u = s / (float32(math.Sqrt(float64(t))) + l.A)
		case GatherSquares:
			s = float32(l.A*s) + float32(float32(l.B*u)*u)
		case Divide:
			u /= float32(math.Sqrt(float64(s))) + l.A
		case Descend:
			w -= float32(l.A * u)
		case Shrink:
			w = float32(math.Copysign(max(math.Abs(float64(w))-float64(l.A), 0), float64(w)))
		case Drop:
			if !keep {
				w, s, t = 0, 0, 0
			}
		case Store:
			out = u
		}
	}
	return [4]float32{w, s, t, out}
}

func TestChain(t *testing.T) {
	special := []float32{0, float32(math.Copysign(0, -1)), 1e-3, -1e-3, 1e-40, -1e-40,
		float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.NaN()), -float32(math.NaN())}
	eachISA(t, func(t *testing.T) {
		for name, links := range chains {
			for _, n := range slices.Concat(lengths, []int{1023, 1024, 1025, 3000}) {
				for _, masked := range []bool{false, true} {
					what := fmt.Sprintf("%s, %d elements", name, n)
					rng := rand.New(rand.NewPCG(uint64(n), 1))
					u := Update{Links: links, Grad: noise(2, n)}
					grad := slices.Clone(u.Grad)
					var checks [4]func(string)
					u.W, checks[0] = guarded(t, n, n%5)
					u.S, checks[1] = guarded(t, n, n%3)
					u.T, checks[2] = guarded(t, n, n%7)
					u.Out, checks[3] = guarded(t, n, n%11)
					clear(u.Out)
					want := make([][4]float32, n)
					if masked {
						u.Keep = make([]bool, n)
					}
					for i := range want {
						u.W[i], u.S[i], u.T[i] = float32(rng.NormFloat64()), float32(rng.NormFloat64()), float32(rng.ExpFloat64())
						if rng.IntN(4) == 0 {
							u.W[i] = special[rng.IntN(len(special))]
						}
						keep := !masked
						if masked && rng.IntN(2) == 0 {
							keep, u.Keep[i] = true, true
						}
						want[i] = naiveChain(links, u.W[i], grad[i], u.S[i], u.T[i], keep)
					}
					u.Run()
					for _, check := range checks {
						check(what)
					}
					if !slices.Equal(u.Grad, grad) {
						t.Fatalf("%s: the gradient changed", what)
					}
					for i := range want {
						for k, got := range []float32{u.W[i], u.S[i], u.T[i], u.Out[i]} {
							if !same(got, want[i][k]) {
								t.Fatalf("%s: element %d of %c: got %g, want %g", what, i, "wsto"[k], got, want[i][k])
							}
						}
					}
				}
			}
		}
	})
}

// TestLoops: every loop made for a set of links does what they mean, one by one.
func TestLoops(t *testing.T) {
	const n = 100
	for set := range loops {
		var links []Link
		for kind := AddWeights; kind < linkKinds; kind++ {
			if set&(1<<kind) != 0 {
				links = append(links, Link{kind, 0.1 * float32(kind), 0.7})
			}
		}
		u := Update{Links: append(links, Link{Kind: End}), W: noise(1, n), Grad: noise(2, n), Out: make([]float32, n), Keep: make([]bool, n)}
		moments := [2][]float32{make([]float32, n), make([]float32, n)} // naively there always
		if set&hasS != 0 {
			u.S = noise(3, n)
			copy(moments[0], u.S)
		}
		if set&hasT != 0 {
			u.T = noise(4, n)
			for i, v := range u.T {
				u.T[i] = v * v
			}
			copy(moments[1], u.T)
		}
		var p lap
		if p.next(u.Links) != nil || p.set != set&(1<<linkKinds-1) {
			t.Errorf("set %b is not that of a lap", set)
			continue
		}
		w := slices.Clone(u.W)
		for i := range u.Keep {
			u.Keep[i] = i%3 > 0
		}
		u.finish(0)
		for i := range w {
			want := naiveChain(u.Links, w[i], u.Grad[i], moments[0][i], moments[1][i], u.Keep[i])
			for k, x := range [][]float32{u.W, u.S, u.T, u.Out} {
				if x != nil && !same(x[i], want[k]) {
					t.Fatalf("set %b: element %d of %c: got %g, want %g", set, i, "wsto"[k], x[i], want[k])
				}
			}
		}
	}
}

// TestShrinkMakesPositiveZeros, whatever the sign was.
func TestShrinkMakesPositiveZeros(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		u := Update{Links: []Link{{Shrink, 1, 0}, {Kind: End}}, W: make([]float32, 100)}
		fill(u.W, -1)
		u.Run()
		for i, w := range u.W {
			if math.Float32bits(w) != 0 {
				t.Fatalf("element %d: got %v, want 0", i, w)
			}
		}
	})
}

func TestChainPanics(t *testing.T) {
	w := make([]float32, 4)
	for what, u := range map[string]Update{
		"no links":         {W: w},
		"no End":           {W: w, Links: []Link{{Multiply, 1, 0}}},
		"an unknown link":  {W: w, Links: []Link{{linkKinds, 1, 0}, {Kind: End}}},
		"no gradient":      {W: w, Links: []Link{{Descend, 1, 0}, {Kind: End}}},
		"no gathered":      {W: w, Grad: w, Links: []Link{{Divide, 1, 0}, {Kind: End}}},
		"a short average":  {W: w, S: w[:3], Links: []Link{{Multiply, 1, 0}, {Kind: End}}},
		"no average":       {W: w, T: w, Links: []Link{{Normalize, 1, 0}, {Kind: End}}},
		"no room":          {W: w, Grad: w, Links: []Link{{Store, 1, 0}, {Kind: End}}},
		"a mask too short": {W: w, Keep: []bool{true}, Links: []Link{{Drop, 0, 0}, {Kind: End}}},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: got no panic", what)
				}
			}()
			u.Run()
		}()
	}
}
