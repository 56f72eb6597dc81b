package engine

import "slices"

// Recomputation trades time for memory (Chen, Xu, Zhang and Guestrin, "Training
// Deep Nets with Sublinear Memory Cost", 2016). A value that is computed early in
// a run and read late, as activations are by the gradients, is given up in between
// and computed once more, by the same operation of the same operands, before it is
// read again. Numbers do not change.
//
// Only cheap operations are done twice (see op.Op.Cheap), and first those that give
// back most bytes for the bytes they have to move.

// Recompute lowers Shared to most, as far as that is possible.
func (p *Plan) Recompute(most int) {
	for p.Shared() > most && p.giveUp() {
	}
}

// again is a step that could be done twice.
type again struct {
	step  int
	late  int     // the first step that reads the second result
	worth float64 // bytes given back for each that is moved
}

// giveUp does away with one value at the step that needs most room, and reports
// whether there was one.
func (p *Plan) giveUp() bool {
	made, readers := p.lives()
	peak := p.peak(made)
	best := again{}
	for i := range peak {
		step := &p.steps[i]
		if step.copies || !step.op.Cheap() || p.stores[step.out].pinned {
			continue
		}
		reads := readers[step.out]
		at, read := slices.BinarySearch(reads, peak)
		if read || at == len(reads) {
			continue
		}
		late := reads[at]
		saved := p.stores[step.out].bytes()
		for k, in := range step.in {
			if p.stores[in].last < peak && !slices.Contains(step.in[:k], in) {
				saved -= p.stores[in].bytes() // it has to live longer for this
			}
		}
		if worth := float64(saved) / float64(p.moved(i)); worth > best.worth {
			best = again{i, late, worth}
		}
	}
	if best.worth == 0 {
		return false
	}
	p.repeat(best)
	p.assign()
	return true
}

// lives says which step makes each value, -1 for leaves, and which read it.
func (p *Plan) lives() (made []int, readers [][]int) {
	made, readers = make([]int, len(p.stores)), make([][]int, len(p.stores))
	for i := range made {
		made[i] = -1
	}
	for i, step := range p.steps {
		made[step.out] = i
		for k, in := range step.in {
			if !slices.Contains(step.in[:k], in) {
				readers[in] = append(readers[in], i)
			}
		}
	}
	return made, readers
}

// peak is the step while which most bytes are in use.
func (p *Plan) peak(made []int) int {
	change := make([]int, len(p.steps)+1)
	for i, s := range p.stores {
		if !s.pinned && made[i] >= 0 {
			change[made[i]] += s.bytes()
			change[s.last+1] -= s.bytes()
		}
	}
	at, most, now := 0, 0, 0
	for i, step := range p.steps {
		now += change[i]
		if here := now + 4*step.op.Scratch; here > most {
			at, most = i, here
		}
	}
	return at
}

// repeat computes the result of a step a second time, for those who read it late.
func (p *Plan) repeat(a again) {
	step := p.steps[a.step]
	p.stores = append(p.stores, p.stores[step.out])
	old, now := step.out, len(p.stores)-1
	for i := a.late; i < len(p.steps); i++ {
		for k, in := range p.steps[i].in {
			if in == old {
				p.steps[i].in[k] = now
			}
		}
	}
	step.in, step.out = slices.Clone(step.in), now
	p.steps = slices.Insert(p.steps, a.late, step)
}

// moved is the size of the operands and the result of step i, in bytes.
func (p *Plan) moved(i int) int {
	step := &p.steps[i]
	size := func(store, n int) int {
		if p.stores[store].ints {
			return 8 * n
		}
		return 4 * n
	}
	bytes := size(step.out, p.stores[step.out].len)
	for k, in := range step.in {
		bytes += size(in, step.lens[k])
	}
	return bytes
}
