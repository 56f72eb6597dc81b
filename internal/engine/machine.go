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
	plan    *Plan
	space   *Space
	placed  int         // the state of space that the steps work in
	pinned  []op.Buffer // by store, if it is pinned
	steps   []step
	buffers map[*G.Node]op.Buffer // of leaves and outputs
	leaves  []*G.Node             // those the outputs depend on, in order
	number  uint64                // Call.Step
	running int                   // index of the step at work
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
	p, err := NewPlan(outputs, bind)
	if err != nil {
		return nil, err
	}
	return p.Machine(new(Space))
}

// Machine makes a machine that runs the plan in s.
func (p *Plan) Machine(s *Space) (*Machine, error) {
	m := &Machine{plan: p, space: s, placed: -1, pinned: make([]op.Buffer, len(p.stores)), buffers: map[*G.Node]op.Buffer{}}
	for i, s := range p.stores {
		switch {
		case s.isSet:
			m.pinned[i] = s.bound
		case s.pinned && s.ints:
			m.pinned[i].I = make([]int64, s.len)
		case s.pinned:
			m.pinned[i].F = make([]float32, s.len)
		}
	}
	for n, i := range p.at {
		if p.stores[i].leaf && n.Op() == nil {
			m.leaves = append(m.leaves, n)
			m.buffers[n] = m.pinned[i]
			if v := n.Value(); v != nil && !p.stores[i].isSet {
				given, err := op.BufferOf(v)
				if err != nil || given.Len() != m.pinned[i].Len() {
					return nil, fmt.Errorf("node %q: its value has type %v and shape %v, want %v %v", n.Name(), v.Dtype(), v.Shape(), n.Dtype(), n.Shape())
				}
				copyBuffer(m.pinned[i], given)
			}
		}
	}
	sortByID(m.leaves)
	for _, n := range p.outputs {
		m.buffers[n] = m.pinned[p.at[n]].First(size(n.Shape()))
	}
	m.steps = make([]step, len(p.steps))
	for i, planned := range p.steps {
		m.steps[i] = step{run: planned.op.Run, node: planned.node, op: planned.op}
		m.steps[i].call.In = make([]op.Buffer, len(planned.in))
		if planned.copies {
			m.steps[i].run = runCopy
		}
	}
	s.reserve(p.floats.size, p.ints.size)
	return m, nil
}

// place points the steps to where their operands lie, if that has changed.
func (m *Machine) place() {
	if m.space == nil || !m.space.take() && m.placed == m.space.state {
		return
	}
	m.placed = m.space.state
	for i, planned := range m.plan.steps {
		call := &m.steps[i].call
		for k, in := range planned.in {
			call.In[k] = m.buffer(in).First(planned.lens[k])
		}
		call.Out = m.buffer(planned.out)
		call.Scratch = m.space.floats[planned.scratch.off:][:planned.op.Scratch:planned.op.Scratch]
	}
}

// buffer is the storage of a store.
func (m *Machine) buffer(i int) op.Buffer {
	s := &m.plan.stores[i]
	switch {
	case s.pinned:
		return m.pinned[i]
	case s.ints:
		return op.Buffer{I: m.space.ints[s.span.off:][:s.len:s.len]}
	}
	return op.Buffer{F: m.space.floats[s.span.off:][:s.len:s.len]}
}

// Run computes the outputs from what the leaves hold. It stops between two
// operations when ctx is done, with ctx's error. What an operation returns or
// panics with comes back as an OpError.
func (m *Machine) Run(ctx context.Context) (err error) {
	m.place()
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

// Bytes is the storage that the machine works in: what it shares with others, and
// leaves and outputs that are not bound.
func (m *Machine) Bytes() int { return m.plan.Own() + m.plan.Shared() }

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
