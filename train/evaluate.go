package train

import (
	"context"

	"finetune/onnxload"
	"finetune/train/data"
)

// Evaluate runs the model on every example of l, in order and without
// gradients, and returns its metrics. Of cfg it reads Batch, MicroBatch, Loss,
// Output and Observe; batch normalisation uses the running statistics.
func Evaluate(ctx context.Context, m *onnxload.Model, l *data.Loader, cfg Config) (Metrics, error) {
	cfg.BatchNorm = onnxload.BatchNormFrozen
	if err := cfg.checkBatch(); err != nil {
		return Metrics{}, err
	}
	n, err := newNetwork(m, l, cfg, min(cfg.Batch, l.Len()), cfg.note)
	if err != nil {
		return Metrics{}, err
	}
	return n.evaluate(ctx, l)
}

// evaluate runs all examples of l, a last chunk that is smaller than the others
// included.
func (n *network) evaluate(ctx context.Context, l *data.Loader) (Metrics, error) {
	var t tally
	idx := make([]int, 0, n.chunk)
	for start := 0; start < l.Len(); start += n.chunk {
		idx = idx[:0]
		for i := start; i < min(start+n.chunk, l.Len()); i++ {
			idx = append(idx, i)
		}
		p, loss, err := n.run(ctx, l, idx, false, 0)
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

// checkLabels reports a label that the model has no class for.
func (n *network) checkLabels(l *data.Loader) error {
	if n.task.loss != CrossEntropy {
		return nil
	}
	p, err := n.pass(min(n.chunk, l.Len()), false)
	if err != nil {
		return err
	}
	return data.CheckLabels(l.Source(), p.head.classes)
}
