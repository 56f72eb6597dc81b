package engine

import (
	"context"
	"math"

	"finetune/internal/op"

	G "gorgonia.org/gorgonia"
)

// FirstNonFinite runs the graph once more and returns the node to blame for a
// NaN or an infinity, nil if there is none. That is, in this order:
//
//   - a leaf that holds a NaN;
//   - the first operation with such a result of finite inputs;
//   - a leaf that holds an infinity, if it spoils an output. Infinities that do
//     not are common: attention masks are made of them.
func (m *Machine) FirstNonFinite(ctx context.Context) (_ *G.Node, err error) {
	m.place()
	var infinite *G.Node
	for _, n := range m.leaves {
		switch worst(m.buffers[n]) {
		case nan:
			return n, nil
		case inf:
			if infinite == nil {
				infinite = n
			}
		}
	}
	defer m.rescue(&err)
	for i := range m.steps {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		// Inputs are looked at before the run: the result may overwrite one.
		clean := true
		for _, in := range m.steps[i].call.In {
			clean = clean && worst(in) == finite
		}
		if err := m.do(i); err != nil {
			return nil, err
		}
		if clean && worst(m.steps[i].call.Out) != finite {
			return m.steps[i].node, nil
		}
	}
	if infinite != nil {
		for _, n := range m.plan.outputs {
			if worst(m.buffers[n]) != finite {
				return infinite, nil
			}
		}
	}
	return nil, nil
}

type class int

const (
	finite class = iota
	inf
	nan
)

// worst classifies the worst element of b.
func worst(b op.Buffer) class {
	w := finite
	for _, x := range b.F {
		switch {
		case x != x:
			return nan
		case x > math.MaxFloat32 || x < -math.MaxFloat32:
			w = inf
		}
	}
	return w
}
