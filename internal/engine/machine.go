// Package engine computes gorgonia graphs made of package op's operations.
//
// Backprop adds the nodes of a gradient to a graph. Compile decides once, for
// the wanted outputs, what has to run, in which order, and where each value
// lies; the Machine it returns then runs the graph any number of times without
// allocating:
//
//	grads, err := engine.Backprop(loss, weights)
//	m, err := engine.Compile(append([]*G.Node{loss}, grads...), bind)
//	copy(m.Buffer(input).F, batch)
//	err = m.Run(ctx)
//	fmt.Println(m.Buffer(loss).F[0])
package engine

import (
	"context"
	"fmt"

	"finetune/internal/op"

	G "gorgonia.org/gorgonia"
)

// Machine runs one graph. It is a gorgonia.VM, except that results are read
// with Buffer: several machines may hold the same nodes, and a node has room
// for one value only. A Machine is not safe for concurrent use; machines that
// share bound buffers may run at once as long as none writes to them.
type Machine struct {
	steps   []step
	buffers map[*G.Node]op.Buffer // of leaves and outputs
	leaves  []*G.Node             // those the outputs depend on, in order
	outputs []*G.Node
	bytes   int
	number  uint64 // Call.Step
	running int    // index of the step at work
	profile *profile
}

var _ G.VM = (*Machine)(nil)

// step is one execution of an operation, ready to be called.
type step struct {
	run  func(*op.Call) error
	call op.Call
	node *G.Node
	op   *op.Op
}

// OpError is what went wrong in an operation during a run.
type OpError struct {
	Node string // name of the node, which is the name in the model file where it has one
	Op   string // kind of the operation, such as "Conv"
	ID   int64  // number of the node in its graph
	Err  error
}

// Error names the node and its operation.
func (e *OpError) Error() string { return fmt.Sprintf("node %q (%s): %v", e.Node, e.Op, e.Err) }

// Unwrap returns Err.
func (e *OpError) Unwrap() error { return e.Err }

// Compile plans the computation of outputs; entries that are nil, as Backprop
// returns them, are left out.
//
// bind gives storage to leaves (parameters, constants) and to outputs, such as
// gradients that are to be written straight to where the optimizer reads them;
// its entries for nodes that the outputs do not depend on are ignored. Several
// machines may be bound to the same storage. A leaf that is not bound gets
// storage of its own, which starts with the value the node holds
// (gorgonia.Let) or with zeros.
//
// Leaves and outputs are never overwritten by other values. Results in between
// share storage as soon as their last reader has run.
func Compile(outputs []*G.Node, bind map[*G.Node]op.Buffer) (*Machine, error) {
	m := &Machine{buffers: map[*G.Node]op.Buffer{}}
	for _, n := range outputs {
		if n != nil {
			m.outputs = append(m.outputs, n)
		}
	}
	p, err := newPlan(m.outputs, bind)
	if err != nil {
		return nil, err
	}

	floats, ints := make([]float32, p.floats.size), make([]int64, p.ints.size)
	m.bytes = 4*len(floats) + 8*len(ints)
	buffers := make([]op.Buffer, len(p.stores))
	for i, s := range p.stores {
		switch {
		case s.isSet:
			buffers[i] = s.bound
		case s.pinned && s.ints:
			buffers[i].I = make([]int64, s.len)
			m.bytes += 8 * s.len
		case s.pinned:
			buffers[i].F = make([]float32, s.len)
			m.bytes += 4 * s.len
		case s.ints:
			buffers[i].I = ints[s.span.off:][:s.len:s.len]
		default:
			buffers[i].F = floats[s.span.off:][:s.len:s.len]
		}
	}

	for n, i := range p.at {
		if p.stores[i].leaf && n.Op() == nil {
			m.leaves = append(m.leaves, n)
			m.buffers[n] = buffers[i]
			if v := n.Value(); v != nil && !p.stores[i].isSet {
				given, err := op.BufferOf(v)
				if err != nil || given.Len() != buffers[i].Len() {
					return nil, fmt.Errorf("node %q: its value has type %v and shape %v, want %v %v", n.Name(), v.Dtype(), v.Shape(), n.Dtype(), n.Shape())
				}
				copyBuffer(buffers[i], given)
			}
		}
	}
	sortByID(m.leaves)
	for _, n := range m.outputs {
		m.buffers[n] = buffers[p.at[n]].First(size(n.Shape()))
	}

	m.steps = make([]step, len(p.steps))
	for i, planned := range p.steps {
		s := step{run: planned.op.Run, node: planned.node, op: planned.op}
		for k, in := range planned.in {
			s.call.In = append(s.call.In, buffers[in].First(planned.lens[k]))
		}
		s.call.Out = buffers[planned.out]
		s.call.Scratch = floats[planned.scratch.off:][:planned.op.Scratch:planned.op.Scratch]
		if planned.copies {
			s.run = runCopy
		}
		m.steps[i] = s
	}
	return m, nil
}

// Run computes the outputs from what the leaves hold. It stops between two
// operations when ctx is done, with ctx's error. What an operation returns or
// panics with comes back as an OpError.
func (m *Machine) Run(ctx context.Context) (err error) {
	defer m.rescue(&err)
	if m.profile != nil {
		return m.runTimed(ctx)
	}
	done := ctx.Done()
	for i := range m.steps {
		select {
		case <-done:
			return ctx.Err()
		default:
		}
		if err := m.do(i); err != nil {
			return err
		}
	}
	return nil
}

// do runs step i.
func (m *Machine) do(i int) error {
	s := &m.steps[i]
	m.running = i
	s.call.Step = m.number
	if err := s.run(&s.call); err != nil {
		return s.failed(err)
	}
	return nil
}

// rescue turns a panic of the running operation into an error.
func (m *Machine) rescue(err *error) {
	if r := recover(); r != nil {
		*err = m.steps[m.running].failed(fmt.Errorf("panic: %v", r))
	}
}

func (s *step) failed(err error) error {
	return &OpError{Node: s.node.Name(), Op: s.op.Name, ID: s.node.ID(), Err: err}
}

// Buffer is the storage of a leaf, to be filled before Run, or of an output, to
// be read after it. For a leaf that no output depends on it is empty. Buffer
// panics for any other node: its storage is shared.
func (m *Machine) Buffer(n *G.Node) op.Buffer {
	b, ok := m.buffers[n]
	if !ok && n.Op() != nil {
		panic(fmt.Sprintf("engine: Buffer: node %q is neither a leaf nor an output of the machine", n.Name()))
	}
	return b
}

// SetStep sets the number of the training step, from which operations that
// draw random numbers derive them. It is 0 at first.
func (m *Machine) SetStep(n uint64) { m.number = n }

// Bytes is the storage that the machine owns: the arenas, and leaves and
// outputs that are not bound.
func (m *Machine) Bytes() int { return m.bytes }

// RunAll is Run without a context. It is part of gorgonia.VM.
func (m *Machine) RunAll() error { return m.Run(context.Background()) }

// Reset is part of gorgonia.VM. There is nothing to reset between runs.
func (m *Machine) Reset() {}

// Close is part of gorgonia.VM. It lets go of the storage; the machine cannot
// be used afterwards.
func (m *Machine) Close() error {
	*m = Machine{}
	return nil
}

func runCopy(c *op.Call) error {
	copyBuffer(c.Out, c.In[0])
	return nil
}

func copyBuffer(to, from op.Buffer) {
	copy(to.F, from.F)
	copy(to.I, from.I)
}
