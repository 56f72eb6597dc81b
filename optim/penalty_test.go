package optim

import (
	"math"
	"testing"
)

func TestPenalty(t *testing.T) {
	a := one([]float32{1, -2, 0}, nil)
	b := one([]float32{4, -0.5}, nil)
	b.Name, b.Layer = "b", "fc"
	cfg := Default("sgd")
	cfg.L1 = Settings{{Value: 0.1}, {Select: MustSelector("layer:fc"), Value: 1}}
	cfg.L2 = Settings{{Value: 0.5}, {Select: MustSelector("layer:fc"), Value: 0}}
	p := mustNew(t, []*Param{a, b}, cfg).Penalty()
	l1, l2 := p.L1, p.L2
	if want := 0.1*3 + 1*4.5; math.Abs(l1-want) > 1e-12 {
		t.Errorf("l1: got %g, want %g", l1, want)
	}
	if want := 0.5 / 2 * 5; math.Abs(l2-want) > 1e-12 {
		t.Errorf("l2: got %g, want %g", l2, want)
	}
}
