package onnxload

import (
	"math"
	"slices"
)

// uses answers who reads a value and who made it.
type uses struct {
	model    *Model
	producer map[string]*Node
	readers  map[string][]read
	fixed    map[string]bool // values that depend on no input
	origins  map[string]origin
	sizes    map[string]int
	depth    int // of the recursion through either
}

// read is one use of a value.
type read struct {
	node *Node
	slot int
}

func newUses(m *Model) *uses {
	u := &uses{
		model:    m,
		producer: make(map[string]*Node),
		readers:  make(map[string][]read),
		fixed:    make(map[string]bool),
		origins:  make(map[string]origin),
		sizes:    make(map[string]int),
	}
	for name := range m.Tensors {
		u.fixed[name] = true
	}
	for _, n := range m.Nodes {
		u.add(n)
	}
	return u
}

// add notes a node and those of its subgraphs, whose names share one space.
func (u *uses) add(n *Node) {
	fixed := n.Op == "Constant" || len(n.Inputs) > 0 && len(n.Captures) == 0
	for slot, name := range n.Inputs {
		if name != "" {
			u.readers[name] = append(u.readers[name], read{n, slot})
			fixed = fixed && u.fixed[name]
		}
	}
	for _, name := range n.Outputs {
		if name != "" {
			u.producer[name] = n
			u.fixed[name] = fixed
		}
	}
	for _, name := range n.Outputs {
		u.origin(name)
		if fixed {
			u.size(name)
		}
	}
	for _, a := range n.Attrs.list { // in the order of the file
		b := n.bodies[a.GetName()]
		if b == nil {
			continue
		}
		for name := range b.tensors {
			u.fixed[name] = true
		}
		for _, inner := range b.nodes {
			u.add(inner)
		}
	}
}

// movement are the operators that hand on the elements of input 0, all or some,
// in another order or type. A parameter is seen through them.
var movement = []string{
	"Identity", "Transpose", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Cast", "DequantizeLinear", "QuantizeLinear",
	"Slice", "Split", "Expand", "Tile", "Pad", "Dropout",
}

// arithmetic are the operators that may compute a weight from a parameter, as
// weight normalisation does. Of their operands the largest counts as the weight.
var arithmetic = []string{"Add", "Sub", "Mul", "Div"}

// reads are the uses of a tensor, seen through movement, and through arithmetic
// among constants if none of them is larger. A node that only asks
// for the shape does not count.
func (u *uses) reads(t *Tensor) []read {
	var list []read
	seen := map[string]bool{t.Name: true}
	names := []string{t.Name}
	for len(names) > 0 {
		var next []string
		for _, name := range names {
			for _, r := range u.readers[name] {
				switch {
				case r.node.Op == "Shape" || r.node.Op == "Size":
				case u.passes(r, len(t.F)):
					for _, out := range r.node.Outputs {
						if !seen[out] && out != "" {
							seen[out] = true
							next = append(next, out)
						}
					}
				default:
					list = append(list, r)
				}
			}
		}
		names = next
	}
	return list
}

// passes reports whether a node only prepares a tensor of n elements for others.
func (u *uses) passes(r read, n int) bool {
	if r.node.Domain != "" {
		return false
	}
	others := func(ok func(name string) bool) bool {
		for slot, name := range r.node.Inputs {
			if slot != r.slot && name != "" && !ok(name) {
				return false
			}
		}
		return true
	}
	fixed := func(name string) bool { return u.fixed[name] }
	switch {
	case slices.Contains(movement, r.node.Op):
		return r.slot == 0
	case r.node.Op == "Concat":
		return others(fixed)
	case r.node.Op == "Gather":
		return r.slot == 0 && others(fixed)
	case slices.Contains(arithmetic, r.node.Op):
		return n > 1 && others(fixed) && others(func(name string) bool { return u.size(name) <= n })
	}
	return false
}

// size is the number of elements of a fixed value, as far as it is known: that
// of the largest tensor it was made from.
func (u *uses) size(name string) int {
	if t := u.model.Tensors[name]; t != nil {
		return len(t.F) + len(t.I)
	}
	if size, ok := u.sizes[name]; ok {
		return size
	}
	n := u.producer[name]
	if n == nil || u.depth > maxDepth {
		return math.MaxInt
	}
	u.depth++
	defer func() { u.depth-- }()
	u.sizes[name] = math.MaxInt // ends the recursion, as in origin
	size := 0
	for _, in := range n.Inputs {
		if in != "" {
			size = max(size, u.size(in))
		}
	}
	u.sizes[name] = size
	return size
}
