package onnxload

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	G "gorgonia.org/gorgonia"

	"finetune/internal/op"
)

// Lifting runs a model that was exported for a fixed batch, most often of one
// example, with batches of another size. The leading dimension of the inputs
// is replaced, and all operators follow by themselves, except that exporters
// write the batch into the target shapes of Reshape as a number. Those are
// scaled: the model is lowered at its declared batch first, and where a Reshape
// sees another input shape than there, its output shape grows by the same
// factor at the axis that carries the batch.
//
// Nothing says that a leading dimension is a batch. CheckLift finds out.

// lift lowers the model at its declared batch, to compare shapes with.
func (l *lowering) lift() error {
	declared := l.model.leading().Size
	if l.cfg.Batch == 0 || declared < 1 || declared == l.cfg.Batch {
		return nil
	}
	cfg := l.cfg
	cfg.Batch = declared
	plain := newLowering(l.model, cfg)
	if _, err := plain.run(); err != nil {
		return err
	}
	l.declared = plain.scope
	l.prog.Lifted = true
	return nil
}

// declaredShape is the shape of input 0 at the declared batch.
func (c *call) declaredShape() []int {
	if was := c.l.before(c.Inputs[0]); was != nil && len(was.shape) == c.rank(0) {
		return was.shape
	}
	return c.shape(0)
}

// liftedTarget is the output shape of a Reshape whose target holds the declared
// batch; nil where its target can be taken as it is.
func (c *call) liftedTarget() []int {
	made := c.l.before(c.Outputs[0])
	if made == nil || c.fold {
		return nil
	}
	if c.has(1) {
		target := c.l.before(c.Inputs[1])
		if target == nil || !slices.Equal(target.data.I, c.in[1].data.I) {
			return nil // the model computes its target from the shape of an input
		}
	}
	return scaleBatch(c.l.model.leading().Size, c.declaredShape(), c.shape(0), made.shape)
}

// scaleBatch changes a Reshape from → target, made for a declared batch, into
// one of shape to, which differs from from in the one axis that carries the
// batch. That axis begins after a certain number of elements, and so does the
// one that has to grow in the target. The result is nil where there is none.
func scaleBatch(declared int, from, to, target []int) []int {
	at := -1
	for i := range from {
		if from[i] != to[i] && at >= 0 {
			return nil
		}
		if from[i] != to[i] {
			at = i
		}
	}
	if at < 0 {
		return nil
	}
	before := product(from[:at])
	grows := -1
	for i, d := range target {
		ahead := product(target[:i])
		if ahead > before {
			break
		}
		if d%declared != 0 || d*to[at]%from[at] != 0 {
			continue
		}
		if grows = i; ahead == before {
			break
		}
	}
	if grows < 0 {
		return nil
	}
	out := slices.Clone(target)
	out[grows] = target[grows] * to[at] / from[at]
	return out
}

// CheckLift compares a model lowered for cfg.Batch with the same model at its
// declared batch: both get the same random examples, at once and in turn, and
// every output must be the same, row by row. It reports the first difference,
// or why the model cannot be lifted at all. Where the declared batch is open or
// is cfg.Batch already, there is nothing to check.
//
// What holds is remembered: training, evaluation and what comes before them ask
// for the same sizes.
func (m *Model) CheckLift(cfg Config) error {
	size := fmt.Sprint(cfg.Batch, cfg.Dims, m.filled)
	if _, ok := m.lifts.Load(size); ok && cfg.Feed == nil {
		return nil
	}
	err := m.checkLift(cfg)
	if err == nil && cfg.Feed == nil {
		m.lifts.Store(size, true)
	}
	return err
}

func (m *Model) checkLift(cfg Config) error {
	cfg.Training = false
	lifted, err := m.Lower(cfg)
	if err != nil || !lifted.Lifted {
		return err
	}
	total := cfg.Batch
	cfg.Batch = m.leading().Size
	plain, err := m.Lower(cfg)
	if err != nil {
		return err
	}
	return m.located(compareLifted(lifted, plain, total, cfg.Batch))
}

// compareLifted runs total examples through lifted, and up to eight chunks of
// them through plain, which takes size at a time.
func compareLifted(lifted, plain *Program, total, size int) error {
	for i, p := range lifted.Outputs {
		if !slices.Equal(p.Shape, rescaled(plain.Outputs[i].Shape, total)) {
			return fmt.Errorf("output %q has shape %v for %d examples and %v for %d; it is not one row an example",
				p.Name, p.Shape, total, plain.Outputs[i].Shape, size)
		}
	}
	rng := rand.New(rand.NewPCG(1, 2))
	var fed []op.Buffer
	for _, p := range lifted.Inputs {
		fed = append(fed, randomInput(rng, p))
	}
	got, err := lifted.evaluate(fed)
	if err != nil {
		return err
	}
	chunks := (total + size - 1) / size
	for k := range min(chunks, 8) {
		first := k * (chunks - 1) / max(1, min(chunks, 8)-1) * size
		count := min(size, total-first)
		var part []op.Buffer
		for i, p := range plain.Inputs {
			part = append(part, rows(fed[i], lifted.Inputs[i].Shape, p.Shape, first))
		}
		want, err := plain.evaluate(part)
		if err != nil {
			return err
		}
		for i, p := range plain.Outputs {
			row := want[i].Len() / size
			err := closeTo(got[i], want[i], first*row, count*row)
			if err != nil {
				return fmt.Errorf("output %q, example %d on: %w", p.Name, first, err)
			}
		}
	}
	return nil
}

// rescaled is a shape with another leading dimension.
func rescaled(shape []int, batch int) []int {
	if len(shape) == 0 {
		return nil
	}
	out := slices.Clone(shape)
	out[0] = batch
	return out
}

// randomInput is normally distributed, or zeros and ones for integers.
func randomInput(rng *rand.Rand, p Port) op.Buffer {
	b := op.NewBuffer(p.Node.Dtype(), product(p.Shape))
	for i := range b.F {
		b.F[i] = float32(rng.NormFloat64())
	}
	for i := range b.I {
		b.I[i] = rng.Int64N(2)
	}
	return b
}

// rows is the part of a batch from example first on that fills an input of
// shape small; what lies behind the last example stays zero. Inputs without a
// batch are passed on whole.
func rows(b op.Buffer, big, small []int, first int) op.Buffer {
	if slices.Equal(big, small) {
		return b
	}
	n := product(small)
	from := first * (n / small[0])
	out := op.Buffer{}
	if b.F != nil {
		out.F = make([]float32, n)
		copy(out.F, b.F[from:])
	} else {
		out.I = make([]int64, n)
		copy(out.I, b.I[from:])
	}
	return out
}

// closeTo compares n elements of got from offset on with the first of want.
// Sums may be taken in another order for another batch size: one part in 10⁵
// of the largest element is allowed.
func closeTo(got, want op.Buffer, offset, n int) error {
	for i := range want.I[:min(n, len(want.I))] {
		if got.I[offset+i] != want.I[i] {
			return fmt.Errorf("got %d, want %d", got.I[offset+i], want.I[i])
		}
	}
	var scale float64
	for _, v := range want.F {
		scale = max(scale, math.Abs(float64(v)))
	}
	for i := range want.F[:min(n, len(want.F))] {
		g, w := float64(got.F[offset+i]), float64(want.F[i])
		if math.Abs(g-w) > 1e-5*scale || math.IsNaN(g) != math.IsNaN(w) {
			return fmt.Errorf("got %g, want %g", g, w)
		}
	}
	return nil
}

// evaluate runs the program once on the given inputs.
func (p *Program) evaluate(inputs []op.Buffer) ([]op.Buffer, error) {
	bind := map[*G.Node]op.Buffer{}
	for n, b := range p.Bind {
		bind[n] = b
	}
	for i, in := range p.Inputs {
		bind[in.Node] = inputs[i]
	}
	var want []*G.Node
	for _, out := range p.Outputs {
		want = append(want, out.Node)
	}
	return evaluate(bind, want...)
}
