package optim

import (
	"fmt"
	"strings"
	"testing"
)

func TestResolve(t *testing.T) {
	cfg := Default("adamw")
	var err error
	if cfg.LR, err = ParseSettings("1e-4", "layer:fc*=1e-3", "op:gemm=1e-2"); err != nil {
		t.Fatal(err)
	}
	if cfg.L1, err = ParseSettings("1e-5", "fc1.bias=1e-6"); err != nil {
		t.Fatal(err)
	}
	plans, err := Resolve(network(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, plan := range plans {
		var b strings.Builder
		fmt.Fprintf(&b, "%s:", plan.Param.Name)
		for _, why := range plan.Why {
			switch why.Field {
			case "lr", "l1", "weight-decay":
				fmt.Fprintf(&b, " %s %g (%s)", why.Field, why.Value, why.From)
			}
		}
		lines = append(lines, b.String())
	}
	want := []string{
		"features.0.weight: lr 0.0001 (0.0001) l1 1e-05 (1e-05) weight-decay 0.01 (default)",
		"features.0.bias: lr 0.0001 (0.0001) l1 0 (default) weight-decay 0 (default)",
		"features.1.weight: lr 0.0001 (0.0001) l1 0 (default) weight-decay 0 (default)",
		"features.1.bias: lr 0.0001 (0.0001) l1 0 (default) weight-decay 0 (default)",
		"features.1.running_mean:",
		"onnx::MatMul_636: lr 0.001 (layer:fc*=0.001) l1 1e-05 (1e-05) weight-decay 0.01 (default)",
		"fc1.bias: lr 0.001 (layer:fc*=0.001) l1 1e-06 (fc1.bias=1e-06) weight-decay 0 (default)",
		"fc[2],weight: lr 0.01 (op:gemm=0.01) l1 1e-05 (1e-05) weight-decay 0.01 (default)",
	}
	for i, line := range lines {
		if line != want[i] {
			t.Errorf("got  %s\nwant %s", line, want[i])
		}
	}
	if got, want := plans[4].Hyper, (Hyper{}); got != want {
		t.Errorf("running statistics: got %+v, want %+v", got, want)
	}
}

func TestGroups(t *testing.T) {
	cfg := Default("sgd")
	cfg.LR = Settings{{Value: 0.1}, {Select: MustSelector("layer:fc*"), Value: 0.01}}
	cfg.L2 = Set(1e-4)
	opt, err := New(network(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, g := range opt.Groups() {
		line := fmt.Sprintf("lr %g l2 %g:", g.Hyper.LR, g.Hyper.L2)
		for _, p := range g.Params {
			line += " " + p.Name
		}
		got = append(got, line)
	}
	want := []string{
		"lr 0.1 l2 0.0001: features.0.weight",
		"lr 0.1 l2 0: features.0.bias features.1.weight features.1.bias",
		"lr 0.01 l2 0.0001: onnx::MatMul_636 fc[2],weight",
		"lr 0.01 l2 0: fc1.bias",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestNewErrors(t *testing.T) {
	for want, spoil := range map[string]func([]*Param){
		`parameter "fc1.bias" occurs twice`:                              func(p []*Param) { p[1].Name = "fc1.bias" },
		`parameter "fc1.bias": 8 values for shape [9]`:                   func(p []*Param) { p[6].Shape = []int{9} },
		`parameter "fc1.bias": impossible shape [-8]`:                    func(p []*Param) { p[6].Shape = []int{-8} },
		`parameter "fc1.bias": impossible shape [4294967296 4294967296]`: func(p []*Param) { p[6].Shape = []int{1 << 32, 1 << 32} },
		`parameter "fc1.bias": a mask of 3 for 8 values`:                 func(p []*Param) { p[6].Mask = make([]bool, 3) },
		`nothing to train: no parameter is trainable`: func(p []*Param) {
			for _, q := range p {
				q.Trainable = false
			}
		},
	} {
		params := network()
		spoil(params)
		if _, err := New(params, Default("sgd")); err == nil || err.Error() != want {
			t.Errorf("got error %v, want %s", err, want)
		}
	}
}
