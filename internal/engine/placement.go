package engine

import (
	"slices"

	"finetune/internal/op"
)

// findLastUses notes which step reads each value last.
func (p *Plan) findLastUses() {
	for i, step := range p.steps {
		p.stores[step.out].last = i
		for _, in := range step.in {
			p.stores[in].last = i
		}
	}
	for i := range p.stores {
		if p.stores[i].pinned {
			p.stores[i].last = forever
		}
	}
}

// assign walks through the steps as a run would and hands out the arenas.
func (p *Plan) assign() {
	p.findLastUses()
	p.makeRoom()
	p.floats, p.ints = arena{}, arena{}
	for i := range p.steps {
		step := &p.steps[i]
		out := &p.stores[step.out]
		taken := -1
		if !out.pinned {
			if taken = p.overwrites(i); taken >= 0 && p.stores[taken].span.len >= out.room {
				out.span = p.stores[taken].span
			} else {
				taken = -1
				out.span = p.arena(out).take(out.room)
			}
		}
		step.scratch = p.floats.take(step.op.Scratch)
		p.floats.give(step.scratch)
		for k, in := range step.in {
			s := &p.stores[in]
			if s.last == i && in != taken && !slices.Contains(step.in[:k], in) {
				p.arena(s).give(s.span)
			}
		}
		if out.last == i {
			p.arena(out).give(out.span)
		}
	}
}

// makeRoom gives values as much room as results need that overwrite them and are
// not much larger. Such a result may be overwritten itself.
func (p *Plan) makeRoom() {
	for i := range p.stores {
		p.stores[i].room = p.stores[i].len
	}
	for i := range slices.Backward(p.steps) {
		if taken := p.overwrites(i); taken >= 0 {
			old, room := &p.stores[taken], p.stores[p.steps[i].out].room
			if room-old.len <= old.len/8 {
				old.room = max(old.room, room)
			}
		}
	}
}

// overwrites is the store that step i may overwrite with its result, if there is
// room, or -1. Its value must not be needed again, nor be read by the step as
// another input too.
func (p *Plan) overwrites(i int) int {
	step := p.steps[i]
	k := int(step.op.InPlace - op.First)
	if step.copies || k < 0 || k >= len(step.in) {
		return -1
	}
	out, old := p.stores[step.out], p.stores[step.in[k]]
	if out.pinned || old.last != i || old.ints != out.ints {
		return -1
	}
	for j, in := range step.in {
		if j != k && in == step.in[k] {
			return -1
		}
	}
	return step.in[k]
}

func (p *Plan) arena(s *store) *arena {
	if s.ints {
		return &p.ints
	}
	return &p.floats
}
