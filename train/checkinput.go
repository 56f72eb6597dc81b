package train

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"

	G "gorgonia.org/gorgonia"

	"finetune/internal/op"
	"finetune/onnxload"
)

// usualSizes are tried for dimensions that a model leaves open: steps, tokens,
// pixels, samples.
var usualSizes = []int{16, 64, 224, 512, 2048, 16000, 1}

// lower finds sizes at which the model can be lowered. Of several errors it
// returns that of the first size, at the batch that the file declares.
func (t *trial) lower(context.Context) error {
	if err := t.model.Supported(); err != nil {
		return err
	}
	t.fillInputs()
	batches := []int{cmp.Or(t.cfg.Batch, 2)}
	if declared := t.model.BatchDim(); declared > 0 && declared != batches[0] {
		batches = append(batches, declared)
	}
	open := t.openDims()
	var first error
	for _, size := range usualSizes {
		dims := maps.Clone(t.cfg.Dims)
		for _, symbol := range open {
			if dims == nil {
				dims = map[string]int{}
			}
			dims[symbol] = size
		}
		var fixed error
		for _, batch := range batches {
			err := t.lowerAt(onnxload.Config{Batch: batch, Training: true, Seed: t.cfg.Seed, Dims: dims, Parts: true})
			if err == nil {
				if fixed != nil {
					t.note("the model's batch of %d cannot be changed (%s): examples run %d at a time, and their gradients are added up", batch, t.text(fixed), batch)
				}
				t.report.Batch, t.report.Dims = batch, dims
				return nil
			}
			fixed = err
		}
		first = cmp.Or(first, fixed)
		if len(open) == 0 {
			break
		}
	}
	return first
}

// openDims are the symbols of the dimensions that neither the file nor the user
// gives a size, without that of the batch.
func (t *trial) openDims() []string {
	var list []string
	batch := ""
	if in := t.model.Inputs; len(in) > 0 && len(in[0].Dims) > 0 {
		batch = in[0].Dims[0].Symbol
	}
	for _, in := range t.model.Inputs {
		for k, d := range in.Dims {
			if k > 0 && d.Size < 0 && d.Symbol != batch && d.Symbol != "" && t.cfg.Dims[d.Symbol] == 0 && !slices.Contains(list, d.Symbol) {
				list = append(list, d.Symbol)
			}
		}
	}
	return list
}

// lowerAt lowers the model, and proves that it can have another batch than its
// own.
func (t *trial) lowerAt(cfg onnxload.Config) error {
	if d := t.model.BatchDim(); d > 0 && d != cfg.Batch {
		if err := t.model.CheckLift(cfg); err != nil {
			return err
		}
	}
	prog, err := t.model.Lower(cfg)
	if err != nil {
		return err
	}
	t.prog, t.bind = prog, prog.Bind
	for _, in := range prog.Inputs {
		t.bind[in.Node] = op.NewBuffer(in.Node.Dtype(), product(in.Shape))
	}
	return nil
}

// fillInputs holds inputs at a number that have no batch, so that no example can
// give them a value: at 0, as the state of a recurrent network starts, or, where
// the graph compares it with a constant, at that.
func (t *trial) fillInputs() {
	inputs := t.model.Inputs
	if len(inputs) == 0 || len(inputs[0].Dims) == 0 {
		return
	}
	batch := inputs[0].Dims[0].Size
	for _, in := range inputs[1:] {
		if in.Rank < 0 || in.Rank > 0 && (in.Dims[0].Size < 0 || in.Dims[0].Size == batch) {
			continue
		}
		number := t.comparedWith(in.Name)
		if t.model.Fill(in.Name, number) != nil {
			continue
		}
		if t.report.Fill == nil {
			t.report.Fill = map[string]float64{}
		}
		t.report.Fill[in.Name] = number
	}
}

// comparedWith is the constant that an Equal holds an input against, or 0.
func (t *trial) comparedWith(input string) float64 {
	for _, n := range t.model.Nodes {
		if n.Op != "Equal" || n.Domain != "" || len(n.Inputs) != 2 || !slices.Contains(n.Inputs, input) {
			continue
		}
		for _, name := range n.Inputs {
			switch c := t.model.Tensors[name]; {
			case c == nil:
			case len(c.I) == 1:
				return float64(c.I[0])
			case len(c.F) == 1:
				return float64(c.F[0])
			}
		}
	}
	return 0
}

// hint is what would help against a node that cannot be lowered.
func (t *trial) hint(n onnxload.Unsupported) string {
	if n.Op != "If" && n.Op != "Loop" && n.Op != "Range" {
		return ""
	}
	for _, in := range t.model.Inputs {
		if in.Rank == 0 || in.Rank == 1 && in.Dims[0].Size == 1 {
			return fmt.Sprintf("if it depends on input %q, --fill %s=NUMBER makes that a constant", in.Name, in.Name)
		}
	}
	return ""
}

// distribution is how inputs of floats are drawn.
type distribution struct {
	name string
	draw func(*rand.Rand) float64
}

// distributions are tried in turn.
var distributions = []distribution{
	{"normally distributed", (*rand.Rand).NormFloat64},
	{"0 to 1", (*rand.Rand).Float64},
	{"0 to 0.01", func(r *rand.Rand) float64 { return r.Float64() / 100 }},
}

// drawInputs gives every input random numbers; whole ones are 0 or 1, which is
// good for masks, or any position of the table that they are looked up in.
func (t *trial) drawInputs(d distribution) {
	t.report.Inputs = nil
	for _, in := range t.prog.Inputs {
		r := InputReport{Name: in.Name, DType: string(in.DType), Shape: in.Shape, Values: d.name}
		b := t.bind[in.Node]
		for i := range b.F {
			b.F[i] = float32(d.draw(t.random))
		}
		if b.I != nil {
			limit := t.tableSize(in.Node, map[*G.Node]bool{})
			if limit == math.MaxInt {
				limit = 2
			}
			r.Values = fmt.Sprintf("0 to %d", limit-1)
			for i := range b.I {
				b.I[i] = t.random.Int64N(int64(limit))
			}
		}
		t.report.Inputs = append(t.report.Inputs, r)
	}
}

// tableSize is the number of places of the smallest table that n is an index
// into, seen through operations that move its elements; math.MaxInt if it is none.
func (t *trial) tableSize(n *G.Node, seen map[*G.Node]bool) int {
	least := math.MaxInt
	if seen[n] {
		return least
	}
	seen[n] = true
	for it := t.prog.Graph.To(n.ID()); it.Next(); {
		user := it.Node().(*G.Node)
		in := inputsOf(user)
		switch slices.Index(in, n) {
		case 0:
			if user.Dtype() == n.Dtype() && user.Shape().TotalSize() > 0 {
				least = min(least, t.tableSize(user, seen))
			}
		case 1:
			if user.Op().(*op.Op).Name == "Gather" {
				least = min(least, t.gathered(user, in[0]))
			}
		}
	}
	return max(least, 1)
}

// gathered is the length of the axis of a table that a Gather looks things up in.
func (t *trial) gathered(n, table *G.Node) int {
	shape := table.Shape()
	if origin := t.prog.Origin(n); origin != nil && origin.Op == "Gather" {
		axis := origin.Attrs.Int("axis", 0)
		if axis < 0 {
			axis += len(shape)
		}
		if axis < len(shape) {
			return shape[axis]
		}
	}
	return slices.Min(shape)
}

// inputsOf is what a node is computed from, in order.
func inputsOf(n *G.Node) G.Nodes {
	var list G.Nodes
	for it := n.Graph().From(n.ID()); it.Next(); {
		list = append(list, it.Node().(*G.Node))
	}
	return list
}

// drawTarget draws labels, or numbers around what the model makes of its inputs.
func (t *trial) drawTarget(ctx context.Context) error {
	b := t.bind[t.head.target]
	for i := range b.I {
		b.I[i] = t.random.Int64N(int64(t.head.classes))
	}
	if b.F == nil {
		return nil
	}
	if err := t.judge.Run(ctx); err != nil {
		return err
	}
	out := t.judge.Buffer(t.head.output).F
	spread := norm(out) / math.Sqrt(float64(len(out)))
	if !(spread > 0 && spread <= math.MaxFloat32) {
		spread = 1
	}
	for i := range b.F {
		b.F[i] = out[i] + float32(spread*t.random.NormFloat64())
	}
	return nil
}
