package engine

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"finetune/internal/op"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Agreement says how well the gradient with respect to a leaf agrees with
// differences.
type Agreement struct {
	Found   bool // Backprop finds a gradient
	Flows   bool // and some of the elements compared are not zero
	Checked int  // elements compared
	Kinks   int  // elements left out: there the outputs bend, so differences say nothing
	// Error is how far the gradient is from a central difference at most, as a
	// share of the largest of the elements compared; 1 where a gradient should flow
	// and does not. Beyond is what of that rounding to float32 does not explain.
	Error, Beyond float64
}

// Differences compares gradients with central differences, in a sum of all
// elements of the outputs with random weights: up to n elements of each leaf of
// wrt, drawn by the seed. bind has the values of all leaves, and none changes.
// The graph grows by the gradients.
//
// Each element is moved by three lengths; the closest result counts, since one of
// them is too large for a bent function, and another too small for float32.
// Lengths on which the differences forward and backward disagree do not count.
func Differences(ctx context.Context, outputs, wrt []*G.Node, bind map[*G.Node]op.Buffer, n int, seed uint64) ([]Agreement, error) {
	d := differ{ctx: ctx, outputs: outputs, random: rand.New(rand.NewPCG(seed, 1))}
	var err error
	if d.forward, err = Compile(outputs, bind); err != nil {
		return nil, err
	}
	defer d.forward.Close()
	if err := d.start(); err != nil {
		return nil, err
	}
	grads, err := d.gradients(wrt, bind)
	if err != nil {
		return nil, err
	}
	list := make([]Agreement, len(wrt))
	for i, leaf := range wrt {
		if list[i], err = d.compare(bind[leaf].F, grads[i], n); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// differ is a Differences at work.
type differ struct {
	ctx     context.Context
	outputs []*G.Node
	weights [][]float32 // by output
	forward *Machine
	before  [][]float32 // outputs where nothing has moved
	largest float64     // of their elements, weighted
	random  *rand.Rand
}

// start computes the outputs where nothing has moved and draws their weights. An
// element that is not finite, as those of masked scores are, has no weight.
func (d *differ) start() error {
	if err := d.forward.Run(d.ctx); err != nil {
		return err
	}
	for _, out := range d.outputs {
		values := slices.Clone(d.forward.Buffer(out).F)
		weights := make([]float32, len(values))
		for k, v := range values {
			if v-v == 0 {
				weights[k] = float32(d.random.NormFloat64())
				d.largest = max(d.largest, math.Abs(float64(v)*float64(weights[k])))
			}
		}
		d.before, d.weights = append(d.before, values), append(d.weights, weights)
	}
	return nil
}

// gradients are those of the weighted sum, nil where there is none.
func (d *differ) gradients(wrt []*G.Node, bind map[*G.Node]op.Buffer) ([][]float32, error) {
	var terms []*G.Node
	for i, out := range d.outputs {
		leaf := op.Input(out.Graph(), fmt.Sprintf("weights of output %d", i), tensor.Float32, out.Shape()...)
		bind[leaf] = op.Buffer{F: d.weights[i]}
		defer delete(bind, leaf)
		term, err := op.Mul(out, leaf)
		if err == nil {
			term, err = op.ReduceSum(term, nil, false)
		}
		if err != nil {
			return nil, err
		}
		terms = append(terms, term)
	}
	cost, err := op.Sum(terms...)
	if err != nil {
		return nil, err
	}
	nodes, err := Backprop(cost, wrt)
	if err != nil {
		return nil, err
	}
	m, err := Compile(nodes, bind)
	if err != nil {
		return nil, err
	}
	if err := m.Run(d.ctx); err != nil {
		return nil, err
	}
	grads := make([][]float32, len(wrt))
	for i, n := range nodes {
		if n != nil {
			grads[i] = m.Buffer(n).F
		}
	}
	return grads, nil
}

// change is how far the weighted sum is from where nothing has moved, and how
// far rounding alone may have taken it: of the elements that changed, and of one
// that did not because the change was too small for it.
func (d *differ) change() (change, noise float64, err error) {
	if err := d.forward.Run(d.ctx); err != nil {
		return 0, 0, err
	}
	squares := 0.0
	for i, out := range d.outputs {
		w := d.weights[i]
		for k, v := range d.forward.Buffer(out).F {
			if was := d.before[i][k]; v != was && w[k] != 0 {
				change += float64(w[k]) * (float64(v) - float64(was))
				size := float64(w[k]) * math.Max(math.Abs(float64(v)), math.Abs(float64(was)))
				squares += size * size
			}
		}
	}
	return change, math.Sqrt(squares)*0x1p-20 + d.largest*0x1p-23, nil
}

// compare moves elements of x, of which grad is the gradient.
func (d *differ) compare(x, grad []float32, n int) (Agreement, error) {
	a := Agreement{Found: grad != nil}
	scale := 0.0 // the largest gradient
	typical := typicalSize(x)
	for _, k := range d.choose(len(x), n) {
		got := 0.0
		if grad != nil {
			got = float64(grad[k])
		}
		s, err := d.slope(x, k, got, typical)
		if err != nil {
			return a, err
		}
		if !s.smooth {
			a.Kinks++
			continue
		}
		a.Checked++
		a.Flows = a.Flows || got != 0
		scale = max(scale, math.Abs(got), math.Abs(s.slope))
		a.Error, a.Beyond = max(a.Error, s.off), max(a.Beyond, s.beyond)
	}
	if scale > 0 {
		a.Error, a.Beyond = a.Error/scale, a.Beyond/scale
	}
	return a, nil
}

// choose draws n of so many elements, or takes all.
func (d *differ) choose(of, n int) []int {
	if of > 4*n {
		list := make([]int, n)
		for i := range list {
			list[i] = d.random.IntN(of)
		}
		return list
	}
	return d.random.Perm(of)[:min(of, n)]
}

// measure is a slope by differences, how far a gradient is off it, and how far
// beyond what rounding explains.
type measure struct {
	slope, off, beyond float64
	smooth             bool // false if the outputs bend at each distance
}

// slope is the central difference for element k of x that is closest to got.
func (d *differ) slope(x []float32, k int, got, typical float64) (best measure, err error) {
	old := x[k]
	defer func() { x[k] = old }()
	for _, share := range []float64{3e-2, 5e-3, 1e-3} {
		h := share * max(typical, math.Abs(float64(old)))
		x[k] = float32(float64(old) + h)
		ahead := float64(x[k]) - float64(old)
		up, noiseUp, err := d.change()
		if err != nil {
			return best, err
		}
		x[k] = float32(float64(old) - h)
		behind := float64(old) - float64(x[k])
		down, noiseDown, err := d.change()
		if err != nil {
			return best, err
		}
		forward, backward := up/ahead, -down/behind
		central := (up - down) / (ahead + behind)
		noise := (noiseUp + noiseDown) / (ahead + behind)
		if !(math.Abs(forward-backward) <= 0.1*math.Max(math.Abs(forward), math.Abs(backward))+2*noise) {
			continue
		}
		off := math.Abs(central - got)
		m := measure{slope: central, off: off, beyond: max(0, off-noise), smooth: true}
		if !best.smooth || m.beyond < best.beyond || m.beyond == best.beyond && m.off < best.off {
			best = m
		}
	}
	return best, nil
}

// typicalSize is the root of the mean square of what is finite, or 1 where that
// is 0.
func typicalSize(x []float32) float64 {
	squares, n := 0.0, 0
	for _, v := range x {
		if s := float64(v) * float64(v); s <= math.MaxFloat32 {
			squares, n = squares+s, n+1
		}
	}
	if squares == 0 {
		return 1
	}
	return math.Sqrt(squares / float64(n))
}
