package onnxload

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"finetune/internal/onnxpb"
)

// Attrs are the attributes of a node. Each getter returns its default when the
// node has no such attribute. When it has one of another type, the getter
// returns the default too and Err reports it, so that an operator can read all
// its attributes first and check once. The zero Attrs is empty.
type Attrs struct {
	list    []*onnxpb.AttributeProto
	tensors map[string]*Tensor
	misread *misread
}

// misread collects the attributes that were asked for by the wrong type. It has
// a lock because one Model may be lowered by several goroutines. Nodes of
// subgraphs that are only looked at have none.
type misread struct {
	mu   sync.Mutex
	what []string
}

// readAttrs checks the attributes of a node and decodes the tensors in them.
func readAttrs(list []*onnxpb.AttributeProto, r *tensorReader) (Attrs, error) {
	a := Attrs{list: list, misread: new(misread)}
	seen := make(map[string]bool, len(list))
	for i, p := range list {
		name := p.GetName()
		if name == "" {
			return Attrs{}, formatError("", "attribute %d has no name", i)
		}
		if seen[name] {
			return Attrs{}, formatError("", "attribute %q is there twice", name)
		}
		seen[name] = true
		var t *Tensor
		var err error
		switch kind := attrType(p); {
		case kind == onnxpb.AttributeProto_TENSOR && p.T == nil && p.GetRefAttrName() == "":
			return Attrs{}, formatError("", "attribute %q is a tensor without a value", name)
		case kind == onnxpb.AttributeProto_GRAPH && p.G == nil && p.GetRefAttrName() == "":
			return Attrs{}, formatError("", "attribute %q is a graph without a value", name)
		case kind == onnxpb.AttributeProto_TENSOR && p.T != nil:
			t, err = r.dense(p.T)
		case kind == onnxpb.AttributeProto_SPARSE_TENSOR && p.SparseTensor != nil:
			t, err = r.sparse(p.SparseTensor)
		}
		if err != nil {
			return Attrs{}, inside(fmt.Sprintf("attribute %q", name), err)
		}
		if t != nil {
			if a.tensors == nil {
				a.tensors = make(map[string]*Tensor)
			}
			a.tensors[name] = t
		}
	}
	return a, nil
}

// attrType is the type an attribute declares, or the type of the field that is
// filled in files older than the declaration (IR version 1).
func attrType(p *onnxpb.AttributeProto) onnxpb.AttributeProto_AttributeType {
	switch {
	case p.GetType() != onnxpb.AttributeProto_UNDEFINED:
		return p.GetType()
	case p.F != nil:
		return onnxpb.AttributeProto_FLOAT
	case p.I != nil:
		return onnxpb.AttributeProto_INT
	case p.S != nil:
		return onnxpb.AttributeProto_STRING
	case p.T != nil:
		return onnxpb.AttributeProto_TENSOR
	case p.G != nil:
		return onnxpb.AttributeProto_GRAPH
	case p.Floats != nil:
		return onnxpb.AttributeProto_FLOATS
	case p.Ints != nil:
		return onnxpb.AttributeProto_INTS
	case p.Strings != nil:
		return onnxpb.AttributeProto_STRINGS
	case p.SparseTensor != nil:
		return onnxpb.AttributeProto_SPARSE_TENSOR
	}
	return onnxpb.AttributeProto_UNDEFINED
}

// find returns the attribute if it is there and of the wanted type.
func (a Attrs) find(name string, want onnxpb.AttributeProto_AttributeType) *onnxpb.AttributeProto {
	for _, p := range a.list {
		if p.GetName() != name {
			continue
		}
		got := attrType(p)
		if got == want {
			return p
		}
		// An empty list from a file that declares no types says nothing.
		if got == onnxpb.AttributeProto_UNDEFINED {
			return nil
		}
		a.wrong(name, got, want)
		return nil
	}
	return nil
}

func (a Attrs) wrong(name string, got, want onnxpb.AttributeProto_AttributeType) {
	if a.misread == nil {
		return
	}
	what := fmt.Sprintf("attribute %q: got type %s, want %s", name, got, want)
	a.misread.mu.Lock()
	defer a.misread.mu.Unlock()
	if !slices.Contains(a.misread.what, what) {
		a.misread.what = append(a.misread.what, what)
	}
}

// Err reports the attributes that were asked for by another type than they
// have, as a FormatError, or nil.
func (a Attrs) Err() error {
	if a.misread == nil {
		return nil
	}
	a.misread.mu.Lock()
	defer a.misread.mu.Unlock()
	if len(a.misread.what) == 0 {
		return nil
	}
	return &FormatError{What: strings.Join(a.misread.what, "; ")}
}

// Has reports whether the node has the attribute, of whatever type.
func (a Attrs) Has(name string) bool {
	return slices.ContainsFunc(a.list, func(p *onnxpb.AttributeProto) bool { return p.GetName() == name })
}

// Names lists the attributes in file order.
func (a Attrs) Names() []string {
	names := make([]string, len(a.list))
	for i, p := range a.list {
		names[i] = p.GetName()
	}
	return names
}

// Int is an attribute of type INT.
func (a Attrs) Int(name string, def int) int {
	if p := a.find(name, onnxpb.AttributeProto_INT); p != nil {
		return int(p.GetI())
	}
	return def
}

// Float is an attribute of type FLOAT.
func (a Attrs) Float(name string, def float32) float32 {
	if p := a.find(name, onnxpb.AttributeProto_FLOAT); p != nil {
		return p.GetF()
	}
	return def
}

// String is an attribute of type STRING.
func (a Attrs) String(name, def string) string {
	if p := a.find(name, onnxpb.AttributeProto_STRING); p != nil {
		return string(p.GetS())
	}
	return def
}

// Ints is an attribute of type INTS. The result is the caller's to change.
func (a Attrs) Ints(name string, def []int) []int {
	p := a.find(name, onnxpb.AttributeProto_INTS)
	if p == nil {
		return def
	}
	list := make([]int, len(p.GetInts()))
	for i, v := range p.GetInts() {
		list[i] = int(v)
	}
	return list
}

// Floats is an attribute of type FLOATS. The result is the caller's to change.
func (a Attrs) Floats(name string, def []float32) []float32 {
	if p := a.find(name, onnxpb.AttributeProto_FLOATS); p != nil {
		return slices.Clone(p.GetFloats())
	}
	return def
}

// Strings is an attribute of type STRINGS.
func (a Attrs) Strings(name string, def []string) []string {
	p := a.find(name, onnxpb.AttributeProto_STRINGS)
	if p == nil {
		return def
	}
	list := make([]string, len(p.GetStrings()))
	for i, v := range p.GetStrings() {
		list[i] = string(v)
	}
	return list
}

// Tensor is an attribute of type TENSOR or SPARSE_TENSOR (made dense), or nil.
func (a Attrs) Tensor(name string) *Tensor {
	if t := a.tensors[name]; t != nil {
		return t
	}
	a.find(name, onnxpb.AttributeProto_TENSOR)
	return nil
}

// Graph is an attribute of type GRAPH, or nil.
func (a Attrs) Graph(name string) *onnxpb.GraphProto {
	return a.find(name, onnxpb.AttributeProto_GRAPH).GetG()
}

// graphs are all subgraphs among the attributes.
func graphs(list []*onnxpb.AttributeProto) []*onnxpb.GraphProto {
	var all []*onnxpb.GraphProto
	for _, p := range list {
		if p.G != nil {
			all = append(all, p.G)
		}
		all = append(all, p.Graphs...)
	}
	return all
}
