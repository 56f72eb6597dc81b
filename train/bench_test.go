package train

import (
	"context"
	"fmt"
	"runtime"
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

// TestStepAllocations holds a step to no allocation, however large the batch is
// and whether goroutines share the reading of it. A few are the runtime's.
func TestStepAllocations(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector allocates by itself")
	}
	const steps = 20
	for _, test := range []struct{ batch, micro int }{{8, 0}, {256, 0}, {4096, 0}, {4096, 1024}} {
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
		train := func() {
			for range steps {
				if _, err := n.gradients(context.Background(), idx, 1); err != nil {
					t.Fatal(err)
				}
				o.Step(1e-6)
			}
		}
		got := uint64(steps)
		for range 4 { // the first finds no buffers to use again, and what other tests left behind may disturb it
			before := mallocs()
			train()
			got = min(got, mallocs()-before)
		}
		if got >= steps {
			t.Errorf("batch %d, micro-batch %d: got %d allocations in %d steps, want none", test.batch, test.micro, got, steps)
		}
	}
}

func mallocs() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.Mallocs
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
