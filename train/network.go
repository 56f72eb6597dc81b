package train

import (
	"context"
	"fmt"
	"math"

	G "gorgonia.org/gorgonia"

	"finetune/internal/engine"
	"finetune/internal/op"
	"finetune/onnxload"
	"finetune/optim"
	"finetune/train/data"
)

// network is a model ready to be run on batches. A graph has fixed shapes, so
// there is one for each number of examples that comes up: the batch, and what is
// left for the last batch of an epoch.
type network struct {
	model     *onnxload.Model
	task      task
	feeding   feeding
	batchNorm onnxload.BatchNormMode
	seed      uint64

	// chunk is the most examples that run at once. Where the model's batch
	// dimension is fixed for good it is that, and a batch is several runs.
	chunk int
	fixed bool

	trainable []*optim.Param
	sums      [][]float32 // gradients summed over the chunks of a batch; nil until needed
	passes    map[passKey]*pass
}

type passKey struct {
	examples int
	training bool
}

// pass is one graph, compiled.
type pass struct {
	machine *engine.Machine
	buffers *batchBuffers
	head    head
	stats   []onnxload.BatchStats
	reached []bool // by trainable parameter: whether the loss depends on it
	name    func(*G.Node) string
}

// newNetwork lowers m for batches of the given size. Where a fixed batch
// dimension cannot be replaced it says so through note.
func newNetwork(m *onnxload.Model, l *data.Loader, cfg Config, batch int, note func(format string, args ...any)) (*network, error) {
	n := &network{
		model: m, batchNorm: cfg.BatchNorm, seed: cfg.Seed, chunk: batch,
		passes: map[passKey]*pass{},
	}
	if cfg.MicroBatch > 0 {
		n.chunk = min(batch, cfg.MicroBatch)
	}
	var err error
	if n.task, err = newTask(m, l.Source().Target(), cfg.Loss, cfg.Output); err != nil {
		return nil, err
	}
	if n.feeding, err = newFeeding(m, l.Inputs()); err != nil {
		return nil, err
	}
	for _, p := range m.Params {
		if p.Trainable {
			n.trainable = append(n.trainable, p)
		}
	}
	if declared := m.BatchDim(); declared > 0 && declared != n.chunk {
		if err := m.CheckLift(n.lowering(n.chunk, false)); err != nil {
			note("the model's batch of %d cannot be changed (%v): examples run %d at a time, with the same result", declared, err, declared)
			n.chunk, n.fixed = declared, true
		}
	}
	return n, nil
}

func (n *network) lowering(examples int, training bool) onnxload.Config {
	return onnxload.Config{
		Batch: examples, Training: training, BatchNorm: n.batchNorm, Seed: n.seed, Dims: n.feeding.dims,
	}
}

// pass returns the graph for a number of examples, building it at first use.
// Evaluation has no gradients in its graph.
func (n *network) pass(examples int, training bool) (*pass, error) {
	key := passKey{examples, training}
	if p := n.passes[key]; p != nil {
		return p, nil
	}
	if n.fixed && examples != n.chunk {
		return nil, fmt.Errorf("train: the model takes exactly %d examples at a time, which leaves %d over: use a batch and a number of examples that %d divides",
			n.chunk, examples, n.chunk)
	}
	prog, err := n.model.Lower(n.lowering(examples, training))
	if err != nil {
		return nil, err
	}
	p := &pass{stats: prog.Stats, name: prog.NodeName}
	if p.head, err = n.task.attach(prog, examples); err != nil {
		return nil, err
	}
	outputs := []*G.Node{p.head.loss}
	if training {
		if outputs, err = n.addGradients(p, prog, outputs); err != nil {
			return nil, err
		}
	} else if p.head.scores != nil {
		outputs = append(outputs, p.head.scores)
	}
	if p.machine, err = engine.Compile(outputs, prog.Bind); err != nil {
		return nil, err
	}
	leaves := make([]op.Buffer, len(prog.Inputs))
	for i, port := range prog.Inputs {
		leaves[i] = p.machine.Buffer(port.Node)
		if leaves[i].Len() == 0 {
			leaves[i] = op.NewBuffer(port.Node.Dtype(), port.Node.Shape().TotalSize())
		}
	}
	p.buffers = n.feeding.newBatchBuffers(len(n.feeding.field), leaves, p.machine.Buffer(p.head.target))
	n.passes[key] = p
	return p, nil
}

// addGradients extends the graph by the gradients of the trainable parameters,
// written to Param.Grad, and by the statistics of batch normalisation.
func (n *network) addGradients(p *pass, prog *onnxload.Program, outputs []*G.Node) ([]*G.Node, error) {
	wrt := make([]*G.Node, len(n.trainable))
	for i, param := range n.trainable {
		wrt[i] = prog.Params[param]
	}
	grads, err := engine.Backprop(p.head.loss, wrt)
	if err != nil {
		return nil, err
	}
	p.reached = make([]bool, len(grads))
	for i, g := range grads {
		param := n.trainable[i]
		if param.Grad == nil {
			param.Grad = make([]float32, len(param.Value))
		}
		if g == nil {
			continue
		}
		p.reached[i] = true
		prog.Bind[g] = op.Buffer{F: param.Grad}
		outputs = append(outputs, g)
	}
	for _, s := range p.stats {
		outputs = append(outputs, s.Mean, s.Variance)
	}
	return outputs, nil
}

// run computes the outputs of a graph for some examples.
func (n *network) run(ctx context.Context, l *data.Loader, idx []int, training bool, step int) (*pass, float64, error) {
	p, err := n.pass(len(idx), training)
	if err != nil {
		return nil, 0, err
	}
	if err := p.buffers.fill(l, idx); err != nil {
		return nil, 0, err
	}
	p.machine.SetStep(uint64(step))
	if err := p.machine.Run(ctx); err != nil {
		return nil, 0, err
	}
	return p, float64(p.machine.Buffer(p.head.loss).F[0]), nil
}

// gradients leaves the gradient of the mean loss over the examples in Param.Grad
// and returns that loss. Batches beyond the chunk are added up.
func (n *network) gradients(ctx context.Context, l *data.Loader, idx []int, step int) (float64, error) {
	total := 0.0
	for start := 0; start < len(idx); start += n.chunk {
		part := idx[start:min(start+n.chunk, len(idx))]
		p, loss, err := n.run(ctx, l, part, true, step)
		if err != nil {
			return 0, err
		}
		if !finite(loss) {
			return loss, n.diverged(ctx, p, step, loss)
		}
		p.updateStatistics()
		share := float64(len(part)) / float64(len(idx))
		total += share * loss
		if len(part) < len(idx) {
			n.accumulate(float32(share), start == 0)
		}
	}
	if n.chunk < len(idx) {
		for i, p := range n.trainable {
			copy(p.Grad, n.sums[i])
		}
	}
	return total, nil
}

// accumulate adds the share of one chunk to the sums.
func (n *network) accumulate(share float32, first bool) {
	if n.sums == nil {
		n.sums = make([][]float32, len(n.trainable))
		for i, p := range n.trainable {
			n.sums[i] = make([]float32, len(p.Grad))
		}
	}
	for i, p := range n.trainable {
		sum := n.sums[i]
		if first {
			clear(sum)
		}
		for j, g := range p.Grad {
			sum[j] += share * g
		}
	}
}

// updateStatistics moves the running statistics of batch normalisation towards
// those of the batch, as ONNX BatchNormalization-15 defines it:
// running = momentum·running + (1 − momentum)·batch, the variance biased.
func (p *pass) updateStatistics() {
	for _, s := range p.stats {
		blend(s.RunningMean.Value, p.machine.Buffer(s.Mean).F, s.Momentum)
		blend(s.RunningVar.Value, p.machine.Buffer(s.Variance).F, s.Momentum)
	}
}

func blend(running, batch []float32, momentum float32) {
	for i, b := range batch {
		running[i] = momentum*running[i] + (1-momentum)*b
	}
}

// diverged explains a loss that is not a number.
func (n *network) diverged(ctx context.Context, p *pass, step int, loss float64) error {
	e := &DivergedError{Step: step, Loss: loss}
	node, err := p.machine.FirstNonFinite(ctx)
	if err == nil && node != nil {
		e.Node = p.name(node)
		if node.Op() != nil {
			e.Op = node.Op().String()
		}
	}
	return e
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

// DivergedError is a loss that became NaN or infinite.
type DivergedError struct {
	Step int
	Loss float64
	// Node and Op name the first operation that made such a number, or the
	// parameter or input that holds one; Op is empty for those.
	Node, Op string
}

// Error says what happened and where.
func (e *DivergedError) Error() string {
	switch {
	case e.Op != "":
		return fmt.Sprintf("the loss is %v at step %d: node %q (%s) is the first to make a number that is not finite", e.Loss, e.Step, e.Node, e.Op)
	case e.Node != "":
		return fmt.Sprintf("the loss is %v at step %d: %q holds a number that is not finite", e.Loss, e.Step, e.Node)
	default:
		return fmt.Sprintf("the loss is %v at step %d", e.Loss, e.Step)
	}
}
