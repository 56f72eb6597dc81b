package export

import (
	"path/filepath"
	"testing"

	"google.golang.org/protobuf/proto"
	G "gorgonia.org/gorgonia"

	"finetune/internal/engine"
	"finetune/internal/onnxpb"
	"finetune/internal/op"
	"finetune/onnxload"
	"finetune/optim"
)

// typedModel is a layer all of whose values have one element type.
func typedModel(typ onnxpb.TensorProto_DataType) *onnxpb.ModelProto {
	tensor := func(name string, values []float32, dims ...int64) *onnxpb.TensorProto {
		return &onnxpb.TensorProto{Name: proto.String(name), DataType: proto.Int32(int32(typ)), Dims: dims, RawData: store(typ, values...)}
	}
	return &onnxpb.ModelProto{
		IrVersion: proto.Int64(8), OpsetImport: []*onnxpb.OperatorSetIdProto{{Version: proto.Int64(13)}},
		Graph: &onnxpb.GraphProto{
			Name: proto.String("typed"), Input: []*onnxpb.ValueInfoProto{declared("x", typ, 4, 3)}, Output: []*onnxpb.ValueInfoProto{declared("y", typ, 4, 2)},
			Initializer: []*onnxpb.TensorProto{tensor("w", []float32{0.3, -0.7, 0.11, 0.9, -0.21, 0.4}, 3, 2), tensor("b", []float32{0.01, -0.02}, 2)},
			Node:        []*onnxpb.NodeProto{operation("MatMul", "p", "x", "w"), operation("Add", "q", "p", "b"), operation("Tanh", "y", "q")},
		},
	}
}

// declared is an input or an output.
func declared(name string, typ onnxpb.TensorProto_DataType, dims ...int64) *onnxpb.ValueInfoProto {
	shape := &onnxpb.TensorShapeProto{}
	for _, d := range dims {
		shape.Dim = append(shape.Dim, &onnxpb.TensorShapeProto_Dimension{Value: &onnxpb.TensorShapeProto_Dimension_DimValue{DimValue: d}})
	}
	return &onnxpb.ValueInfoProto{Name: proto.String(name), Type: &onnxpb.TypeProto{Value: &onnxpb.TypeProto_TensorType{
		TensorType: &onnxpb.TypeProto_Tensor{ElemType: proto.Int32(int32(typ)), Shape: shape}}}}
}

// operation is a node, named after what it makes.
func operation(op, out string, in ...string) *onnxpb.NodeProto {
	return &onnxpb.NodeProto{OpType: proto.String(op), Name: proto.String(out + "_node"), Input: in, Output: []string{out}}
}

// TestElementTypes trains a layer of each floating-point type: it learns, is
// written in its own type, and what is read back is what was trained, rounded.
func TestElementTypes(t *testing.T) {
	for typ, name := range map[onnxpb.TensorProto_DataType]string{
		onnxpb.TensorProto_FLOAT: "float32", onnxpb.TensorProto_DOUBLE: "float64",
		onnxpb.TensorProto_FLOAT16: "float16", onnxpb.TensorProto_BFLOAT16: "bfloat16",
	} {
		t.Run(name, func(t *testing.T) {
			m := save(t, marshal(t, typedModel(typ)))
			before, after := descend(t, m)
			if !(after < before/2) {
				t.Errorf("got a loss of %g after %g, want less than half", after, before)
			}
			path := filepath.Join(t.TempDir(), "out.onnx")
			report := write(t, path, m, Options{})
			verified(t, m, path)
			again := open(t, path)
			for i, p := range again.Params {
				if p.DType != name || report.Params[i].DType != name || report.Params[i].Changed == 0 {
					t.Errorf("parameter %q: got %s and %+v, want it changed and of %s", p.Name, p.DType, report.Params[i], name)
				}
				for k, v := range p.Value {
					if want := formats[typ].round(m.Params[i].Value[k]); v != want {
						t.Errorf("parameter %q: element %d: got %v, want %v", p.Name, k, v, want)
					}
				}
			}
		})
	}
}

// descend takes steps towards outputs of 0.5, and returns the loss before and after.
func descend(t *testing.T, m *onnxload.Model) (before, after float32) {
	t.Helper()
	prog, err := m.Lower(onnxload.Config{Training: true})
	if err != nil {
		t.Fatal(err)
	}
	y := prog.Outputs[0]
	target := op.Input(prog.Graph, "target", G.Float32, y.Shape...)
	prog.Bind[target] = op.Buffer{F: []float32{0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5}}
	prog.Bind[prog.Inputs[0].Node] = op.Buffer{F: []float32{1, 0.5, 0, 0, 1, 1, -1, 1, 0.5, 0.25, 0.25, 1}}
	cost, err := op.MSE(y.Node, target)
	if err != nil {
		t.Fatal(err)
	}
	var params []*optim.Param
	var leaves []*G.Node
	for _, p := range m.Params {
		params, leaves = append(params, p), append(leaves, prog.Params[p])
	}
	grads, err := engine.Backprop(cost, leaves)
	if err != nil {
		t.Fatal(err)
	}
	vm, err := engine.Compile(append([]*G.Node{cost}, grads...), prog.Bind)
	if err != nil {
		t.Fatal(err)
	}
	defer vm.Close()
	for step := range 30 {
		if err := vm.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		after = vm.Buffer(cost).F[0]
		if step == 0 {
			before = after
		}
		for i, p := range params {
			for k, g := range vm.Buffer(grads[i]).F {
				p.Value[k] -= g
			}
		}
	}
	return before, after
}
