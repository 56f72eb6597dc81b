package onnxload

import "finetune/optim"

// countLayers sets Param.Depth: on the longest way from an input, how many layers
// come before the one that a parameter belongs to. A layer is a node that reads a
// weight, a recurrent weight or a table of embeddings; readers are the nodes that
// read the parameters. What has no weight of its own, such as a bias that is added
// apart or a normalisation, belongs to the layer before it.
func (m *Model) countLayers(readers []*Node) {
	layers := make(map[*Node]bool)
	for i, p := range m.Params {
		switch p.Role {
		case optim.Weight, optim.Recurrent, optim.Embedding:
			layers[readers[i]] = true
		}
	}
	before := make(map[*Node]int)
	behind := make(map[string]int) // how many layers a value has passed
	for _, n := range m.Nodes {
		depth := 0
		for _, names := range [][]string{n.Inputs, n.Captures} {
			for _, name := range names {
				depth = max(depth, behind[name])
			}
		}
		before[n] = depth
		if layers[n] {
			depth++
		}
		for _, name := range n.Outputs {
			behind[name] = depth
		}
	}
	for i, p := range m.Params {
		if p.Depth = before[readers[i]]; !layers[readers[i]] {
			p.Depth = max(0, p.Depth-1)
		}
	}
}
