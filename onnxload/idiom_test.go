package onnxload

import (
	"math"
	"strings"
	"testing"

	"finetune/internal/op"
)

// written is a model of the given lines, each "result = Operator a b", with the
// constants that idioms have.
func written(lines ...string) *draft {
	d := newDraft(13).input("x", 2, 3).floats("gamma", []int64{3}, 1, 2, 3).floats("beta", []int64{3}, 10, 20, 30).
		floats("two", nil, 2).floats("three", nil, 3).floats("half", nil, 0.5).floats("one", nil, 1).
		floats("eps", nil, 1e-5).floats("root", nil, math.Sqrt2).floats("inverse", nil, 1/math.Sqrt2).
		floats("c", nil, 0.044715).floats("s", nil, 0.7978846)
	for _, line := range lines {
		words := strings.Fields(line)
		if words[2] == "ReduceMean" {
			d.node(words[2], words[3:4], words[:1], attr("axes", []int64{int64(words[4][0] - '0')}))
		} else {
			d.node(words[2], words[3:], words[:1])
		}
	}
	return d.output("y")
}

func TestIdioms(t *testing.T) {
	x := []float32{-2, -1, 0.5, 1, 2, 4}
	each := func(f func(x float64) float64) []float32 {
		var y []float32
		for _, v := range x {
			y = append(y, float32(f(float64(v))))
		}
		return y
	}
	// x̂ of both rows.
	normal := func(scale, shift []float32) []float32 {
		var y []float32
		for r := 0; r < len(x); r += 3 {
			mean, variance := 0.0, 0.0
			for _, v := range x[r : r+3] {
				mean += float64(v) / 3
			}
			for _, v := range x[r : r+3] {
				variance += (float64(v) - mean) * (float64(v) - mean) / 3
			}
			for i, v := range x[r : r+3] {
				y = append(y, float32((float64(v)-mean)/math.Sqrt(variance+1e-5))*scale[i]+shift[i])
			}
		}
		return y
	}
	ones, zeros := []float32{1, 1, 1}, []float32{0, 0, 0}
	gelu := each(func(x float64) float64 { return x / 2 * (1 + math.Erf(x/math.Sqrt2)) })
	geluTanh := each(func(x float64) float64 {
		return x / 2 * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(x+0.044715*x*x*x)))
	})
	standard := []string{"m = ReduceMean x 1", "d = Sub x m", "q = Pow d two", "v = ReduceMean q 1",
		"e = Add v eps", "r = Sqrt e"}
	erf := []string{"a = Div x root", "b = Erf a", "e = Add b one"}
	tests := []struct {
		name  string
		lines []string
		node  string
		want  []float32
	}{
		{"a standard row", append(standard, "y = Div d r"), "LayerNorm", normal(ones, zeros)},
		{"with a scale", append(standard, "n = Div d r", "y = Mul n gamma"), "LayerNorm", normal([]float32{1, 2, 3}, zeros)},
		{"with scale and shift", append(standard, "n = Div d r", "g = Mul gamma n", "y = Add beta g"),
			"LayerNorm", normal([]float32{1, 2, 3}, []float32{10, 20, 30})},
		{"with a shift", append(standard, "n = Div d r", "y = Add n beta"), "LayerNorm", normal(ones, []float32{10, 20, 30})},
		{"a square by multiplication", []string{"m = ReduceMean x 1", "d = Sub x m", "q = Mul d d", "v = ReduceMean q 1",
			"e = Add eps v", "r = Sqrt e", "y = Div d r"}, "LayerNorm", normal(ones, zeros)},
		{"two scales", append(standard, "n = Div d r", "g = Mul n gamma", "y = Mul g gamma"), "Mul", normal([]float32{1, 4, 9}, zeros)},
		{"a number as scale", append(standard, "n = Div d r", "y = Mul n two"), "Mul", normal([]float32{2, 2, 2}, zeros)},
		{"along the first axis", []string{"m = ReduceMean x 0", "d = Sub x m", "q = Pow d two", "v = ReduceMean q 0",
			"e = Add v eps", "r = Sqrt e", "y = Div d r"}, "Div", nil},
		{"a mean of something else", []string{"z = Mul x x", "m = ReduceMean z 1", "d = Sub x m", "q = Pow d two", "v = ReduceMean q 1",
			"e = Add v eps", "r = Sqrt e", "y = Div d r"}, "Div", nil},
		{"a third power", []string{"m = ReduceMean x 1", "d = Sub x m", "q = Pow d three", "v = ReduceMean q 1",
			"e = Add v eps", "r = Sqrt e", "y = Div d r"}, "Div", nil},

		{"gelu as PyTorch writes it", append(erf, "f = Mul x e", "y = Mul f half"), "Gelu", gelu},
		{"gelu with the half first", append(erf, "h = Mul half x", "y = Mul h e"), "Gelu", gelu},
		{"gelu with multiplications", []string{"a = Mul x inverse", "b = Erf a", "e = Add one b", "f = Mul e half", "y = Mul x f"}, "Gelu", gelu},
		{"gelu divided by two", append(erf, "f = Mul x e", "y = Div f two"), "Gelu", gelu},
		{"a tenth of a gelu's curve", append(erf, "f = Mul x e", "y = Mul f c"), "Mul", nil},
		{"a gelu of something else", append(erf, "z = Add x one", "f = Mul z e", "y = Mul f half"), "Mul", nil},
		{"gelu with tanh", []string{"p = Pow x three", "k = Mul c p", "i = Add x k", "u = Mul s i", "t = Tanh u", "e = Add t one",
			"h = Mul x half", "y = Mul h e"}, "GeluTanh", geluTanh},
		{"gelu with tanh, multiplied out", []string{"p = Mul x x", "q = Mul p x", "k = Mul q c", "i = Add k x", "u = Mul i s", "t = Tanh u",
			"e = Add one t", "g = Mul e x", "y = Mul half g"}, "GeluTanh", geluTanh},
		{"tanh of another curve", []string{"p = Mul x x", "k = Mul p c", "i = Add k x", "u = Mul i s", "t = Tanh u",
			"e = Add one t", "g = Mul e x", "y = Mul half g"}, "Mul", nil},
	}
	for _, test := range tests {
		prog, err := written(test.lines...).model(t).Lower(Config{Training: true})
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		if got := prog.Outputs[0].Node.Op().String(); got != test.node {
			t.Errorf("%s: got %s, want %s", test.name, got, test.node)
		}
		if test.want == nil {
			continue
		}
		got, err := prog.evaluate([]op.Buffer{{F: x}})
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		a := &Tensor{Shape: prog.Outputs[0].Shape, F: got[0].F}
		if err := agree(a, &Tensor{Shape: a.Shape, F: test.want}); err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}

// TestIdiomGradients trains what was recognised.
func TestIdiomGradients(t *testing.T) {
	m := written("m = ReduceMean x 1", "d = Sub x m", "q = Pow d two", "v = ReduceMean q 1", "e = Add v eps", "r = Sqrt e",
		"n = Div d r", "g = Mul gamma n", "z = Add beta g",
		"a = Div z root", "b = Erf a", "o = Add b one", "f = Mul z o", "y = Mul f half").model(t)
	prog, err := m.Lower(Config{Training: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"gamma", "beta"} {
		trained := false
		for _, p := range m.Params {
			trained = trained || p.Name == name && p.Trainable
		}
		if !trained {
			t.Errorf("%s is not trained", name)
		}
	}
	checkGradients(t, "idioms", m, prog)
}
