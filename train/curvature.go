package train

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"

	"finetune/optim"
)

// wantsCurvature reports whether the rule estimates curvature from gradients whose
// targets are drawn.
func (c Config) wantsCurvature() bool {
	return slices.ContainsFunc(optim.Rules(), func(r optim.Rule) bool { return r.Name == c.Optim.Rule && r.Curvature })
}

// drawnGradients leaves in Param.Grad the gradient of the mean loss over the
// examples, each with a target drawn from what the model predicts of it: a class
// by its probability, k numbers from normal distributions of variance k/2 around
// them, whose likelihood their mean squared error is.
func (n *network) drawnGradients(ctx context.Context, idx []int, step int) error {
	_, err := n.overChunks(idx, func(part []int, start int) (float64, error) {
		draw := drawOf(step, start)
		p, _, err := n.run(ctx, part, step, draw)
		if err != nil {
			return 0, err
		}
		p.drawTargets(rand.New(rand.NewPCG(n.cfg.Seed, draw)), n.temperature(), n.task.perItem)
		return n.compute(ctx, p, step)
	})
	return err
}

// drawTargets replaces the targets by others that are drawn from what the model predicts.
func (p *pass) drawTargets(r *rand.Rand, temperature float64, perItem int) {
	output, target := p.machine.Buffer(p.head.output).F, p.machine.Buffer(p.head.target)
	if p.head.classes == 0 {
		for i, y := range output {
			target.F[i] = y + float32(r.NormFloat64()*math.Sqrt(float64(perItem)/2))
		}
		return
	}
	for i := range target.I {
		row := output[i*p.head.classes:][:p.head.classes]
		// The class of the largest score with noise of Gumbel's distribution has the
		// probability of softmax.
		best, most := 0, math.Inf(-1)
		for class, s := range row {
			if v := float64(s)/temperature - math.Log(r.ExpFloat64()); v > most {
				best, most = class, v
			}
		}
		target.I[i] = int64(best)
	}
}

// estimateCurvature tells the optimizer about the curvature, when it is due.
func (r *run) estimateCurvature(ctx context.Context, batch []int) error {
	if !r.optimizer.NeedsCurvature() {
		return nil
	}
	if err := r.network.drawnGradients(ctx, batch, r.at.Step+1); err != nil {
		return err
	}
	r.optimizer.Curvature(len(batch))
	return nil
}
