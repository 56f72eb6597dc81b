package onnxload

import (
	"slices"
	"strconv"
	"testing"

	"google.golang.org/protobuf/proto"

	"finetune/internal/onnxpb"
)

// What onnx-go drops, confuses or refuses when it reads files by itself has to
// come through the skeleton.
func TestWalkKeepsNodes(t *testing.T) {
	m := sample()
	m.Graph.Node = []*onnxpb.NodeProto{
		named("twice", apply("Add", "x", "x", "→", "two")),
		named("optional", apply("Clip", "two", "", "k", "→", "clipped")),
		named("outputs", apply("Dropout", "clipped", "→", "drop", "")),
		named("skipped", apply("Split", "drop", "→", "", "part", "")),
		named("k/input", with(apply("Constant", "→", "k"), tensorAttr("value", floats("", nil, 4)))),
		named("bytes", apply("Relu", "part", "→", "caf\xe9")),
		named("", apply("RandomNormal", "→", "noise")),
		named("join", apply("Sum", "caf\xe9", "noise", "17", "x/input", "→", "y")),
		named("seventeen", apply("Neg", "x", "→", "17")),
		named("input", apply("Neg", "x", "→", "x/input")),
	}
	m.OpsetImport = append(m.OpsetImport, &onnxpb.OperatorSetIdProto{Domain: proto.String("ai.onnx.ml"), Version: proto.Int64(3)})
	m.Graph.Node[8].Domain = proto.String("ai.onnx.ml")
	m.Graph.Node[9].Domain = proto.String("ai.onnx")
	got := parse(t, m)
	want := []struct {
		name, op, domain string
		opset            int64
		inputs, outputs  []string
		index            int
	}{
		{"twice", "Add", "", 17, []string{"x", "x"}, []string{"two"}, 0},
		{"optional", "Clip", "", 17, []string{"two", "", "k"}, []string{"clipped"}, 1},
		{"outputs", "Dropout", "", 17, []string{"clipped"}, []string{"drop", ""}, 2},
		{"skipped", "Split", "", 17, []string{"drop"}, []string{"", "part", ""}, 3},
		{"bytes", "Relu", "", 17, []string{"part"}, []string{"caf\xe9"}, 5},
		{"RandomNormal_6", "RandomNormal", "", 17, nil, []string{"noise"}, 6},
		{"seventeen", "Neg", "ai.onnx.ml", 3, []string{"x"}, []string{"17"}, 8},
		{"input", "Neg", "", 17, []string{"x"}, []string{"x/input"}, 9},
		{"join", "Sum", "", 17, []string{"caf\xe9", "noise", "17", "x/input"}, []string{"y"}, 7},
	}
	if len(got.Nodes) != len(want) {
		t.Fatalf("got %d nodes, want %d", len(got.Nodes), len(want))
	}
	for i, w := range want {
		n := got.Nodes[i]
		if n.Name != w.name || n.Op != w.op || n.Domain != w.domain || n.Opset != w.opset || n.Index != w.index ||
			!slices.Equal(n.Inputs, w.inputs) || !slices.Equal(n.Outputs, w.outputs) {
			t.Errorf("node %d: got %+v, want %+v", i, *n, w)
		}
	}
}

// A node waits for what its subgraphs read.
func TestCapturesOrderNodes(t *testing.T) {
	m := sample()
	inner := &onnxpb.GraphProto{
		Node:        []*onnxpb.NodeProto{apply("Mul", "late", "own", "→", "p"), apply("Add", "p", "w", "→", "q")},
		Initializer: []*onnxpb.TensorProto{floats("own", nil, 2)},
		Output:      []*onnxpb.ValueInfoProto{port("q")},
	}
	outer := &onnxpb.GraphProto{
		Node:   []*onnxpb.NodeProto{with(apply("If", "a", "→", "r"), graphAttr("then_branch", inner))},
		Output: []*onnxpb.ValueInfoProto{port("r"), port("late")},
	}
	m.Graph.Node[2] = named("branch", with(apply("If", "a", "→", "y"), graphAttr("else_branch", outer)))
	m.Graph.Node = append(m.Graph.Node, named("last", apply("Neg", "x", "→", "late")))
	got := parse(t, m)
	branch := got.Nodes[len(got.Nodes)-1]
	if branch.Name != "branch" {
		t.Errorf("got %q as the last node, want branch, which reads the result of all others", branch.Name)
	}
	if want := []string{"a", "late", "w"}; !slices.Equal(branch.Captures, want) {
		t.Errorf("got captures %q, want %q", branch.Captures, want)
	}
	if branch.Attrs.Graph("else_branch") == nil || branch.Attrs.Graph("then_branch") != nil {
		t.Errorf("got subgraphs %v, want else_branch alone", branch.Attrs.Names())
	}
}

// The file's own order is kept wherever it can be.
func TestOrderIsStable(t *testing.T) {
	nodes := []*onnxpb.NodeProto{
		apply("Neg", "d", "→", "e"), // waits for the last
		apply("Neg", "x", "→", "b"),
		apply("Neg", "x", "→", "a"),
		apply("Add", "a", "b", "→", "c"),
		apply("Neg", "c", "→", "d"),
	}
	got, err := executionOrder(nodes)
	if want := []int{1, 2, 3, 4, 0}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
}

func TestDeclaredValues(t *testing.T) {
	m := sample()
	m.Graph.Input = []*onnxpb.ValueInfoProto{port("w", 2, 3), port("x", -1, -7, 1<<40, 0, 5), {Name: proto.String("loose")}}
	m.Graph.Output = append(m.Graph.Output, &onnxpb.ValueInfoProto{Name: proto.String("a"), Type: &onnxpb.TypeProto{
		Value: &onnxpb.TypeProto_SequenceType{SequenceType: &onnxpb.TypeProto_Sequence{}}}})
	got := parse(t, m)
	if len(got.Inputs) != 2 || got.Inputs[0].Name != "x" || got.Inputs[1].Name != "loose" {
		t.Fatalf("got inputs %+v, want x and loose: w is an initializer", got.Inputs)
	}
	x := got.Inputs[0]
	want := []Dim{{-1, "n"}, {-1, ""}, {-1, ""}, {0, ""}, {5, ""}}
	if x.DType != Float32 || x.Rank != 5 || !slices.Equal(x.Dims, want) {
		t.Errorf("got %+v, want float32 with %v", x, want)
	}
	if len(got.Warnings) != 2 {
		t.Errorf("got warnings %q, want one each for -7 and 1<<40", got.Warnings)
	}
	if loose := got.Inputs[1]; loose.Rank != -1 || loose.Dims != nil || loose.DType != "" {
		t.Errorf("got %+v, want no rank and no type", loose)
	}
	if seq := got.Outputs[1]; seq.DType != "sequence" || seq.Rank != -1 {
		t.Errorf("got %+v, want a sequence", seq)
	}
}

func TestVersions(t *testing.T) {
	m := sample()
	m.IrVersion = proto.Int64(99)
	m.OpsetImport = []*onnxpb.OperatorSetIdProto{
		{Domain: proto.String("ai.onnx"), Version: proto.Int64(13)},
		{Domain: proto.String(""), Version: proto.Int64(9)},
	}
	got := parse(t, m)
	if got.Opsets[""] != 13 || got.Nodes[0].Opset != 13 || len(got.Warnings) != 1 {
		t.Errorf("got opsets %v, node opset %d, warnings %q; want 13 twice and a warning of IR 99", got.Opsets, got.Nodes[0].Opset, got.Warnings)
	}
	m.IrVersion, m.OpsetImport = proto.Int64(2), nil
	got = parse(t, m)
	if got.Opsets[""] != 1 || len(got.Warnings) != 1 {
		t.Errorf("got opsets %v, warnings %q; want 1 and a warning", got.Opsets, got.Warnings)
	}
}

// Long chains, in the worst order, take neither long nor a deep stack.
func TestLongChain(t *testing.T) {
	const length = 30_000
	name := func(i int) string { return "v" + strconv.Itoa(i) }
	chain := func(first string) []*onnxpb.NodeProto {
		var nodes []*onnxpb.NodeProto
		for i := range length {
			nodes = append(nodes, apply("Neg", name(i), "→", name(i+1)))
		}
		nodes[0].Input[0] = first
		slices.Reverse(nodes)
		return nodes
	}
	m := sample()
	m.Graph.Node = chain("x")
	m.Graph.Output = []*onnxpb.ValueInfoProto{port(name(length))}
	if got := parse(t, m); len(got.Nodes) != length || got.Nodes[0].Inputs[0] != "x" {
		t.Errorf("got %d nodes from %q on, want %d from x on", len(got.Nodes), got.Nodes[0].Inputs[0], length)
	}
	m = sample()
	m.Graph.Node[2] = with(apply("If", "a", "→", "y"), graphAttr("then_branch", &onnxpb.GraphProto{
		Node: chain("w"), Output: []*onnxpb.ValueInfoProto{port(name(length))},
	}))
	if got := parse(t, m); len(got.Nodes) != 3 {
		t.Errorf("got %d nodes, want 3", len(got.Nodes))
	}
}
