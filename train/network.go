package train

import (
	"context"
	"errors"
	"fmt"
	"slices"

	G "gorgonia.org/gorgonia"

	"finetune/internal/engine"
	"finetune/internal/op"
	"finetune/onnxload"
	"finetune/optim"
	"finetune/train/data"
)

// network is a model with a loss at its end, compiled to be run on the examples
// of one loader. A graph has fixed shapes, so there is a pass for each number of
// examples that comes up: a chunk, and what is left for the last one.
type network struct {
	model    *onnxload.Model
	loader   *data.Loader
	training bool // passes compute gradients
	cfg      Config
	task     task
	feeding  feeding

	chunk   int  // the most examples that run at once
	insists bool // the model takes no other number
	passes  map[int]*pass
	most    int64 // memory that passes should do with, if above 0; see memory.go

	trainable []*optim.Param
	pruned    map[*optim.Param]*op.Pruned // what is zero of weights and of their gradients
	sums      [][]float32                 // of gradients over the chunks of a batch; nil until needed

	costs *costs // of training with Config.Profile
}

// pass is one graph: planned, and then compiled.
type pass struct {
	plan    *engine.Plan
	inputs  []onnxload.Port
	machine *engine.Machine
	buffers *batchBuffers
	head    head
	stats   []onnxload.BatchStats
	name    func(*G.Node) string
}

// newNetwork compiles m for all that is to be run on l's examples, so that what
// does not fit is found before any work is done.
func newNetwork(m *onnxload.Model, l *data.Loader, cfg Config, training bool) (*network, error) {
	n, err := planNetwork(m, l, cfg, training)
	if err != nil {
		return nil, err
	}
	if err := (Memory{Pass: n.bytes(), Examples: n.chunk}).check(0); err != nil {
		return nil, err
	}
	return n, n.compile(new(engine.Space))
}

// planNetwork is a network that takes no memory yet and cannot run.
func planNetwork(m *onnxload.Model, l *data.Loader, cfg Config, training bool) (*network, error) {
	n := &network{model: m, loader: l, training: training, cfg: cfg}
	var err error
	if n.task, err = newTask(m, l.Source().Target(), cfg.Loss, cfg.Output); err != nil {
		return nil, err
	}
	if n.feeding, err = newFeeding(m, l); err != nil {
		return nil, err
	}
	if training {
		n.trainable = trainable(m, cfg.note)
	}
	n.pruned = prunedWeights(m)
	if training && cfg.Profile {
		n.costs = new(costs)
	}
	if err := n.plan(); err != nil {
		return nil, err
	}
	if n.task.loss == CrossEntropy {
		return n, data.CheckLabels(l.Source(), n.passes[n.chunk].head.classes)
	}
	return n, nil
}

// plan chooses how many examples run at once and plans their passes.
func (n *network) plan() error {
	sizes, err := n.chooseChunk()
	if err != nil {
		return err
	}
	n.passes = map[int]*pass{}
	for _, examples := range sizes {
		if n.passes[examples], err = n.build(examples); err != nil {
			return err
		}
	}
	return nil
}

// trainable lists the parameters to train. One that holds an infinity or a NaN
// is none of them: masks are made of the former, and nothing mends the latter.
func trainable(m *onnxload.Model, note func(format string, args ...any)) []*optim.Param {
	var list []*optim.Param
	for _, p := range m.Params {
		if !p.Trainable {
			continue
		}
		if !optim.Finite(p.Value) {
			p.Trainable = false
			note("parameter %q is left as it is: it holds a number that is not finite", p.Name)
			continue
		}
		list = append(list, p)
	}
	return list
}

// temperature is what scores are divided by in the loss: 1 where it only measures.
func (n *network) temperature() float64 {
	if n.training && n.task.loss == CrossEntropy && n.cfg.Temperature > 0 {
		return n.cfg.Temperature
	}
	return 1
}

// lowering is how the model is lowered for a number of examples.
func (n *network) lowering(examples int) onnxload.Config {
	return onnxload.Config{
		Batch: examples, Training: n.training, BatchNorm: n.cfg.BatchNorm, Seed: n.cfg.Seed, Dims: n.feeding.dims,
	}
}

// build plans the graph for a number of examples.
func (n *network) build(examples int) (*pass, error) {
	prog, err := n.model.Lower(n.lowering(examples))
	if err != nil {
		return nil, err
	}
	if err := n.feeding.check(prog.Inputs, examples); err != nil {
		return nil, err
	}
	p := &pass{inputs: prog.Inputs, stats: prog.Stats, name: prog.NodeName}
	if p.head, err = n.task.attach(prog, examples, n.temperature()); err != nil {
		if misfit, ok := errors.AsType[*TargetError](err); ok {
			misfit.Where = n.loader.Source().Where(0)
		}
		return nil, err
	}
	outputs := []*G.Node{p.head.loss}
	if n.training {
		grads, err := n.addGradients(p.head.loss, prog)
		if err != nil {
			return nil, err
		}
		outputs = append(outputs, grads...)
		if n.cfg.wantsCurvature() {
			outputs = append(outputs, p.head.output)
		}
	} else if p.head.scores != nil {
		outputs = append(outputs, p.head.scores)
	}
	for _, s := range p.stats {
		outputs = append(outputs, s.Mean, s.Variance)
		if s.Count == 1 {
			n.cfg.warn("node %q has one value per channel when %d examples run at once, which has no variance: its running statistics stay as they are then", s.Node, examples)
		}
	}
	n.bindPruned(prog)
	if p.plan, err = engine.NewPlan(outputs, prog.Bind); err != nil {
		return nil, err
	}
	if n.most > 0 {
		p.plan.Recompute(int(n.most) - p.plan.Own())
	}
	return p, nil
}

// compile makes the passes ready to run, one at a time, in a space.
func (n *network) compile(space *engine.Space) (err error) {
	for _, p := range n.passes {
		if p.machine, err = p.plan.Machine(space); err != nil {
			return err
		}
		if n.costs != nil {
			p.machine.StartProfile()
		}
		leaves := make([]op.Buffer, len(p.inputs))
		for i, port := range p.inputs {
			leaves[i] = p.machine.Buffer(port.Node)
			if leaves[i].Len() == 0 { // the loss does not depend on it
				leaves[i] = op.NewBuffer(port.Node.Dtype(), port.Node.Shape().TotalSize())
			}
		}
		p.buffers = n.feeding.newBatchBuffers(leaves, p.machine.Buffer(p.head.target))
	}
	return nil
}

// addGradients extends the graph by the gradients of the trainable parameters,
// which are written to Param.Grad. Parameters that the loss does not depend on
// are trainable no more: decay alone must not move them.
func (n *network) addGradients(loss *G.Node, prog *onnxload.Program) ([]*G.Node, error) {
	wrt := make([]*G.Node, len(n.trainable))
	for i, param := range n.trainable {
		wrt[i] = prog.Params[param] // nil if nothing depends on it
	}
	grads, err := engine.Backprop(loss, wrt)
	if err != nil {
		return nil, err
	}
	var reached []*optim.Param
	for i, g := range grads {
		param := n.trainable[i]
		if g == nil {
			param.Trainable = false
			n.cfg.note("parameter %q is left as it is: the loss does not depend on it", param.Name)
			continue
		}
		reached = append(reached, param)
		if len(param.Grad) != len(param.Value) {
			param.Grad = make([]float32, len(param.Value))
		}
		prog.Bind[g] = op.Buffer{F: param.Grad, Pruned: n.pruned[param]}
	}
	n.trainable = reached
	return slices.DeleteFunc(grads, func(g *G.Node) bool { return g == nil }), nil
}

// run computes the loss of some examples, and in training its gradients. step
// counts updates from 1, and draw decides what Dropout drops.
func (n *network) run(ctx context.Context, idx []int, step int, draw uint64) (*pass, float64, error) {
	p := n.passes[len(idx)]
	if p == nil {
		panic(fmt.Sprintf("train: no pass for %d examples", len(idx)))
	}
	start := n.costs.start()
	if err := p.buffers.fill(n.loader, idx); err != nil {
		return nil, 0, err
	}
	n.costs.add("examples", start)
	p.machine.SetStep(draw)
	loss, err := n.compute(ctx, p, step)
	return p, loss, err
}

// compute runs p on the examples that are in it.
func (n *network) compute(ctx context.Context, p *pass, step int) (float64, error) {
	if err := p.machine.Run(ctx); err != nil {
		return 0, err
	}
	loss := float64(p.machine.Buffer(p.head.loss).F[0])
	defer n.costs.add("checked", n.costs.start())
	return loss, n.checkFinite(ctx, p, step, loss)
}

// gradients leaves the gradient of the mean loss over the examples in Param.Grad
// and returns that loss. Batches beyond the chunk are added up.
func (n *network) gradients(ctx context.Context, idx []int, step int) (float64, error) {
	return n.gradientsAnd(ctx, idx, step, (*pass).updateStatistics)
}

// gradientsAnd is gradients with something else to do after each pass.
func (n *network) gradientsAnd(ctx context.Context, idx []int, step int, after func(*pass)) (float64, error) {
	return n.overChunks(idx, func(part []int, start int) (float64, error) {
		p, loss, err := n.run(ctx, part, step, drawOf(step, start))
		if err == nil {
			after(p)
		}
		return loss, err
	})
}

// drawOf decides what is random in the chunk of a step that starts there.
func drawOf(step, start int) uint64 { return uint64(step)<<32 | uint64(start) }

// overChunks calls run for chunks of the examples, with where each starts, and
// leaves the mean of the gradients in Param.Grad. It returns that of the losses.
func (n *network) overChunks(idx []int, run func(part []int, start int) (float64, error)) (float64, error) {
	total := 0.0
	for start := 0; start < len(idx); start += n.chunk {
		part := idx[start:min(start+n.chunk, len(idx))]
		loss, err := run(part, start)
		if err != nil {
			return 0, err
		}
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
			sum[j] += float32(share * g)
		}
	}
}

// updateStatistics moves the running statistics of batch normalisation towards
// those of the batch, as ONNX BatchNormalization-15 defines it:
// running = momentum·running + (1 − momentum)·batch, the variance biased. One
// element has no variance, so it moves nothing.
func (p *pass) updateStatistics() {
	for _, s := range p.stats {
		if s.Count > 1 {
			blend(s.RunningMean.Value, p.machine.Buffer(s.Mean).F, s.Momentum)
			blend(s.RunningVar.Value, p.machine.Buffer(s.Variance).F, s.Momentum)
		}
	}
}

func blend(running, batch []float32, momentum float32) {
	for i, b := range batch {
		running[i] = float32(momentum*running[i]) + float32((1-momentum)*b)
	}
}
