package train

import (
	"context"
	"math"
	"testing"

	"finetune/optim"
)

// TestDrawnGradients: over many draws, the squares of the drawn gradients add up to
// the second derivative of the loss, which for a linear model is known: with s the
// outputs and x the inputs, E g² of the mean over B examples is H/B, and H of a
// weight is the mean of x²·p(1 − p), or 2x²/outputs for squared errors.
func TestDrawnGradients(t *testing.T) {
	for _, test := range []struct {
		name string
		loss Loss
	}{{"classes", CrossEntropy}, {"numbers", MSE}} {
		l := labelled(16, 3, 6).loader(t)
		if test.loss == MSE {
			l = numbered(16, 3, 6).loader(t)
		}
		m := newDraft().input("x", -1, 6).dense("fc", "x", 6, 3).output("fc", -1, 3).model(t)
		cfg := DefaultConfig()
		cfg.Batch, cfg.Optim, cfg.MicroBatch = 16, optim.Default("sophia"), 16
		n, err := newNetwork(m, l, cfg, true)
		if err != nil {
			t.Fatal(err)
		}
		w := n.trainable[0]
		if _, err := n.gradients(context.Background(), upTo(16), 1); err != nil {
			t.Fatal(err)
		}
		first := append([]float32(nil), w.Grad...)
		want := make([]float64, len(w.Value))
		p := n.passes[16]
		output, inputs := p.machine.Buffer(p.head.output).F, p.buffers.fields[0]
		for e := range 16 {
			row := output[e*3:][:3]
			sum := 0.0
			for _, s := range row {
				sum += math.Exp(float64(s))
			}
			for i, x := range inputs[e*6:][:6] {
				for j, s := range row {
					q := math.Exp(float64(s)) / sum
					h := float64(x*x) * q * (1 - q)
					if test.loss == MSE {
						h = 2 * float64(x*x) / 3
					}
					want[i*3+j] += h / 16
				}
			}
		}
		got := make([]float64, len(want))
		const draws = 2000
		for k := range draws {
			if err := n.drawnGradients(context.Background(), upTo(16), k); err != nil {
				t.Fatal(err)
			}
			for i, g := range w.Grad {
				got[i] += 16 * float64(g) * float64(g) / draws
			}
		}
		for i := range want {
			if math.Abs(got[i]-want[i]) > 0.15*want[i] {
				t.Errorf("%s: weight %d: got curvature %.4g, want %.4g", test.name, i, got[i], want[i])
			}
		}
		// The targets of the data are back in the next step.
		if _, err := n.gradients(context.Background(), upTo(16), 1); err != nil {
			t.Fatal(err)
		}
		for i, g := range w.Grad {
			if g != first[i] {
				t.Fatalf("%s: gradient %d: got %g after drawing, want %g", test.name, i, g, first[i])
			}
		}
	}
}
