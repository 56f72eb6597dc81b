package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// randomWinograd is a convolution that patches can do.
func randomWinograd(random *rand.Rand) *Conv {
	s := slide{strides: []int{1, 1}, dilations: []int{1, 1}, kernel: []int{3, 3}}
	for range 2 {
		s.in = append(s.in, 3+random.IntN(8))
		s.begin, s.end = append(s.begin, random.IntN(3)), append(s.end, random.IntN(3))
	}
	return NewConv(1+random.IntN(3), 1+random.IntN(70), 1+random.IntN(70), 1, s.window())
}

// byPatches makes patches do all they can.
func (c *Conv) byPatches() {
	c.plan([]planPass{newPatching, newSweep, newPlainPass}, []planGradient{newPatchingGradient, newCorrelation, newPlainGradient})
}

// bySums makes patches do nothing.
func (c *Conv) bySums() {
	c.plan([]planPass{newSweep, newPlainPass}, []planGradient{newCorrelation, newPlainGradient})
}

// Transforms do what plain Go does, and touch nothing else.
func TestPatchMaps(t *testing.T) {
	const items, vectors = 3, 2
	maps := []struct {
		name     string
		from, to int
		of       func(l *winogradLoops) patchMap
	}{
		{"source", patchEdge, patchEdge, func(l *winogradLoops) patchMap { return l.source }},
		{"weights", 3, patchEdge, func(l *winogradLoops) patchMap { return l.weights }},
		{"result", patchEdge, patchStep, func(l *winogradLoops) patchMap { return l.result }},
		{"gradient", patchStep, patchEdge, func(l *winogradLoops) patchMap { return l.gradient }},
		{"weightGradient", patchEdge, 3, func(l *winogradLoops) patchMap { return l.weightGradient }},
	}
	eachISA(t, func(t *testing.T) {
		l := &active.winograd
		random := rand.New(rand.NewPCG(1, 2))
		for _, m := range maps {
			n := vectors * l.lanes
			shuffled := func(edge int) (at []int32) {
				for _, i := range random.Perm(items * edge * edge) {
					at = append(at, int32(4*n*i))
				}
				return at
			}
			srcAt, dstAt := shuffled(m.from), shuffled(m.to)
			src := fenced(t, noise(1, items*m.from*m.from*n))
			got, check := guarded(t, items*m.to*m.to*n, 3)
			want := make([]float32, len(got))
			room := make([]float32, patchPoints*max(1, l.lanes))
			for i, to := range [][]float32{want, got} {
				f, v := m.of(&winogradGeneric), n
				if i == 1 {
					f, v = m.of(l), vectors
				}
				f(&to[0], &dstAt[0], 0, 4*m.to*m.to, &src[0], &srcAt[0], 0, 4*m.from*m.from, &room[0], v, items)
			}
			check(m.name)
			for i := range want {
				if !(math.Abs(float64(got[i]-want[i])) <= 1e-5) {
					t.Fatalf("%s: element %d: got %v, want %v", m.name, i, got[i], want[i])
				}
			}
		}
	})
}

// Convolutions by patches are those by definition, with epilogues, and with
// fences around what they read and write.
func TestWinograd(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		random := rand.New(rand.NewPCG(5, 6))
		checkRounds(t, NewConv(16, 33, 34, 1, square(9, 3, 1, 1)), random, 6)
		high := NewConv(1, 64, 2, 1, square(60, 3, 1, 1)) // several groups in an image
		high.byPatches()
		checkConv(t, high, random, 6)
		for i := 0; i < 25 && !t.Failed(); i++ {
			c := randomWinograd(random)
			c.byPatches()
			checkConv(t, c, random, 6)
		}
	})
}

// The error of transformed patches stays below ten times that of direct sums.
func TestWinogradError(t *testing.T) {
	eachSweep(t, func(t *testing.T, _ *sweepLoops) {
		c := NewConv(1, 64, 64, 1, square(14, 3, 1, 1))
		x, w, _, dy := operands(c)
		for i := range x {
			x[i] = max(0, x[i]) // as behind most activations
		}
		y, dx, dw := make([]float64, len(dy)), make([]float64, len(x)), make([]float64, len(w))
		convTerms(c, func(iy, ix, iw int) {
			y[iy] += float64(x[ix]) * float64(w[iw])
			dx[ix] += float64(dy[iy]) * float64(w[iw])
			dw[iw] += float64(dy[iy]) * float64(x[ix])
		})
		errors := func() (e [3]float64) {
			gotY, gotX, gotW := dirty(len(dy)), dirty(len(x)), dirty(len(w))
			c.Forward(x, w, gotY, Epilogue{})
			c.BackwardData(dy, w, gotX, Epilogue{})
			c.BackwardWeights(x, dy, gotW, dirty(c.Scratch()))
			for i, pair := range []struct {
				got  []float32
				want []float64
			}{{gotY, y}, {gotX, dx}, {gotW, dw}} {
				for j, v := range pair.want {
					e[i] += (float64(pair.got[j]) - v) * (float64(pair.got[j]) - v)
				}
				e[i] = math.Sqrt(e[i])
			}
			return e
		}
		c.byPatches()
		patches := errors()
		c.bySums()
		sums := errors()
		for i, pass := range []string{"forward", "gradient of the input", "gradient of the weights"} {
			t.Logf("%s: error %.1f times that of direct sums", pass, patches[i]/sums[i])
			if !(patches[i] < 10*sums[i]) {
				t.Errorf("%s: got an error of %v, want less than ten times %v", pass, patches[i], sums[i])
			}
		}
	})
}

// checkRounds checks a convolution whose gradient of weights takes several rounds.
func checkRounds(t *testing.T, c *Conv, random *rand.Rand, error float64) {
	defer func(n int) { gradientRound = n }(gradientRound)
	gradientRound = 1 << 14
	c.byPatches()
	if rounds := len(c.gradient.(*patchingGradient).rounds); rounds < 2 {
		t.Fatalf("%s: got %d rounds, want several", name(c), rounds)
	}
	checkConv(t, c, random, error)
}

// Convolutions by patches that are not transformed are those by definition, too.
func TestPatching(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		random := rand.New(rand.NewPCG(7, 8))
		checkRounds(t, NewConv(9, 34, 33, 1, square(21, 3, 2, 1)), random, 1)
		for _, c := range []*Conv{
			NewConv(1, 5, 200, 1, square(9, 5, 2, 2)), // images first
			NewConv(1, 64, 2, 1, square(60, 3, 2, 1)), // several groups in an image
		} {
			c.byPatches()
			checkConv(t, c, random, 1)
		}
		for i := 0; i < 100 && !t.Failed(); {
			c := randomConv(random)
			if c.winograds() {
				continue
			}
			c.byPatches()
			if _, ok := c.forward.(*patching); ok {
				checkConv(t, c, random, 1)
				i++
			}
		}
	})
}

// The number of threads changes nothing, and nothing is allocated.
func TestWinogradThreads(t *testing.T) {
	eachSweep(t, func(t *testing.T, _ *sweepLoops) {
		for _, c := range []*Conv{
			NewConv(2, 40, 70, 1, square(13, 3, 1, 1)),
			NewConv(1, 16, 300, 1, square(33, 3, 1, 1)), // patches of images first
			NewConv(9, 40, 70, 1, square(21, 3, 2, 1)),
			NewConv(10, 64, 64, 1, square(28, 3, 1, 1)), // several rounds
		} {
			c.byPatches()
			x, w, b, dy := operands(c)
			y, dx, dw, scratch := dirty(len(dy)), dirty(len(x)), dirty(len(w)), dirty(c.Scratch())
			run := func() {
				c.Forward(x, w, y, Epilogue{Row: b})
				c.BackwardData(dy, w, dx, Epilogue{})
				c.BackwardWeights(x, dy, dw, scratch)
			}
			sameBits(t, name(c), func() []float32 {
				run()
				return slices.Concat(y, dx, dw)
			})
			if allocs := testing.AllocsPerRun(3, run); allocs > 0 && !raceDetector {
				t.Errorf("%s: allocations: got %v, want 0", name(c), allocs)
			}
		}
	})
}

// BenchmarkPatches compares patches with direct sums:
//
//	go test ./internal/kernel -run - -bench Patches/64@56
//
// Both are counted with the operations of direct sums, so patches can do more than
// the peak.
func BenchmarkPatches(b *testing.B) {
	defer SetThreads(Threads())
	SetThreads(1)
	for _, l := range layers {
		if l.groups > 1 {
			continue
		}
		c := NewConv(l.n, l.c, l.m, l.groups, square(l.size, l.kernel, l.stride, l.pad))
		x, w, bias, dy := operands(c)
		y, dx, dw := make([]float32, len(dy)), make([]float32, len(x)), make([]float32, len(w))
		c.bySums()
		for _, way := range []string{"direct", "patches"} {
			if way == "patches" {
				c.byPatches()
			}
			scratch := make([]float32, c.Scratch())
			for _, pass := range []struct {
				name string
				run  func()
			}{
				{"forward", func() { c.Forward(x, w, y, Epilogue{Row: bias}) }},
				{"data", func() { c.BackwardData(dy, w, dx, Epilogue{}) }},
				{"weights", func() { c.BackwardWeights(x, dy, dw, scratch) }},
			} {
				b.Run(fmt.Sprintf("%s/%s/%s", l.name, pass.name, way), func(b *testing.B) {
					benchShare(b, 2*len(dy)*c.weights(), 1, pass.run)
				})
			}
		}
	}
}
