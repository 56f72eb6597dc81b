package onnxload

import (
	"fmt"
	"testing"
)

// A parameter reaches the outputs that a gradient can come from; where its other
// ways end is told.
func TestReaches(t *testing.T) {
	m := newDraft(13).input("x", "batch", 2).
		floats("v", []int64{2, 2}, 1, 2, 3, 4).floats("w", []int64{2, 2}, 1, 2, 3, 4).floats("u", []int64{2, 2}, 1, 2, 3, 4).
		node("MatMul", names("x", "v"), names("scores")).
		node("MatMul", names("scores", "w"), names("hidden")).
		node("ArgMax", names("hidden"), names("label"), attr("axis", 1)).
		node("MatMul", names("scores", "u"), names("strange")).
		node("Frobnicate", names("strange"), names("z")).
		output("scores").output("label").output("z").model(t)
	want := map[string]string{
		"v": `[scores] [node "label_node": ArgMax (opset 13): it has no gradient node "z_node": Frobnicate (opset 13): no such operator here yet]`,
		"w": `[] [node "label_node": ArgMax (opset 13): it has no gradient]`,
		"u": `[] [node "z_node": Frobnicate (opset 13): no such operator here yet]`,
	}
	for _, r := range m.Reaches() {
		if got := fmt.Sprint(r.Outputs, " ", r.Stops); got != want[r.Param.Name] {
			t.Errorf("%s: got %s, want %s", r.Param.Name, got, want[r.Param.Name])
		}
	}
}
