package train

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"slices"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"finetune/internal/engine"
	"finetune/onnxload"
)

// compare holds the gradients of one node of each operator against central
// differences: of the smallest, by itself, with the values that it reads in the
// model.
func (t *trial) compare(ctx context.Context) error {
	chosen, counts := choose(t.prog.Parts())
	names := slices.Sorted(maps.Keys(chosen))
	alone := map[string]*onnxload.Isolated{}
	var read []*G.Node
	for _, name := range names {
		part, err := chosen[name].Isolate()
		if err != nil {
			return err
		}
		alone[name] = part
		for _, in := range part.Inputs {
			read = append(read, in.From)
		}
	}
	m, err := engine.Compile(read, t.bind)
	if err != nil {
		return err
	}
	defer m.Close()
	if err := m.Run(ctx); err != nil {
		return err
	}
	for i, name := range names {
		t.tell("comparing gradients of "+name, i, len(names))
		node := chosen[name].Node
		r, err := compareAlone(ctx, node, alone[name], m, t.cfg.Seed, false)
		if err == nil && r != nil && r.Beyond > mostGradientError {
			r, err = compareAlone(ctx, node, alone[name], m, t.cfg.Seed, true)
		}
		if err != nil {
			return fmt.Errorf("node %q (%s): %w", node.Name, name, err)
		}
		if r == nil {
			continue
		}
		r.Op, r.Nodes, r.Node = name, counts[name], node.Name
		t.report.Gradients = append(t.report.Gradients, *r)
		if r.Beyond > mostGradientError {
			t.report.Problems = append(t.report.Problems, Problem{
				Node: r.Node, Op: r.Op, Opset: node.Opset,
				Reason: fmt.Sprintf("its gradient is off by %.2g of the largest of %d elements", r.Beyond, r.Elements),
			})
		}
	}
	slices.SortStableFunc(t.report.Gradients, func(a, b GradientReport) int { return cmp.Compare(b.Nodes, a.Nodes) })
	return nil
}

// choose finds the smallest part of each operator, and how many there are.
func choose(parts []onnxload.Part) (chosen map[string]onnxload.Part, counts map[string]int) {
	chosen, counts = map[string]onnxload.Part{}, map[string]int{}
	for _, p := range parts {
		name := qualified(p.Node.Domain, p.Node.Op)
		counts[name]++
		if best, ok := chosen[name]; !ok || p.Size < best.Size {
			chosen[name] = p
		}
	}
	return chosen, counts
}

// elementsCompared is how many elements of each input of a node are moved.
const elementsCompared = 5

// compareAlone compares a node by itself, at the values that m has. Computed ones
// can be scaled to a size of about one: random inputs may lead to numbers so large
// that a function is flat there but for rounding. It returns nil where no gradient
// flows.
func compareAlone(ctx context.Context, node *onnxload.Node, alone *onnxload.Isolated, m *engine.Machine, seed uint64, scaled bool) (*GradientReport, error) {
	var wrt []*G.Node
	for _, in := range alone.Inputs {
		b := m.Buffer(in.From)
		b.F = slices.Clone(b.F)
		if size := norm(b.F) / math.Sqrt(float64(len(b.F))); scaled && in.From.Op() != nil && size > 0 {
			for i := range b.F {
				b.F[i] /= float32(size)
			}
		}
		alone.Bind[in.Leaf] = b
		if in.Leaf.Dtype() == tensor.Float32 {
			wrt = append(wrt, in.Leaf)
		}
	}
	if len(wrt) == 0 || len(alone.Outputs) == 0 {
		return nil, nil
	}
	agreements, err := engine.Differences(ctx, alone.Outputs, wrt, alone.Bind, elementsCompared, seed)
	if err != nil {
		return nil, err
	}
	r := &GradientReport{}
	kinks, found := 0, false
	for _, a := range agreements {
		if !a.Found {
			continue
		}
		found = true
		kinks += a.Kinks
		r.Elements += a.Checked
		r.Error, r.Beyond = max(r.Error, a.Error), max(r.Beyond, a.Beyond)
	}
	switch {
	case !found:
		return nil, nil
	case node.StraightThrough():
		r.Elements, r.Error, r.Beyond = 0, 0, 0
		r.Reason = passedOn
	case r.Elements == 0 && kinks > 0:
		r.Reason = "it bends at all elements that were looked at"
	}
	return r, nil
}
