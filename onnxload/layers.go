package onnxload

import "finetune/optim"

// countLayers sets Param.Depth: on the longest way from an input, how many layers
// come before the one that a parameter belongs to. A layer is a node that reads a
// weight, a recurrent weight or a table of embeddings; readers are the nodes that
// read the parameters. What has no weight of its own, such as a bias that is added
// apart or a normalisation, belongs to the layer before it. What a Loop or a Scan
// repeats counts once.
func (m *Model) countLayers(readers []*Node) {
	c := layerCount{layers: map[*Node]bool{}, before: map[*Node]int{}, behind: map[string]int{}}
	for i, p := range m.Params {
		switch p.Role {
		case optim.Weight, optim.Recurrent, optim.Embedding:
			c.layers[readers[i]] = true
		}
	}
	c.count(m.Nodes)
	for i, p := range m.Params {
		if p.Depth = c.before[readers[i]]; !c.layers[readers[i]] {
			p.Depth = max(0, p.Depth-1)
		}
	}
}

// layerCount is how many layers lie before a node and behind a value.
type layerCount struct {
	layers map[*Node]bool
	before map[*Node]int
	behind map[string]int
}

// count goes through nodes in execution order, those of their subgraphs included.
func (c layerCount) count(nodes []*Node) {
	for _, n := range nodes {
		depth := 0
		for _, names := range [][]string{n.Inputs, n.Captures} {
			for _, name := range names {
				depth = max(depth, c.behind[name])
			}
		}
		c.before[n] = depth
		if c.layers[n] {
			depth++
		}
		after := depth
		for _, b := range n.bodies {
			for _, name := range b.inputs {
				c.behind[name] = depth
			}
			c.count(b.nodes)
			for _, name := range b.outputs {
				after = max(after, c.behind[name])
			}
		}
		for _, name := range n.Outputs {
			c.behind[name] = after
		}
	}
}
