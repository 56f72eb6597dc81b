package train

import (
	"fmt"
	"strings"

	"finetune/optim"
)

// Memory is what a run takes, in bytes, besides the program and its examples.
type Memory struct {
	Model    int64 // its file and its parameters, which are there before the run
	Training int64 // gradients, their sums over parts of a batch, and the optimizer's state
	Pass     int64 // what is computed of Examples at once
	Examples int
}

// Total is all of it.
func (m Memory) Total() int64 { return m.Model + m.Training + m.Pass }

// MemoryError is a run that does not fit into memory. It is found before anything
// runs.
type MemoryError struct {
	Memory
	Most  int64 // the memory that the run may take
	Asked bool  // Most is Config.MaxMemory; else it is what the machine has left
}

// Error says what is needed and for what.
func (e *MemoryError) Error() string {
	parts := []string{}
	for _, part := range []struct {
		bytes int64
		what  string
	}{
		{e.Model, "the model"},
		{e.Training, "gradients and the optimizer"},
		{e.Pass, fmt.Sprintf("what is computed of %d examples at once", e.Examples)},
	} {
		if part.bytes > 0 {
			parts = append(parts, fmt.Sprintf("%s for %s", bytesText(part.bytes), part.what))
		}
	}
	verb := "are there"
	if e.Asked {
		verb = "are allowed"
	}
	return fmt.Sprintf("the run needs %s of memory, and %s %s: %s", bytesText(e.Total()), bytesText(e.Most), verb, strings.Join(parts, ", "))
}

func bytesText(n int64) string {
	switch {
	case n < 1e6:
		return fmt.Sprintf("%.1f kB", float64(n)/1e3)
	case n < 1e9:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	}
	return fmt.Sprintf("%.1f GB", float64(n)/1e9)
}

// check returns an error if m is more than most, unless that is 0, or more than
// the machine has left.
func (m Memory) check(most int64) error {
	if most > 0 && m.Total() > most {
		return &MemoryError{Memory: m, Most: most, Asked: true}
	}
	left, known := availableMemory()
	if m.Model = 0; known && m.Total() > left {
		return &MemoryError{Memory: m, Most: left}
	}
	return nil
}

// bytes is what the passes take. They share what they do not own.
func (n *network) bytes() int64 {
	own, shared := 0, 0
	for _, p := range n.passes {
		own, shared = own+p.plan.Own(), max(shared, p.plan.Shared())
	}
	return int64(own + shared)
}

// smaller takes one more measure for the passes to take no more than most bytes,
// and reports whether there was one: at first cheap values are computed twice, then
// half as many examples run at once. The latter is not for batch normalisation that
// learns from each run alone.
func (n *network) smaller(most int64) (bool, error) {
	switch {
	case n.most != max(most, 1):
		n.most = max(most, 1)
	case n.chunk == 1, n.insists, len(n.passes[n.chunk].stats) > 0:
		return false, nil
	default:
		n.cfg.MicroBatch = (n.chunk + 1) / 2
	}
	n.cfg.Observe = nil // all has been said
	return true, n.plan()
}

// fit makes the run as small as Config.MaxMemory asks for. The error is a
// MemoryError if it takes more, or more than the machine has.
func (r *run) fit() error {
	for _, n := range []*network{r.network, r.judge} {
		if n == nil {
			continue
		}
		was := n.chunk
		for need, more := r.memory(n), true; more && r.cfg.MaxMemory > 0 && need.Total() > r.cfg.MaxMemory; need = r.memory(n) {
			var err error
			if more, err = n.smaller(r.cfg.MaxMemory - need.Model - need.Training); err != nil {
				return err
			}
		}
		if n.training && n.chunk < was {
			r.cfg.note("%d examples run at a time, to do with %s of memory, and their gradients are added up", n.chunk, bytesText(r.cfg.MaxMemory))
		}
		if err := r.memory(n).check(r.cfg.MaxMemory); err != nil {
			return err
		}
	}
	return nil
}

// memory is what the run takes while n is at work.
func (r *run) memory(n *network) Memory {
	m := Memory{Model: int64(len(r.model.Bytes)), Pass: n.bytes(), Examples: n.chunk}
	for _, p := range r.model.Params {
		m.Model += 4 * int64(len(p.Value))
		m.Training += int64(len(p.Mask)) + gradientBytes(p)
		if r.network.chunk < r.network.batches()[0] {
			m.Training += gradientBytes(p) // and sums of them
		}
	}
	for _, slots := range r.optimizer.State().Slots {
		for _, values := range slots {
			m.Training += 4 * int64(len(values))
		}
	}
	return m
}

func gradientBytes(p *optim.Param) int64 {
	if !p.Trainable {
		return 0
	}
	return 4 * int64(len(p.Grad))
}
