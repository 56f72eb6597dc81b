package train

import (
	"context"

	G "gorgonia.org/gorgonia"

	"finetune/internal/engine"
	"finetune/onnxload"
	"finetune/optim"
	"finetune/train/data"
)

// A mean of weights has activations of its own, so the running statistics that
// batch normalisation has learned from those of the weights do not fit it. Where
// the mean stands in for the weights, to be measured or kept, they are replaced by
// the mean of the statistics of training batches that pass through it:
//
//	mean ← Σ mean_i/n        variance ← Σ variance_i/n
//
// Izmailov et al., "Averaging Weights Leads to Wider Optima and Better
// Generalization", UAI 2018, section 3.2. The batches are whole and the same each
// time, so what is measured after the last epoch is what is kept.

// mostStatistics is how many batches statistics come from, at most. A mean over a
// hundred batches is off by a tenth of what one batch is off by.
const mostStatistics = 100

// statistics are the running statistics of batch normalisation that trains, in a
// run that ends with a mean of weights.
type statistics struct {
	network *network
	machine *engine.Machine
	buffers *batchBuffers
	stats   []onnxload.BatchStats
	learned map[*optim.Param][]float32 // of the weights, while their mean is in place
	told    bool                       // that they are computed anew
}

// newStatistics is nil if there are none.
func newStatistics(n *network, space *engine.Space) (*statistics, error) {
	prog, err := n.model.Lower(n.lowering(n.chunk))
	if err != nil {
		return nil, err
	}
	s := &statistics{network: n, learned: map[*optim.Param][]float32{}}
	var outputs []*G.Node
	for _, stat := range prog.Stats {
		if stat.Count > 1 { // one element has no variance
			s.stats = append(s.stats, stat)
			outputs = append(outputs, stat.Mean, stat.Variance)
			for _, p := range []*optim.Param{stat.RunningMean, stat.RunningVar} {
				s.learned[p] = make([]float32, len(p.Value))
			}
		}
	}
	if len(outputs) == 0 {
		return nil, nil
	}
	n.bindPruned(prog)
	plan, err := engine.NewPlan(outputs, prog.Bind)
	if err != nil {
		return nil, err
	}
	if s.machine, err = plan.Machine(space); err != nil {
		return nil, err
	}
	s.buffers = n.inputBuffers(s.machine, prog)
	return s, nil
}

// keep remembers the statistics, and restore brings them back.
func (s *statistics) keep() {
	for p, values := range s.learned {
		copy(values, p.Value)
	}
}

func (s *statistics) restore() {
	for p, values := range s.learned {
		copy(p.Value, values)
	}
}

// batches is how many they are computed from.
func (s *statistics) batches() int {
	return min(mostStatistics, s.network.loader.Len()/s.network.chunk)
}

// compute makes the statistics those of the weights as they are, by passing
// training examples through, forward only.
func (s *statistics) compute(ctx context.Context) error {
	n := s.network
	order := data.Order(n.loader.Len(), n.cfg.Seed, 0)
	batches := s.batches()
	sums, counts := map[*optim.Param][]float64{}, map[*optim.Param]float64{}
	for p := range s.learned {
		sums[p] = make([]float64, len(p.Value))
	}
	for i := range batches {
		if err := s.buffers.fill(n.loader, order[i*n.chunk:(i+1)*n.chunk]); err != nil {
			return err
		}
		s.machine.SetStep(uint64(i))
		if err := s.machine.Run(ctx); err != nil {
			return err
		}
		add := func(p *optim.Param, node *G.Node) {
			counts[p]++
			for j, v := range s.machine.Buffer(node).F {
				sums[p][j] += float64(v)
			}
		}
		for _, stat := range s.stats {
			add(stat.RunningMean, stat.Mean)
			add(stat.RunningVar, stat.Variance)
		}
	}
	for p, list := range sums {
		for j, sum := range list {
			p.Value[j] = float32(sum / counts[p])
		}
	}
	return nil
}

// enterMean puts the mean of the weights, if there is one, in their place, and
// leaveMean takes it out again.
func (r *run) enterMean() {
	r.average.Swap()
	if r.statistics != nil {
		r.statistics.keep()
	}
}

func (r *run) leaveMean() {
	r.average.Swap()
	if r.statistics != nil {
		r.statistics.restore()
	}
}

// fitStatistics gives the mean that is in place its running statistics.
func (r *run) fitStatistics(ctx context.Context) error {
	if r.statistics == nil || r.average.State().Count == 0 {
		return nil
	}
	if s := r.statistics; !s.told {
		s.told = true
		r.cfg.note("for the mean of the weights, the running statistics of batch normalisation are computed anew, from %d of the training examples", s.batches()*s.network.chunk)
	}
	return r.statistics.compute(ctx)
}
