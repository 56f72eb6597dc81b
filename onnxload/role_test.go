package onnxload

import (
	"testing"

	"finetune/internal/onnxpb"
	"finetune/optim"
)

// network is a model of the given nodes over the input x (n, 8) and, where they
// are named, constants.
func network(nodes []*onnxpb.NodeProto, constants ...*onnxpb.TensorProto) *onnxpb.ModelProto {
	m := sample()
	last := nodes[len(nodes)-1]
	m.Graph.Node = nodes
	m.Graph.Input = []*onnxpb.ValueInfoProto{port("x", -1, 8)}
	m.Graph.Output = []*onnxpb.ValueInfoProto{port(last.Output[0])}
	m.Graph.Initializer = constants
	return m
}

func TestRoles(t *testing.T) {
	type nodes = []*onnxpb.NodeProto
	type roles = map[string]optim.Role
	w := floats("w", []int64{8, 8})
	vector := func(name string) *onnxpb.TensorProto { return floats(name, []int64{8}) }
	scalar := func(name string) *onnxpb.TensorProto { return floats(name, nil) }
	for _, test := range []struct {
		name      string
		nodes     nodes
		constants []*onnxpb.TensorProto
		want      roles
	}{
		{"bias after reshape and transpose",
			nodes{apply("MatMul", "x", "w", "→", "a"), apply("Reshape", "a", "s", "→", "b"), apply("Transpose", "b", "→", "c"), apply("Add", "bias", "c", "→", "y")},
			[]*onnxpb.TensorProto{w, integers("s", -1, 8), floats("bias", []int64{8, 1})},
			roles{"w": optim.Weight, "bias": optim.Bias}},
		{"bias of one number",
			nodes{apply("MatMul", "x", "w", "→", "a"), apply("Add", "a", "bias", "→", "y")},
			[]*onnxpb.TensorProto{floats("w", []int64{8, 1}), floats("bias", []int64{1})},
			roles{"w": optim.Weight, "bias": optim.Bias}},
		{"bias of several heads",
			nodes{apply("MatMul", "x", "w", "→", "a"), apply("Reshape", "a", "s", "→", "b"), apply("Add", "b", "bias", "→", "y")},
			[]*onnxpb.TensorProto{w, integers("s", -1, 2, 4), floats("bias", []int64{2, 4})},
			roles{"w": optim.Weight, "bias": optim.Bias}},
		{"constants of formulas",
			nodes{apply("MatMul", "x", "w", "→", "a"), apply("Mul", "a", "half", "→", "b"), apply("Add", "b", "one", "→", "c"), apply("Pow", "c", "two", "→", "d"), apply("Clip", "d", "low", "high", "→", "y")},
			[]*onnxpb.TensorProto{w, scalar("half"), floats("one", []int64{1}), scalar("two"), scalar("low"), scalar("high")},
			roles{"w": optim.Weight, "half": optim.Constant, "one": optim.Constant, "two": optim.Constant, "low": optim.Constant, "high": optim.Constant}},
		{"normalised input",
			nodes{apply("Sub", "x", "mean", "→", "a"), apply("Div", "a", "deviation", "→", "b"), apply("Mul", "b", "factor", "→", "c"), apply("Add", "c", "offset", "→", "d"), apply("MatMul", "d", "w", "→", "y")},
			[]*onnxpb.TensorProto{w, vector("mean"), vector("deviation"), vector("factor"), vector("offset")},
			roles{"w": optim.Weight, "mean": optim.Constant, "deviation": optim.Constant, "factor": optim.Constant, "offset": optim.Constant}},
		{"attention mask",
			nodes{apply("MatMul", "x", "w", "→", "q"), apply("Transpose", "q", "→", "k"), apply("MatMul", "q", "k", "→", "scores"), apply("Add", "scores", "mask", "→", "masked"), apply("Softmax", "masked", "→", "y")},
			[]*onnxpb.TensorProto{w, vector("mask")},
			roles{"w": optim.Weight, "mask": optim.Constant}},
		{"layer norm by division",
			nodes{apply("MatMul", "x", "w", "→", "h"), apply("ReduceMean", "h", "→", "m"), apply("Sub", "h", "m", "→", "d"), apply("Pow", "d", "two", "→", "p"), apply("ReduceMean", "p", "→", "v"),
				apply("Add", "v", "eps", "→", "e"), apply("Sqrt", "e", "→", "r"), apply("Div", "d", "r", "→", "n"), apply("Mul", "n", "gamma", "→", "g"), apply("Add", "g", "beta", "→", "y")},
			[]*onnxpb.TensorProto{w, scalar("two"), scalar("eps"), vector("gamma"), vector("beta")},
			roles{"w": optim.Weight, "two": optim.Constant, "eps": optim.Constant, "gamma": optim.Scale, "beta": optim.Shift}},
		{"layer norm over two axes",
			nodes{apply("MatMul", "x", "w", "→", "h"), apply("ReduceMean", "h", "→", "v"), apply("Add", "eps", "v", "→", "e"), apply("Sqrt", "e", "→", "r"), apply("Div", "h", "r", "→", "n"),
				apply("Mul", "gamma", "n", "→", "g"), apply("Add", "g", "beta", "→", "y")},
			[]*onnxpb.TensorProto{w, scalar("eps"), floats("gamma", []int64{4, 2}), floats("beta", []int64{4, 2})},
			roles{"w": optim.Weight, "eps": optim.Constant, "gamma": optim.Scale, "beta": optim.Shift}},
		{"layer norm by reciprocal", // as Keras writes it: x·s + (β − m·s), s = γ/√(v+ε)
			nodes{apply("MatMul", "x", "w", "→", "h"), apply("ReduceMean", "h", "→", "m"), apply("ReduceMean", "h", "→", "v"), apply("Add", "v", "eps", "→", "e"), apply("Sqrt", "e", "→", "r"), apply("Reciprocal", "r", "→", "i"),
				apply("Mul", "i", "gamma", "→", "s"), apply("Mul", "h", "s", "→", "hs"), apply("Mul", "m", "s", "→", "ms"), apply("Sub", "beta", "ms", "→", "b"), apply("Add", "hs", "b", "→", "y")},
			[]*onnxpb.TensorProto{w, scalar("eps"), vector("gamma"), vector("beta")},
			roles{"w": optim.Weight, "eps": optim.Constant, "gamma": optim.Scale, "beta": optim.Shift}},
		{"layer norm operator",
			nodes{apply("LayerNormalization", "x", "gamma", "beta", "→", "y")},
			[]*onnxpb.TensorProto{vector("gamma"), vector("beta")},
			roles{"gamma": optim.Scale, "beta": optim.Shift}},
		{"batch norm",
			nodes{apply("BatchNormalization", "x", "gamma", "beta", "mean", "variance", "→", "y")},
			[]*onnxpb.TensorProto{vector("gamma"), vector("beta"), vector("mean"), vector("variance")},
			roles{"gamma": optim.Scale, "beta": optim.Shift, "mean": optim.Running, "variance": optim.Running}},
		{"batch norm that shares zeros", // statistics must not move with the shift
			nodes{apply("BatchNormalization", "x", "gamma", "zeros", "zeros", "variance", "→", "y")},
			[]*onnxpb.TensorProto{vector("gamma"), vector("zeros"), vector("variance")},
			roles{"gamma": optim.Scale, "zeros": optim.Running, "variance": optim.Running}},
		{"slope",
			nodes{apply("PRelu", "x", "slope", "→", "y")},
			[]*onnxpb.TensorProto{floats("slope", []int64{1})},
			roles{"slope": optim.Scale}},
		{"tied embedding",
			nodes{apply("Gather", "table", "x", "→", "e"), apply("Transpose", "table", "→", "t"), apply("MatMul", "e", "t", "→", "y")},
			[]*onnxpb.TensorProto{floats("table", []int64{9, 8})},
			roles{"table": optim.Embedding}},
		{"embedding of positions",
			nodes{apply("Conv", "x", "w", "→", "h"), apply("Add", "h", "pos_embed", "→", "y")},
			[]*onnxpb.TensorProto{floats("w", []int64{8, 1, 1}), floats("pos_embed", []int64{1, 5, 8})},
			roles{"w": optim.Weight, "pos_embed": optim.Embedding}},
		{"slices of a table are no embedding",
			nodes{apply("Gather", "table", "first", "→", "w"), apply("MatMul", "x", "w", "→", "y")},
			[]*onnxpb.TensorProto{floats("table", []int64{2, 8, 8}), integers("first", 0)},
			roles{"table": optim.Weight}},
		{"behind movement",
			nodes{apply("Identity", "w", "→", "a"), apply("Cast", "a", "→", "b"), apply("Reshape", "b", "s", "→", "c"), apply("Unsqueeze", "c", "→", "d"), apply("Squeeze", "d", "→", "e"), apply("Transpose", "e", "→", "f"), apply("MatMul", "x", "f", "→", "y")},
			[]*onnxpb.TensorProto{w, integers("s", 8, 8)},
			roles{"w": optim.Weight}},
		{"low rank", // a weight that is a product
			nodes{apply("MatMul", "b", "a", "→", "ba"), apply("Add", "w", "ba", "→", "sum"), apply("MatMul", "x", "sum", "→", "y")},
			[]*onnxpb.TensorProto{w, floats("a", []int64{2, 8}), floats("b", []int64{8, 2})},
			roles{"w": optim.Weight, "a": optim.Weight, "b": optim.Weight}},
		{"weight norm",
			nodes{apply("ReduceL2", "v", "→", "n"), apply("Div", "v", "n", "→", "u"), apply("Mul", "u", "g", "→", "w"), apply("MatMul", "x", "w", "→", "y")},
			[]*onnxpb.TensorProto{floats("v", []int64{8, 8}), floats("g", []int64{8, 1})},
			roles{"v": optim.Weight, "g": optim.Scale}},
		{"gated recurrent unit",
			nodes{apply("Concat", "b1", "b2", "→", "b"), apply("GRU", "x", "w", "r", "b", "", "h0", "→", "y")},
			[]*onnxpb.TensorProto{floats("w", []int64{1, 24, 8}), floats("r", []int64{1, 24, 8}), floats("b1", []int64{1, 24}), floats("b2", []int64{1, 24}), floats("h0", []int64{1, 1, 8})},
			roles{"w": optim.Weight, "r": optim.Recurrent, "b1": optim.Bias, "b2": optim.Bias, "h0": optim.Constant}},
		{"inside a branch",
			nodes{with(apply("If", "x", "→", "y"), graphAttr("then_branch", &onnxpb.GraphProto{
				Node:   nodes{apply("MatMul", "x", "w", "→", "h"), apply("Add", "h", "bias", "→", "z")},
				Output: []*onnxpb.ValueInfoProto{port("z")},
			}))},
			[]*onnxpb.TensorProto{w, vector("bias")},
			roles{"w": optim.Weight, "bias": optim.Bias}},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := parse(t, network(test.nodes, test.constants...))
			got := roles{}
			for _, p := range m.Params {
				got[p.Name] = p.Role
				if want := p.Role != optim.Constant && p.Role != optim.Running; p.Trainable != want {
					t.Errorf("%s: got trainable %v, want %v for a %s", p.Name, p.Trainable, want, p.Role)
				}
			}
			for name, role := range test.want {
				if got[name] != role {
					t.Errorf("%s: got role %q, want %q", name, got[name], role)
				}
			}
			if len(got) != len(test.want) {
				t.Errorf("got %d parameters, want %d: %v", len(got), len(test.want), got)
			}
		})
	}
}

// Parameters come in file order, with the layer that reads them, and train on a
// copy of the payload.
func TestParams(t *testing.T) {
	m := sample()
	rename := func(from, to string) {
		for _, n := range m.Graph.Node {
			for i, name := range n.Input {
				if name == from {
					n.Input[i] = to
				}
			}
		}
	}
	m.Graph.Initializer = append(m.Graph.Initializer, floats("unused", []int64{4}), integers("counts", 1))
	m.Graph.Initializer[0].Name = &[]string{"features.0.weight"}[0]
	rename("w", "features.0.weight")
	m.Graph.Node[0].Name = nil // known by its parameter alone
	got := parse(t, m)
	if len(got.Params) != 2 {
		t.Fatalf("got %d parameters, want 2: neither the unused tensor nor the integers", len(got.Params))
	}
	w, b := got.Params[0], got.Params[1]
	if w.Name != "features.0.weight" || w.Op != "MatMul" || w.Layer != "features.0" || w.DType != "float32" || len(w.Value) != 6 {
		t.Errorf("got %+v, want features.0.weight of layer features.0", *w)
	}
	if b.Name != "b" || b.Op != "Add" || b.Layer != "fc.add" {
		t.Errorf("got %+v, want b of layer fc.add", *b)
	}
}
