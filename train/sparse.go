package train

import (
	"context"

	"finetune/internal/op"
	"finetune/onnxload"
	"finetune/optim"
)

// prunedWeights is what is known to be zero of the weights of m: what their masks
// have emptied and, of weights that are not trained, what is zero.
func prunedWeights(m *onnxload.Model) map[*optim.Param]*op.Pruned {
	list := map[*optim.Param]*op.Pruned{}
	for _, p := range m.Params {
		if p.Rank() < 2 {
			continue
		}
		list[p] = new(op.Pruned)
		if p.Trainable {
			list[p].Set(p.Mask)
		} else {
			list[p].SetZeros(p.Value)
		}
	}
	return list
}

// bindPruned lets operations know which weights are zero.
func (n *network) bindPruned(prog *onnxload.Program) {
	for p, pruned := range n.pruned {
		if b, ok := prog.Bind[prog.Params[p]]; ok {
			b.Pruned = pruned
			prog.Bind[prog.Params[p]] = b
		}
	}
}

// masksChanged has to be called after masks were changed.
func (n *network) masksChanged() {
	for p, pruned := range n.pruned {
		if p.Mask != nil {
			pruned.Set(p.Mask)
		}
	}
}

// denseGradients leaves in Param.Grad the gradients of all weights, those that
// masks hold at zero included: for that, operations forget what is zero, until
// masksChanged.
func (n *network) denseGradients(ctx context.Context, idx []int, step int) error {
	for p, pruned := range n.pruned {
		if p.Mask != nil {
			pruned.Set(nil)
		}
	}
	_, err := n.gradientsAnd(ctx, idx, step, func(*pass) {}) // statistics move with the step itself
	return err
}

func (r *run) masksChanged() {
	r.density = density(r.prunable)
	r.network.masksChanged()
	if r.judge != nil {
		r.judge.masksChanged()
	}
}
