package op

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// leaf is an input of a graph under test.
type leaf struct {
	shape []int
	data  Buffer
}

func floatLeaf(shape []int, values ...float32) leaf { return leaf{shape, Buffer{F: values}} }
func intLeaf(shape []int, values ...int64) leaf     { return leaf{shape, Buffer{I: values}} }

// noise is float32 of either sign whose size is between 0.25 and 1.25: away
// from the kink at 0 and from division by 0.
func noise(seed uint64, shape ...int) leaf {
	rng := rand.New(rand.NewPCG(seed, 1))
	v := make([]float32, tensor.Shape(shape).TotalSize())
	for i := range v {
		v[i] = 0.25 + rng.Float32()
		if rng.IntN(2) == 0 {
			v[i] = -v[i]
		}
	}
	return floatLeaf(shape, v...)
}

// spaced is float32 in random order, no two closer than 0.1: away from the
// kinks of a maximum.
func spaced(seed uint64, shape ...int) leaf {
	rng := rand.New(rand.NewPCG(seed, 2))
	v := make([]float32, tensor.Shape(shape).TotalSize())
	for i, k := range rng.Perm(len(v)) {
		v[i] = 0.1*float32(k-len(v)/2) + 0.03
	}
	return floatLeaf(shape, v...)
}

// builder makes the node under test from its inputs.
type builder func(in []*G.Node) (*G.Node, error)

// graphOf builds the node under test over leaves of its own.
func graphOf(t *testing.T, build builder, inputs []leaf) (in []*G.Node, out *G.Node, values map[*G.Node]Buffer) {
	t.Helper()
	g := G.NewGraph()
	values = map[*G.Node]Buffer{}
	for i, l := range inputs {
		dt := tensor.Float32
		if l.data.I != nil {
			dt = tensor.Int64
		}
		if n := tensor.Shape(l.shape).TotalSize(); n != l.data.Len() {
			t.Fatalf("input %d: got %d values for shape %v", i, l.data.Len(), l.shape)
		}
		n := Input(g, fmt.Sprint("in", i), dt, l.shape...)
		in, values[n] = append(in, n), l.data
	}
	out, err := build(in)
	if err != nil {
		t.Fatal(err)
	}
	return in, out, values
}

// testStep is the training step that graphs under test run at.
const testStep = 7

// evaluate runs the graph up to n. Nothing is run in place, results start as
// NaN, and values holds what is known.
func evaluate(n *G.Node, values map[*G.Node]Buffer) (Buffer, error) {
	if b, ok := values[n]; ok {
		return b, nil
	}
	o, ok := n.Op().(*Op)
	if !ok {
		return Buffer{}, fmt.Errorf("%v has no value", n)
	}
	c := Call{Step: testStep, Scratch: make([]float32, o.Scratch)}
	for _, child := range children(n) {
		b, err := evaluate(child, values)
		if err != nil {
			return Buffer{}, err
		}
		c.In = append(c.In, b)
	}
	if o.Alias {
		values[n] = c.In[0].First(o.Shape.TotalSize())
		return values[n], nil
	}
	c.Out = NewBuffer(o.Dtype, o.Shape.TotalSize())
	for i := range c.Out.F {
		c.Out.F[i] = float32(math.NaN())
	}
	for i := range c.Out.I {
		c.Out.I[i] = -1 << 62
	}
	for i := range c.Scratch {
		c.Scratch[i] = float32(math.NaN())
	}
	if err := o.Run(&c); err != nil {
		return Buffer{}, fmt.Errorf("%s: %w", o.Name, err)
	}
	if err := checkInPlace(o, c); err != nil {
		return Buffer{}, err
	}
	values[n] = c.Out
	return c.Out, nil
}

// checkInPlace runs an operation that may overwrite an input once more, on
// copies and over that input, and compares with the result in c.
func checkInPlace(o *Op, c Call) error {
	k := int(o.InPlace - First)
	if o.InPlace == None || c.In[k].Len() != c.Out.Len() {
		return nil
	}
	again := Call{Step: c.Step, Scratch: make([]float32, o.Scratch)}
	for _, b := range c.In {
		again.In = append(again.In, Buffer{F: slices.Clone(b.F), I: slices.Clone(b.I)})
	}
	again.Out = again.In[k]
	if err := o.Run(&again); err != nil {
		return fmt.Errorf("%s in place: %w", o.Name, err)
	}
	for i, want := range c.Out.F {
		if got := again.Out.F[i]; got != want && (got == got || want == want) {
			return fmt.Errorf("%s in place: element %d: got %v, want %v", o.Name, i, got, want)
		}
	}
	if !slices.Equal(again.Out.I, c.Out.I) {
		return fmt.Errorf("%s in place: got %v, want %v", o.Name, again.Out.I, c.Out.I)
	}
	return nil
}

func children(n *G.Node) []*G.Node {
	var out []*G.Node
	for it := n.Graph().From(n.ID()); it.Next(); {
		out = append(out, it.Node().(*G.Node))
	}
	return out
}

// forward runs build on the inputs.
func forward(t *testing.T, build builder, inputs ...leaf) (Buffer, tensor.Shape) {
	t.Helper()
	_, out, values := graphOf(t, build, inputs)
	b, err := evaluate(out, values)
	if err != nil {
		t.Fatal(err)
	}
	return b, out.Shape()
}

// backprop returns the gradients of in, nil where out does not depend on one,
// given the gradient of out.
func backprop(t *testing.T, in []*G.Node, out, seed *G.Node) []*G.Node {
	t.Helper()
	terms := map[*G.Node][]*G.Node{out: {seed}}
	seen := map[*G.Node]bool{}
	var order []*G.Node // of the nodes below out
	var visit func(n *G.Node)
	visit = func(n *G.Node) {
		if !seen[n] {
			seen[n] = true
			order = append(order, n)
			for _, c := range children(n) {
				visit(c)
			}
		}
	}
	visit(out)
	slices.SortFunc(order, func(a, b *G.Node) int { return cmp.Compare(b.ID(), a.ID()) })
	grads := map[*G.Node]*G.Node{}
	for _, n := range order {
		if terms[n] == nil {
			continue
		}
		g, err := Sum(terms[n]...)
		if err != nil {
			t.Fatalf("gradient of %v: %v", n, err)
		}
		grads[n] = g
		o, ok := n.Op().(*Op)
		if !ok || !slices.Contains(o.Diff, true) {
			continue
		}
		args := children(n)
		got, err := o.SymDiff(args, n, g)
		if err != nil {
			t.Fatalf("gradient of %v: %v", n, err)
		}
		if len(got) != len(args) {
			t.Fatalf("%s: got %d gradients for %d inputs", o.Name, len(got), len(args))
		}
		for i, d := range got {
			if (d != nil) != o.Diff[i] {
				t.Fatalf("%s: got gradient %v for input %d, but Diff is %v", o.Name, d, i, o.Diff)
			}
			if d == nil {
				continue
			}
			if !slices.Equal(d.Shape(), args[i].Shape()) || d.Dtype() != tensor.Float32 {
				t.Fatalf("%s: got gradient %v %v for input %d, want shape %v", o.Name, d.Shape(), d.Dtype(), i, args[i].Shape())
			}
			terms[args[i]] = append(terms[args[i]], d)
		}
	}
	list := make([]*G.Node, len(in))
	for i, n := range in {
		list[i] = grads[n]
	}
	return list
}

// checkGrad compares the gradient of Σ w·y, for the result y of build and fixed
// random w, with central differences of fourth order, for every element of every
// float32 input. Inputs must be further than 1/32 from a kink.
func checkGrad(t *testing.T, build builder, inputs ...leaf) {
	t.Helper()
	in, out, values := graphOf(t, build, inputs)
	weights := noise(99, out.Shape()...).data.F
	seed := Input(out.Graph(), "seed", tensor.Float32, out.Shape()...)
	values[seed] = Buffer{F: weights}
	known := func() map[*G.Node]Buffer {
		m := map[*G.Node]Buffer{seed: values[seed]}
		for _, n := range in {
			m[n] = values[n]
		}
		return m
	}
	cost := func() float64 {
		y, err := evaluate(out, known())
		if err != nil {
			t.Fatal(err)
		}
		total := 0.0
		for i, w := range weights {
			total += float64(w) * float64(y.F[i])
		}
		return total
	}
	for k, g := range backprop(t, in, out, seed) {
		x := values[in[k]].F
		if x == nil {
			if g != nil {
				t.Errorf("input %d: got a gradient of int64", k)
			}
			continue
		}
		if g == nil {
			t.Errorf("input %d: got no gradient", k)
			continue
		}
		got, err := evaluate(g, known())
		if err != nil {
			t.Fatal(err)
		}
		for i, at := range x {
			const h = 1.0 / 64
			shifted := func(d float32) float64 {
				x[i] = at + d
				defer func() { x[i] = at }()
				return cost()
			}
			want := (8*(shifted(h)-shifted(-h)) - (shifted(2*h) - shifted(-2*h))) / (12 * h)
			if d := math.Abs(float64(got.F[i]) - want); !(d <= 1e-3*(1+math.Abs(want))) {
				t.Errorf("input %d, element %d: got gradient %v, want %v", k, i, got.F[i], want)
			}
		}
	}
}

// wantFloats checks a result.
func wantFloats(t *testing.T, got Buffer, want []float32, tolerance float64) {
	t.Helper()
	if len(got.F) != len(want) {
		t.Fatalf("got %v, want %v", got.F, want)
	}
	for i, w := range want {
		if d := math.Abs(float64(got.F[i] - w)); !(d <= tolerance*(1+math.Abs(float64(w)))) && got.F[i] != w {
			t.Fatalf("element %d: got %v, want %v\ngot  %v\nwant %v", i, got.F[i], w, got.F, want)
		}
	}
}

// wantInts checks a result.
func wantInts(t *testing.T, got Buffer, want ...int64) {
	t.Helper()
	if !slices.Equal(got.I, want) {
		t.Fatalf("got %v, want %v", got.I, want)
	}
}

// wantShape checks the shape of a result.
func wantShape(t *testing.T, got tensor.Shape, want ...int) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Fatalf("got shape %v, want %v", got, tensor.Shape(want))
	}
}
