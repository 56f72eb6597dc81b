package train

import (
	"context"

	"finetune/onnxload"
	"finetune/train/data"
)

// Evaluate runs the model on every example of l, in order and without
// gradients, and returns its metrics. Of cfg it reads Batch, MicroBatch, Loss,
// Output and Observe; batch normalisation uses the running statistics. A loss
// that is not finite is a DivergedError.
func Evaluate(ctx context.Context, m *onnxload.Model, l *data.Loader, cfg Config) (Metrics, error) {
	if err := cfg.checkBatch(); err != nil {
		return Metrics{}, err
	}
	n, err := newNetwork(m, l, cfg, false)
	if err != nil {
		return Metrics{}, err
	}
	for p, pruned := range n.pruned {
		pruned.SetZeros(p.Value)
	}
	return n.evaluate(ctx)
}

// evaluate runs all examples, a last chunk that is smaller than the others
// included.
func (n *network) evaluate(ctx context.Context) (Metrics, error) {
	var t tally
	idx := make([]int, 0, n.chunk)
	for start := 0; start < n.loader.Len(); start += n.chunk {
		idx = idx[:0]
		for i := start; i < min(start+n.chunk, n.loader.Len()); i++ {
			idx = append(idx, i)
		}
		p, loss, err := n.run(ctx, idx, 0, 0)
		if err != nil {
			return Metrics{}, err
		}
		t.add(len(idx), loss)
		if p.head.scores != nil {
			t.classify(p.machine.Buffer(p.head.scores).F, p.machine.Buffer(p.head.target).I, p.head.classes)
		}
	}
	return t.metrics(), nil
}
