package onnxload

import (
	"slices"
	"testing"
)

func TestLogits(t *testing.T) {
	x := func() *draft { return newDraft(13).input("x", "n", 4, 1, 1).ints("flat", 0, -1).ints("last", 2, 3) }
	old := func() *draft { return newDraft(9).input("x", "n", 4, 1, 1).ints("flat", 0, -1) }
	tests := []struct {
		name       string
		draft      *draft
		activation string
		axis       int
		logits     string // node that the logits come from
	}{
		{"none", x().node("Relu", names("x"), names("y")), "", -1, "y_node"},
		{"sigmoid", x().node("Relu", names("x"), names("r")).node("Sigmoid", names("r"), names("y")), "sigmoid", -1, "r_node"},
		{"softmax", x().node("Relu", names("x"), names("r")).node("Softmax", names("r"), names("y"), attr("axis", 1)), "softmax", 1, "r_node"},
		{"negative axis", x().node("Softmax", names("x"), names("y"), attr("axis", -3)), "softmax", 1, "x"},
		{"old rule", old().node("LogSoftmax", names("x"), names("y")), "logsoftmax", 1, "x"},
		{"flattened", x().node("Softmax", names("x"), names("s"), attr("axis", 1)).
			node("Flatten", names("s"), names("f")).node("Identity", names("f"), names("y")), "softmax", 1, "-"},
		{"squeezed", x().node("LogSoftmax", names("x"), names("s"), attr("axis", 1)).
			node("Squeeze", names("s", "last"), names("y")), "logsoftmax", 1, "-"},
		{"cast", x().node("Sigmoid", names("x"), names("s")).
			node("Cast", names("s"), names("y"), attr("to", 11)), "sigmoid", -1, "x"},
		{"not of a float", x().node("Sigmoid", names("x"), names("s")).
			node("Cast", names("s"), names("y"), attr("to", 7)), "", -1, "y_node"},
		{"dropout", x().node("Sigmoid", names("x"), names("s")).
			node("Dropout", names("s"), names("y")), "sigmoid", -1, "x"},
		{"used further", x().node("Softmax", names("x"), names("s"), attr("axis", 1)).
			node("Relu", names("s"), names("y")), "", -1, "y_node"},
		{"group broken up", x().ints("pairs", -1, 2).node("Softmax", names("x"), names("s"), attr("axis", 1)).
			node("Reshape", names("s", "pairs"), names("y")), "", -1, "y_node"},
	}
	for _, test := range tests {
		prog, err := test.draft.output("y").model(t).Lower(Config{Batch: 3})
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		p := prog.Outputs[0]
		if p.Activation != test.activation || p.Axis != test.axis {
			t.Errorf("%s: got activation %q on axis %d, want %q on %d", test.name, p.Activation, p.Axis, test.activation, test.axis)
		}
		if !slices.Equal([]int(p.Logits.Shape()), p.Shape) {
			t.Errorf("%s: got logits of shape %v, want %v", test.name, p.Logits.Shape(), p.Shape)
		}
		if got := prog.NodeName(p.Logits); test.logits != "-" && got != test.logits {
			t.Errorf("%s: got logits from %q, want %q", test.name, got, test.logits)
		}
	}
}
