package train

import (
	"context"
	"math"

	G "gorgonia.org/gorgonia"

	"finetune/internal/engine"
	"finetune/internal/op"
	"finetune/onnxload"
	"finetune/optim"
	"finetune/train/data"
)

// DefaultCalibration is how many examples scores are made from before the first
// step, where Pruning.Calibration says nothing.
const DefaultCalibration = 512

// calibrate makes the scores that come from examples before the first step: those
// of the first batches, as many as Pruning.Calibration needs.
func (r *run) calibrate(ctx context.Context) error {
	if !r.cfg.Prune.Score.Calibrated() {
		return nil
	}
	wanted := r.cfg.Prune.Calibration
	if wanted == 0 {
		wanted = DefaultCalibration
	}
	order := data.Order(r.training.Len(), r.cfg.Seed, 0)
	if r.cfg.Prune.Score == optim.Wanda {
		return r.network.inputNorms(ctx, order, wanted, r.gradual.State())
	}
	for done := 0; done < wanted && done < len(order); done += r.cfg.Batch {
		batch := order[done:min(done+r.cfg.Batch, len(order))]
		_, err := r.network.overChunks(batch, func(part []int, start int) (float64, error) {
			_, loss, err := r.network.run(ctx, part, 0, uint64(done+start))
			return loss, err
		})
		if err != nil {
			return r.stopped(err)
		}
		r.sumGradients(float32(len(batch)))
	}
	for _, p := range r.model.Params {
		for i := range r.gradual.State()[p.Name] {
			r.gradual.State()[p.Name][i] *= p.Value[i]
		}
	}
	return nil
}

// sumGradients adds those of so many examples to the scores.
func (r *run) sumGradients(examples float32) {
	for _, p := range r.network.trainable {
		for i := range r.gradual.State()[p.Name] {
			r.gradual.State()[p.Name][i] += float32(p.Grad[i] * examples)
		}
	}
}

// inputNorms fills norms, by the name of the parameter, with the Euclidean norm of
// what each weight multiplies, over the first examples of order, at least one
// chunk of them. It is 1 for the weights of nodes that are no product or
// convolution by a weight, such as recurrent ones.
func (n *network) inputNorms(ctx context.Context, order []int, examples int, norms map[string][]float32) error {
	how := n.lowering(n.chunk)
	how.Parts, how.Training = true, false
	prog, err := n.model.Lower(how)
	if err != nil {
		return err
	}
	readers := map[string]onnxload.Part{}
	var outputs []*G.Node
	for _, part := range prog.Parts() {
		if in := part.Node.Inputs; len(in) > 1 && norms[in[1]] != nil && part.Input(0) != nil {
			switch part.Node.Op {
			case "Conv", "ConvTranspose", "MatMul", "Gemm":
				readers[in[1]] = part
				outputs = append(outputs, part.Input(0))
			}
		}
	}
	squares := map[string][]float64{}
	for name, list := range norms {
		if _, ok := readers[name]; !ok {
			n.cfg.note("parameter %q is scored by magnitude: it is not multiplied by one value", name)
			for i := range list {
				list[i] = 1
			}
		}
	}
	plan, err := engine.NewPlan(outputs, prog.Bind)
	if err != nil || len(outputs) == 0 {
		return err
	}
	machine, err := plan.Machine(new(engine.Space))
	if err != nil {
		return err
	}
	buffers := n.inputBuffers(machine, prog)
	for done := 0; done == 0 || done < examples && done+n.chunk <= len(order); done += n.chunk {
		if err := buffers.fill(n.loader, order[done:done+n.chunk]); err != nil {
			return err
		}
		if err := machine.Run(ctx); err != nil {
			return err
		}
		for name, part := range readers {
			squares[name] = addSquares(squares[name], part, machine.Buffer(part.Input(0)).F)
		}
	}
	for _, p := range n.model.Params {
		if _, ok := readers[p.Name]; ok {
			spread(norms[p.Name], p, squares[p.Name])
		}
	}
	return nil
}

// inputBuffers is room for a chunk of examples; their targets go nowhere.
func (n *network) inputBuffers(machine *engine.Machine, prog *onnxload.Program) *batchBuffers {
	var leaves []op.Buffer
	for _, port := range prog.Inputs {
		leaf := machine.Buffer(port.Node)
		if leaf.Len() == 0 {
			leaf = op.NewBuffer(port.Node.Dtype(), port.Node.Shape().TotalSize())
		}
		leaves = append(leaves, leaf)
	}
	target := op.Buffer{F: make([]float32, n.chunk*n.loader.Source().Target().Size())}
	return n.feeding.newBatchBuffers(leaves, target)
}

// inputAxis is the axis of what a node multiplies along which inputs lie: channels,
// or features.
func inputAxis(n *onnxload.Node, rank int) int {
	switch {
	case n.Op == "Conv" || n.Op == "ConvTranspose":
		return 1
	case n.Op == "Gemm" && n.Attrs.Int("transA", 0) != 0:
		return 0
	}
	return rank - 1
}

// addSquares adds the squares of each input's values.
func addSquares(sums []float64, part onnxload.Part, x []float32) []float64 {
	shape := part.Input(0).Shape()
	axis := inputAxis(part.Node, len(shape))
	inner := product(shape[axis+1:])
	if sums == nil {
		sums = make([]float64, shape[axis])
	}
	for i, v := range x {
		sums[i/inner%len(sums)] += float64(v) * float64(v)
	}
	return sums
}

// spread gives each weight the norm of the input that it multiplies. The inputs of
// the groups of a convolution follow one another.
func spread(norms []float32, p *optim.Param, squares []float64) {
	axis := p.InAxis()
	length, inner := p.Shape[axis], product(p.Shape[axis+1:])
	groups := max(1, p.Groups)
	outputs := max(1, p.Shape[0]/groups) // of a group
	for i := range norms {
		in := i / inner % length
		if axis > 0 && groups > 1 {
			in += i / (inner * length) / outputs * length
		}
		norms[i] = float32(math.Sqrt(squares[in]))
	}
}
