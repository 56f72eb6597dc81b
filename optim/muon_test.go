package optim

import (
	"math"
	"testing"
)

// TestMuonAxes takes steps on weights whose inputs come first, of which there are
// several matrices, or both, and on their matrices one by one with the outputs as
// rows, as the paper has them.
func TestMuonAxes(t *testing.T) {
	grouped := weight("ConvTranspose", true, 6, 4, 3, 3)
	grouped.Groups = 3
	for _, p := range []*Param{
		weight("Conv", false, 8, 3, 3, 3), weight("Gemm", true, 6, 30), weight("Gemm", true, 30, 6),
		weight("MatMul", true, 2, 5, 8), weight("LSTM", false, 2, 12, 5),
		weight("ConvTranspose", true, 6, 4, 2, 2), grouped,
	} {
		filters := Grouping("filters").tiling(p)
		l := p.linear()
		var parts []*Param
		at := make([][]int, len(p.Value)) // part and place in it, of each weight
		for range l.parts {
			n := l.outputs * l.inputs * l.kernel
			parts = append(parts, &Param{Name: string(rune('a' + len(parts))), Role: Weight, Shape: []int{l.outputs, l.inputs * l.kernel}, Trainable: true, Value: make([]float32, n), Grad: make([]float32, n)})
		}
		seen := make([]int, filters.groups())
		filters.each(func(group, lo, hi int) {
			for i := lo; i < hi; i++ {
				at[i] = []int{group / l.outputs, group%l.outputs*l.inputs*l.kernel + seen[group]}
				seen[group]++
			}
		})
		for i, w := range p.Value {
			parts[at[i][0]].Value[at[i][1]] = w
		}
		cfg := Default("muon")
		cfg.LR = Set(0.1)
		whole, apart := mustNew(t, []*Param{p}, cfg), mustNew(t, parts, cfg)
		for range 3 {
			for i, g := range p.Grad {
				parts[at[i][0]].Grad[at[i][1]] = g
			}
			whole.Step(1)
			apart.Step(1)
		}
		for i, got := range p.Value {
			if want := parts[at[i][0]].Value[at[i][1]]; math.Abs(float64(got-want)) > 1e-5 {
				t.Fatalf("%s, weight %d: got %g, want %g", p.Name, i, got, want)
			}
		}
	}
}

// TestMuonScope: hidden matrices are made orthogonal, and the rest is AdamW's,
// unless a setting says otherwise.
func TestMuonScope(t *testing.T) {
	params := func() []*Param {
		first, last, table := weight("Gemm", false, 4, 3), weight("Gemm", false, 2, 4), weight("Gather", false, 9, 3)
		bias := weight("Gemm", false, 4)
		first.Name, last.Name, table.Name, bias.Name = "first", "last", "table", "bias"
		table.Role, bias.Role, last.Depth = Embedding, Bias, 1
		return []*Param{first, last, table, bias}
	}
	for _, test := range []struct {
		steps []string
		want  string // of those that have a momentum
	}{
		{nil, "first"},
		{[]string{"7"}, "first"},
		{[]string{"first=0"}, ""},
		{[]string{"role:weight=5"}, "first last"},
		{[]string{"*=5"}, "first last table"},
		{[]string{"bias=5", "last=5", "first=0"}, "last"},
	} {
		cfg := Default("muon")
		var err error
		if cfg.NSSteps, err = ParseSettings(test.steps...); err != nil {
			t.Fatal(err)
		}
		o := mustNew(t, params(), cfg)
		got := ""
		for _, x := range o.tensors {
			if x.kinds[0].name == "momentum" {
				got += " " + x.Name
			}
		}
		if got = got[min(1, len(got)):]; got != test.want {
			t.Errorf("ns-steps %q: got %q made orthogonal, want %q", test.steps, got, test.want)
		}
		o.Step(1)
	}
	// What a matrix remembers is decided before the first step.
	cfg := Default("muon")
	var err error
	if cfg.NSSteps, err = ParseSettings("5@step:every=1,gamma=0"); err != nil {
		t.Fatal(err)
	}
	cfg.Run = Run{Steps: 3, PerEpoch: 3}
	o := mustNew(t, params(), cfg)
	for range 3 {
		o.Step(1)
	}
	// A model of one layer has no hidden ones, and that one is made orthogonal.
	one := params()[:1]
	if o := mustNew(t, one, Default("muon")); o.tensors[0].kinds[0].name != "momentum" {
		t.Error("the only layer: got AdamW, want Muon")
	}
}
