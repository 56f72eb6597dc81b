package train

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"

	"finetune/onnxload"
	"finetune/optim"
	"finetune/train/data"
)

// normed normalises its input of two channels, with a momentum of its own.
func normed(shape ...int64) *draft {
	size := int64(1)
	for _, d := range shape {
		size *= d
	}
	return newDraft().input("x", append([]int64{-1}, shape...)...).
		fill("scale", 1, 2).fill("shift", 0, 2).tensor("mean", []float32{0.5, -0.5}, 2).tensor("var", []float32{2, 3}, 2).
		node("BatchNormalization", "bn", "x", "scale", "shift", "mean", "var").attr("momentum", 0.75).
		node("Flatten", "flat", "bn").dense("fc", "flat", size, 3).output("fc", -1, 3)
}

// batchStatistics are the mean and the biased variance of a channel, by hand, each
// example having size values of it.
func batchStatistics(e *examples, idx []int, channel, size int) (mean, variance float64) {
	var all []float64
	for _, i := range idx {
		for _, v := range e.x[i][0][channel*size:][:size] {
			all = append(all, float64(v))
			mean += float64(v)
		}
	}
	mean /= float64(len(all))
	for _, v := range all {
		variance += (v - mean) * (v - mean)
	}
	return mean, variance / float64(len(all))
}

// TestRunningStatistics follows the running statistics over a batch, and over
// the runs that a batch is cut into.
func TestRunningStatistics(t *testing.T) {
	src := labelled(9, 3, 2, 4)
	l := src.loader(t)
	order := data.Order(9, 0, 0)
	for _, test := range []struct {
		batch, micro int
		parts        [][]int
	}{
		{9, 0, [][]int{order}},
		{9, 4, [][]int{order[:4], order[4:8], order[8:]}},
		{5, 0, [][]int{order[:5], order[5:]}},
	} {
		m := normed(2, 4).model(t)
		cfg := DefaultConfig()
		cfg.Epochs, cfg.Batch, cfg.MicroBatch, cfg.BatchNorm = 1, test.batch, test.micro, onnxload.BatchNormTrain
		_, said := mustRun(t, m, l, nil, cfg)
		if len(said) > 0 {
			t.Errorf("got %q, want nothing to be said", said)
		}
		want := map[string][]float64{"mean": {0.5, -0.5}, "var": {2, 3}}
		for _, part := range test.parts {
			for c := range 2 {
				mean, variance := batchStatistics(src, part, c, 4)
				want["mean"][c] = 0.75*want["mean"][c] + 0.25*mean
				want["var"][c] = 0.75*want["var"][c] + 0.25*variance
			}
		}
		for name, w := range want {
			for c, v := range param(t, m, name).Value {
				if math.Abs(float64(v)-w[c]) > 1e-6 {
					t.Errorf("batch %d, micro-batch %d: %s of channel %d: got %v, want %v", test.batch, test.micro, name, c, v, w[c])
				}
			}
		}
	}
}

func TestFrozenStatisticsStay(t *testing.T) {
	for _, mode := range []onnxload.BatchNormMode{"", onnxload.BatchNormFrozen} {
		m := convnet().model(t)
		before := values(m)
		cfg := DefaultConfig()
		cfg.BatchNorm = mode
		mustRun(t, m, labelled(20, 3, 1, 6, 6).loader(t), labelled(5, 3, 1, 6, 6).loader(t), cfg)
		for i, p := range m.Params {
			running := p.Name == "bn.mean" || p.Name == "bn.var"
			if slices.Equal(p.Value, before[i]) != running {
				t.Errorf("mode %q: %s: changed is %v, want %v", mode, p.Name, running, !running)
			}
		}
	}
}

// TestStatisticsOfOne leaves out what has no variance: the last example of an
// epoch by itself, where each channel has one value.
func TestStatisticsOfOne(t *testing.T) {
	src := labelled(5, 3, 2)
	m := normed(2).model(t)
	cfg := DefaultConfig()
	cfg.Epochs, cfg.Batch, cfg.BatchNorm = 1, 4, onnxload.BatchNormTrain
	_, said := mustRun(t, m, src.loader(t), nil, cfg)
	mean, variance := batchStatistics(src, data.Order(5, 0, 0)[:4], 0, 1)
	if got, want := float64(param(t, m, "mean").Value[0]), 0.75*0.5+0.25*mean; math.Abs(got-want) > 1e-6 {
		t.Errorf("got mean %v, want %v, that of four examples", got, want)
	}
	if got, want := float64(param(t, m, "var").Value[0]), 0.75*2+0.25*variance; math.Abs(got-want) > 1e-6 {
		t.Errorf("got variance %v, want %v, that of four examples", got, want)
	}
	if len(said) != 1 || !strings.Contains(said[0], `"bn"`) {
		t.Errorf("got %q, want one warning about node bn", said)
	}
}

// TestStatisticsOfTheMean ends a run with a mean of weights, and with the means
// over whole batches of what these weights make of the training examples.
func TestStatisticsOfTheMean(t *testing.T) {
	src, held := labelled(22, 3, 1, 6, 6), labelled(7, 3, 1, 6, 6).loader(t)
	l := src.loader(t)
	order := data.Order(22, 0, 0)
	for _, average := range []Average{{Kind: optim.SWA, Every: "1"}, {Kind: optim.EMA, Decay: 0.9}, {}} {
		m, plain := convnet().model(t), convnet().model(t)
		cfg := DefaultConfig()
		cfg.Epochs, cfg.Batch, cfg.BatchNorm, cfg.Average = 2, 8, onnxload.BatchNormTrain, average
		cfg.Optim.LR = optim.Set(0.05)
		result, said := mustRun(t, m, l, held, cfg)
		after, err := Evaluate(context.Background(), m, held, cfg)
		if err != nil {
			t.Fatal(err)
		}
		if after.Loss != result.After.Loss {
			t.Errorf("average %q: got loss %v after the run, want %v, that of the model as it is written", average.Kind, result.After.Loss, after.Loss)
		}
		if average.Kind == optim.NoAverage {
			if len(said) > 0 {
				t.Errorf("got %q, want nothing to be said without a mean", said)
			}
			continue
		}
		if len(said) != 1 || !strings.Contains(said[0], "computed anew, from 16 of") {
			t.Errorf("average %q: got %q, want one note of 16 examples", average.Kind, said)
		}
		for c := range 4 {
			mean, variance := 0.0, 0.0
			for _, batch := range [][]int{order[:8], order[8:16]} {
				e := convolved(src, m, c)
				bm, bv := batchStatistics(e, batch, 0, 16)
				mean, variance = mean+bm/2, variance+bv/2
			}
			if got := float64(param(t, m, "bn.mean").Value[c]); math.Abs(got-mean) > 1e-5 {
				t.Errorf("average %q, channel %d: got mean %v, want %v", average.Kind, c, got, mean)
			}
			if got := float64(param(t, m, "bn.var").Value[c]); math.Abs(got-variance) > 1e-5 {
				t.Errorf("average %q, channel %d: got variance %v, want %v", average.Kind, c, got, variance)
			}
		}
		// A run without held-out examples ends with the same model.
		mustRun(t, plain, l, nil, cfg)
		if !equalValues(values(m), values(plain)) {
			t.Errorf("average %q: measuring changes the model", average.Kind)
		}
	}
}

// convolved is what channel c of the convolution of convnet makes of examples.
func convolved(src *examples, m *onnxload.Model, c int) *examples {
	var w []float32
	bias := float32(0)
	for _, p := range m.Params {
		switch p.Name {
		case "conv.weight":
			w = p.Value[c*9:][:9]
		case "conv.bias":
			bias = p.Value[c]
		}
	}
	e := &examples{}
	for _, x := range src.x {
		var out []float32
		for i := range 4 {
			for j := range 4 {
				sum := bias
				for k, v := range w {
					sum += v * x[0][(i+k/3)*6+j+k%3]
				}
				out = append(out, sum)
			}
		}
		e.x = append(e.x, [][]float32{out})
	}
	return e
}

// TestTrainedStatisticsDecide trains and measures with other statistics: what is
// measured after an epoch is what the exported model will do.
func TestTrainedStatisticsDecide(t *testing.T) {
	m := convnet().model(t)
	l, held := labelled(20, 3, 1, 6, 6).loader(t), labelled(7, 3, 1, 6, 6).loader(t)
	cfg := DefaultConfig()
	cfg.BatchNorm = onnxload.BatchNormTrain
	result, _ := mustRun(t, m, l, held, cfg)
	after, err := Evaluate(context.Background(), m, held, cfg)
	if err != nil {
		t.Fatal(err)
	}
	if after.Loss != result.After.Loss {
		t.Errorf("got loss %v after the run, want %v, that of the model with its new statistics", result.After.Loss, after.Loss)
	}
}
