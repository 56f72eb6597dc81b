package onnxload

import (
	"errors"
	"fmt"
	"slices"

	G "gorgonia.org/gorgonia"

	"finetune/internal/op"
	"finetune/optim"
)

// Lower turns the model into a graph for the sizes and the use that cfg
// describes. Parts that depend on no input and no trained parameter, such as
// the arithmetic on shapes that exporters leave behind, are computed right away.
//
// The error lists all nodes that are not supported, before any work is done;
// otherwise it names the first node that is used outside its specification.
func (m *Model) Lower(cfg Config) (*Program, error) {
	if err := m.Supported(); err != nil {
		return nil, err
	}
	l := newLowering(m, cfg)
	prog, err := l.run()
	if err != nil {
		return nil, m.located(err)
	}
	return prog, nil
}

// lowering is the state of one Lower.
type lowering struct {
	model    *Model
	cfg      Config
	prog     *Program
	scope    *scope
	declared *scope // the same at the declared batch; nil unless lifting
	passes   *int   // through loops, so far
	idioms   idioms
}

func newLowering(m *Model, cfg Config) *lowering {
	return &lowering{
		model:  m,
		cfg:    cfg,
		prog:   newProgram(),
		scope:  newScope(nil, nil),
		passes: new(int),
	}
}

func newProgram() *Program {
	return &Program{
		Graph:  G.NewGraph(),
		Params: map[*optim.Param]*G.Node{},
		Bind:   map[*G.Node]op.Buffer{},
		source: map[*G.Node]source{},
	}
}

func (l *lowering) run() (*Program, error) {
	if err := l.constants(); err != nil {
		return nil, err
	}
	if err := l.fill(); err != nil {
		return nil, err
	}
	if err := l.inputs(); err != nil {
		return nil, err
	}
	if err := l.lift(); err != nil {
		return nil, err
	}
	var wanted []string
	for _, out := range l.model.Outputs {
		wanted = append(wanted, out.Name)
	}
	if err := l.nodes(l.model.Nodes, wanted); err != nil {
		return nil, err
	}
	if err := l.outputs(); err != nil {
		return nil, err
	}
	return l.prog, nil
}

// constants gives every tensor of the file, and those of Config.Feed, a value.
func (l *lowering) constants() error {
	for name, t := range l.model.Tensors {
		v, err := tensorValue(name, t)
		if err != nil {
			return err
		}
		l.scope.values[name] = v
	}
	for _, p := range l.model.Params {
		v := &value{name: p.Name, dtype: DType(p.DType), shape: p.Shape, param: p}
		if p.Role == optim.Constant && !p.Trainable {
			v.known, v.data = true, op.Buffer{F: p.Value}
		}
		l.scope.values[p.Name] = v
	}
	for name, t := range l.cfg.Feed {
		if !slices.ContainsFunc(l.model.Inputs, func(in Value) bool { return in.Name == name }) {
			return fmt.Errorf("feed %q: no such input", name)
		}
		v, err := tensorValue(name, t)
		if err != nil {
			return err
		}
		l.scope.values[name] = v
	}
	return nil
}

// inputs makes a leaf for every input that is to be fed.
func (l *lowering) inputs() error {
	for i := range l.model.Inputs {
		in := &l.model.Inputs[i]
		if l.scope.values[in.Name] != nil {
			continue // fed
		}
		shape, err := l.inputShape(in)
		if err != nil {
			return fmt.Errorf("input %q: %w", in.Name, err)
		}
		dt, ok := in.DType.storage()
		if !ok {
			return fmt.Errorf("input %q: element type %s is not supported", in.Name, in.DType)
		}
		v := &value{name: in.Name, dtype: in.DType, shape: shape, node: l.newLeaf(in.Name, dt, shape)}
		l.scope.values[in.Name] = v
		l.prog.Inputs = append(l.prog.Inputs, Port{
			Name: in.Name, Node: v.node, Shape: shape, DType: in.DType, Logits: v.node, Axis: -1,
		})
	}
	return nil
}

// nodes lowers every node of a list that the outputs depend on. It goes on behind a node
// that asks for more than we can do, or that is misused, to find the others.
func (l *lowering) nodes(list []*Node, outputs []string) error {
	needed := neededFor(list, outputs)
	missing := map[string]bool{} // values that were not computed
	var bad []error
	for _, n := range list {
		if !needed[n] {
			continue
		}
		var err error
		lacks := func(name string) bool { return missing[name] }
		if !slices.ContainsFunc(n.Inputs, lacks) && !slices.ContainsFunc(n.Captures, lacks) {
			if err = l.lowerNode(n); err == nil {
				continue
			}
			if _, ok := errors.AsType[*UnsupportedError](err); !ok {
				err = &misuseError{l.nodeError(n, err), n.because(err.Error())}
			}
			bad = append(bad, err)
			if l.prog.Lifted {
				break // what comes behind may be wrong because of it
			}
		}
		for _, name := range n.Outputs {
			missing[name] = name != ""
		}
	}
	return joinUnsupported(bad)
}

// lowerNode gives the outputs of n their values.
func (l *lowering) lowerNode(n *Node) error {
	if reason := n.unsupported(); reason != "" {
		return unsupported(n, reason) // in a subgraph; those of the model were looked at before
	}
	c, err := l.newCall(n)
	if err != nil {
		return err
	}
	results, err := c.lower()
	if err == nil {
		err = c.recognise(results)
	}
	if err != nil {
		return err
	}
	for i, name := range n.Outputs {
		switch {
		case i < len(results) && name != "":
			l.scope.values[name] = results[i]
		case c.wants(i):
			return unsupported(n, fmt.Sprintf("output %d (%q) is used, which is not supported", i, name))
		}
	}
	l.addPart(c, results)
	return nil
}

// outputs makes a port for every output of the model.
func (l *lowering) outputs() error {
	for _, out := range l.model.Outputs {
		v := l.scope.values[out.Name]
		if v == nil {
			return fmt.Errorf("output %q is computed by no node", out.Name)
		}
		if _, ok := v.dtype.storage(); !ok {
			return fmt.Errorf("output %q: element type %s is not supported", out.Name, v.dtype)
		}
		p := Port{Name: out.Name, Node: l.leaf(v), Shape: v.shape, DType: v.dtype, Axis: -1}
		p.Logits = p.Node
		if err := v.head.describe(&p); err != nil {
			return fmt.Errorf("output %q: %w", out.Name, err)
		}
		l.prog.Outputs = append(l.prog.Outputs, p)
	}
	return nil
}

// located says in which file an error is.
func (m *Model) located(err error) error {
	if err == nil || m.Path == "" {
		return err
	}
	if _, ok := errors.AsType[*FormatError](err); ok {
		return withPath(err, m.Path)
	}
	if _, ok := errors.AsType[*UnsupportedError](err); ok {
		return withPath(err, m.Path)
	}
	return fmt.Errorf("%s: %w", m.Path, err)
}

// nodeError says which node is used in a way that ONNX does not define.
func (l *lowering) nodeError(n *Node, err error) error {
	where := fmt.Sprintf("node %q (%s, opset %d)", n.Name, n.Op, n.Opset)
	if l.prog.Lifted {
		return fmt.Errorf("%s: at batch size %d instead of the declared %d: %w", where, l.cfg.Batch, l.model.BatchDim(), err)
	}
	return &FormatError{Where: where, Err: err}
}
