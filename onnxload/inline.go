package onnxload

import (
	"slices"

	"google.golang.org/protobuf/proto"

	"finetune/internal/onnxpb"
)

// Functions of a model are operators that the file defines by nodes of its own.
// A call is replaced by those nodes when the file is read, so that everything
// after, roles of parameters included, sees plain operators. Names of values
// inside are prefixed by the name of the call.

// maxInlined bounds the nodes that the functions of a file unfold to, and
// maxCalls how deep they call each other: a few lines of functions could
// otherwise stand for billions of nodes.
const (
	maxInlined = 1 << 18
	maxCalls   = 64
)

// functionID is what a node calls a function by.
type functionID struct{ domain, name, overload string }

func idOf(p *onnxpb.NodeProto) functionID {
	return functionID{canonical(p.GetDomain()), p.GetOpType(), p.GetOverload()}
}

// functionsOf is the functions of a model. Those that redefine one of ONNX's own
// operators are left out.
func functionsOf(m *onnxpb.ModelProto) map[functionID]*onnxpb.FunctionProto {
	all := map[functionID]*onnxpb.FunctionProto{}
	for _, f := range m.Functions {
		id := functionID{canonical(f.GetDomain()), f.GetName(), f.GetOverload()}
		if id.domain != "" {
			all[id] = f
		}
	}
	return all
}

// inline adds the nodes of a function to list in place of a call.
func (r nodeReader) inline(list []*Node, tensors map[string]*Tensor, f *onnxpb.FunctionProto, call *onnxpb.NodeProto, index int) ([]*Node, error) {
	where := nodeName(call, index)
	if r.depth++; r.depth > maxCalls {
		return nil, formatError(where, "functions call each other more than %d deep", maxCalls)
	}
	if *r.budget -= len(f.Node); *r.budget < 0 {
		return nil, formatError(where, "the functions of the file unfold to more than %d nodes", maxInlined)
	}
	if len(call.Input) > len(f.Input) || len(call.Output) > len(f.Output) {
		return nil, formatError(where, "has %d inputs and %d outputs, the function has %d and %d",
			len(call.Input), len(call.Output), len(f.Input), len(f.Output))
	}
	r.opsets = map[string]int64{}
	for _, o := range f.OpsetImport {
		r.opsets[canonical(o.GetDomain())] = max(r.opsets[canonical(o.GetDomain())], o.GetVersion())
	}
	s := substitution{prefix: nameOf(call, index) + "/", names: map[string]string{"": ""}, attrs: map[string]*onnxpb.AttributeProto{}}
	s.bind(f, call)
	order, err := executionOrder(f.Node)
	if err != nil {
		return nil, inside(where, err)
	}
	for _, i := range order {
		p := s.node(f.Node[i], i)
		// Inner nodes take the place of the call in the file.
		if list, err = r.read(list, tensors, p, index); err != nil {
			return nil, inside(where, err)
		}
	}
	return list, nil
}

// substitution turns nodes of a function into those of a call.
type substitution struct {
	prefix string
	names  map[string]string // inside to outside
	attrs  map[string]*onnxpb.AttributeProto
}

// bind gives the parameters of the function the values of the call.
func (s *substitution) bind(f *onnxpb.FunctionProto, call *onnxpb.NodeProto) {
	for i, name := range f.Input {
		s.names[name] = ""
		if i < len(call.Input) {
			s.names[name] = call.Input[i]
		}
	}
	for i, name := range f.Output {
		if i < len(call.Output) && call.Output[i] != "" {
			s.names[name] = call.Output[i]
		}
	}
	for _, a := range slices.Concat(f.AttributeProto, call.Attribute) {
		s.attrs[a.GetName()] = a
	}
}

// node is a node of the function as it is in the call.
func (s *substitution) node(p *onnxpb.NodeProto, i int) *onnxpb.NodeProto {
	c := proto.Clone(p).(*onnxpb.NodeProto)
	c.Name = proto.String(s.prefix + nameOf(p, i))
	s.rename(c, nil)
	return c
}

// rename renames the values of a node and replaces references to attributes. Of
// the names in local, which a subgraph defines itself, it makes new ones as well.
func (s *substitution) rename(p *onnxpb.NodeProto, local map[string]bool) {
	for i, name := range p.Input {
		p.Input[i] = s.name(name, local)
	}
	for i, name := range p.Output {
		p.Output[i] = s.name(name, local)
	}
	var attrs []*onnxpb.AttributeProto
	for _, a := range p.Attribute {
		if ref := a.GetRefAttrName(); ref != "" {
			given := s.attrs[ref]
			if given == nil {
				continue // neither given nor with a default
			}
			given = proto.Clone(given).(*onnxpb.AttributeProto)
			given.Name = a.Name
			attrs = append(attrs, given)
			continue
		}
		for _, g := range append(a.Graphs, a.G) {
			if g != nil {
				s.graph(g, local)
			}
		}
		attrs = append(attrs, a)
	}
	p.Attribute = attrs
}

// graph renames inside a subgraph.
func (s *substitution) graph(g *onnxpb.GraphProto, outer map[string]bool) {
	local := map[string]bool{}
	for name := range outer {
		local[name] = true
	}
	for _, v := range g.Input {
		local[v.GetName()] = true
	}
	for _, name := range initializerNames(g) {
		local[name] = true
	}
	for _, n := range g.Node {
		for _, name := range n.Output {
			local[name] = true
		}
	}
	for _, v := range slices.Concat(g.Input, g.Output) {
		v.Name = proto.String(s.name(v.GetName(), local))
	}
	for _, t := range g.Initializer {
		t.Name = proto.String(s.name(t.GetName(), local))
	}
	for _, t := range g.SparseInitializer {
		t.Values.Name = proto.String(s.name(t.Values.GetName(), local))
	}
	for _, n := range g.Node {
		s.rename(n, local)
	}
}

// name is what a value of the function is called in the call.
func (s *substitution) name(name string, local map[string]bool) string {
	if outside, ok := s.names[name]; ok && (name == "" || !local[name]) {
		return outside
	}
	return s.prefix + name
}
