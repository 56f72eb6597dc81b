package onnxload

import (
	"slices"
	"testing"

	"finetune/internal/op"
)

// attentionDraft is attention of two heads as PyTorch writes it, with scores that
// are scaled, and masked, by the given nodes, which make "t" of "s".
func attentionDraft(middle func(d *draft)) *draft {
	swap := attr("perm", []int64{0, 2, 1, 3})
	d := newDraft(13).input("q", 2, 3, 2, 4).input("k", 2, 5, 2, 4).input("v", 2, 5, 2, 6).input("mask", 3, 5).
		floats("root", nil, 2).floats("half", nil, 0.5).
		node("Transpose", []string{"q"}, []string{"qt"}, swap).
		node("Transpose", []string{"k"}, []string{"kt"}, attr("perm", []int64{0, 2, 3, 1})).
		node("Transpose", []string{"v"}, []string{"vt"}, swap)
	middle(d)
	return d.node("Softmax", []string{"t"}, []string{"p"}, attr("axis", int64(-1))).
		node("MatMul", []string{"p", "vt"}, []string{"m"}).
		node("Transpose", []string{"m"}, []string{"y"}, swap).output("y")
}

func TestAttentionIdiom(t *testing.T) {
	scores := func(d *draft) *draft { return d.node("MatMul", []string{"qt", "kt"}, []string{"s"}) }
	scaled := func(d *draft) { scores(d).node("Div", []string{"s", "root"}, []string{"t"}) }
	var in []op.Buffer
	for i, n := range []int{48, 80, 120, 15} {
		x := make([]float32, n)
		for j := range x {
			x[j] = float32((j*7+i*3)%11)/4 - 1
		}
		in = append(in, op.Buffer{F: x})
	}
	tests := []struct {
		name   string
		draft  *draft
		others string // an output besides
		want   bool
	}{
		{"scaled by a division", attentionDraft(scaled), "", true},
		{"scaled before the product", attentionDraft(func(d *draft) {
			d.node("Mul", []string{"half", "qt"}, []string{"qs"}).node("MatMul", []string{"qs", "kt"}, []string{"t"})
		}), "", true},
		{"with a mask", attentionDraft(func(d *draft) {
			scores(d).node("Div", []string{"s", "root"}, []string{"u"}).node("Add", []string{"u", "mask"}, []string{"t"})
		}), "", true},
		{"with a mask first", attentionDraft(func(d *draft) {
			scores(d).node("Add", []string{"mask", "s"}, []string{"t"})
		}), "", true},
		{"with a mask that is scaled", attentionDraft(func(d *draft) {
			scores(d).node("Add", []string{"s", "mask"}, []string{"u"}).node("Div", []string{"u", "root"}, []string{"t"})
		}), "", false},
		{"with a root of the scores", attentionDraft(func(d *draft) { scores(d).node("Tanh", []string{"s"}, []string{"t"}) }), "", false},
		{"with shares that are wanted", attentionDraft(scaled), "p", false},
		{"with scores that are wanted", attentionDraft(scaled), "s", false},
	}
	for _, test := range tests {
		lowered := func(d *draft) *Program {
			prog, err := d.model(t).Lower(Config{})
			if err != nil {
				t.Fatalf("%s: %v", test.name, err)
			}
			return prog
		}
		if test.others != "" {
			test.draft.output(test.others)
		}
		prog := lowered(test.draft)
		if got := prog.Outputs[0].Node.Op().String() == "Attention"; got != test.want {
			t.Errorf("%s: got %s, want attention: %t", test.name, prog.Outputs[0].Node.Op(), test.want)
		}
		if !test.want {
			continue
		}
		got, err := prog.evaluate(in)
		if err != nil {
			t.Fatalf("%s: %v", test.name, err)
		}
		// What has another reader stays as it was written.
		want, err := lowered(test.draft.output("p")).evaluate(in)
		if err != nil {
			t.Fatalf("%s: %v", test.name, err)
		}
		shape := prog.Outputs[0].Shape
		if !slices.Equal(shape, []int{2, 3, 2, 6}) {
			t.Errorf("%s: got shape %v, want [2 3 2 6]", test.name, shape)
		}
		if err := agree(&Tensor{Shape: shape, F: got[0].F}, &Tensor{Shape: shape, F: want[0].F}); err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}

// TestAttentionIdiomGradients trains the weights before the products, and a bias
// of the scores, which is no mask.
func TestAttentionIdiomGradients(t *testing.T) {
	weights := func(n, seed int) []float32 {
		w := make([]float32, n)
		for i := range w {
			w[i] = float32((i*5+seed)%7)/7 - 0.4
		}
		return w
	}
	for _, biased := range []bool{false, true} {
		d := newDraft(13).input("x", 2, 3, 2).floats("root", nil, 2)
		for i, name := range []string{"q", "k", "v"} {
			d.floats("w"+name, []int64{2, 4}, weights(8, i)...).node("MatMul", []string{"x", "w" + name}, []string{name})
		}
		d.node("Transpose", []string{"k"}, []string{"kt"}, attr("perm", []int64{0, 2, 1})).
			node("MatMul", []string{"q", "kt"}, []string{"s"}).node("Div", []string{"s", "root"}, []string{"u"})
		scores := "u"
		if biased {
			d.floats("wb", []int64{2, 3}, weights(6, 3)...).node("MatMul", []string{"x", "wb"}, []string{"bias"}).
				node("Add", []string{"u", "bias"}, []string{"t"})
			scores = "t"
		}
		m := d.node("Softmax", []string{scores}, []string{"p"}, attr("axis", int64(2))).
			node("MatMul", []string{"p", "v"}, []string{"y"}).output("y").model(t)
		prog, err := m.Lower(Config{Training: true})
		if err != nil {
			t.Fatal(err)
		}
		if got := prog.Outputs[0].Node.Op().String() == "Attention"; got == biased {
			t.Errorf("with a learned bias %t: got %s", biased, prog.Outputs[0].Node.Op())
		}
		checkGradients(t, "attention", m, prog)
	}
}
