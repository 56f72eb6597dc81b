package train

import (
	"context"
	"fmt"
	"testing"

	"finetune/models"
	"finetune/models/dataset"
	"finetune/onnxload"
	"finetune/optim"
	"finetune/train/data"
)

// upTo lists the numbers below n.
func upTo(n int) []int {
	idx := make([]int, n)
	for i := range idx {
		idx[i] = i
	}
	return idx
}

// TestStepAllocations holds a step to a few small allocations, for reading the
// examples and sharing work, however large the batch is.
func TestStepAllocations(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector allocates by itself")
	}
	const most = 24
	for _, test := range []struct{ batch, micro, runs int }{
		{8, 0, 1}, {256, 0, 1}, {4096, 0, 1}, {4096, 1024, 4},
	} {
		l := labelled(test.batch, 3, 1, 6, 6).loader(t)
		cfg := DefaultConfig()
		cfg.Batch, cfg.MicroBatch, cfg.BatchNorm = test.batch, test.micro, onnxload.BatchNormTrain
		m := convnet().model(t)
		n, err := newNetwork(m, l, cfg, true)
		if err != nil {
			t.Fatal(err)
		}
		o, err := optim.New(m.Params, cfg.Optim)
		if err != nil {
			t.Fatal(err)
		}
		idx := upTo(test.batch)
		got := testing.AllocsPerRun(20, func() {
			if _, err := n.gradients(context.Background(), idx, 1); err != nil {
				t.Fatal(err)
			}
			o.Step(1e-6)
		})
		t.Logf("batch %d, micro-batch %d: %v allocations", test.batch, test.micro, got)
		if got > float64(most*test.runs) {
			t.Errorf("batch %d, micro-batch %d: got %v allocations a step, want at most %d a run", test.batch, test.micro, got, most)
		}
	}
}

// BenchmarkStep is a step of the digits model on rough digits, the drawing of
// which counts as well.
func BenchmarkStep(b *testing.B) {
	for _, batch := range []int{1, 64} {
		b.Run(fmt.Sprintf("batch=%d", batch), func(b *testing.B) {
			m, err := onnxload.Parse(models.DigitsONNX(), "")
			if err != nil {
				b.Fatal(err)
			}
			l, err := data.NewLoader(dataset.Digits(models.Rough, 1, 64), data.LoaderOptions{Scale: 1.0 / 255})
			if err != nil {
				b.Fatal(err)
			}
			cfg := DefaultConfig()
			cfg.Batch = batch
			n, err := newNetwork(m, l, cfg, true)
			if err != nil {
				b.Fatal(err)
			}
			idx := upTo(batch)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := n.gradients(context.Background(), idx, 1); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
