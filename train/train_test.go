package train

import (
	"context"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"

	"finetune/internal/kernel"
	"finetune/onnxload"
	"finetune/optim"
	"finetune/train/data"
)

// mustRun trains m and returns the result with the notes and warnings.
func mustRun(t *testing.T, m *onnxload.Model, l, held *data.Loader, cfg Config) (*Result, []string) {
	t.Helper()
	var said []string
	cfg.Observe = func(e Event) {
		if e.Kind == Noted || e.Kind == Warned {
			said = append(said, e.Text)
		}
	}
	result, err := Run(context.Background(), m, l, held, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return result, said
}

// TestSameBytes trains the same twice, and with another number of threads.
func TestSameBytes(t *testing.T) {
	threads := kernel.Threads()
	defer kernel.SetThreads(threads)
	l := labelled(50, 3, 1, 6, 6).loader(t)
	cfg := DefaultConfig()
	cfg.Epochs, cfg.Batch, cfg.MicroBatch, cfg.BatchNorm = 2, 20, 15, onnxload.BatchNormTrain
	cfg.Clip.Norm = 1
	cfg.Prune.Sparsity = optim.Set(0.5)
	var want [][]float32
	for _, n := range []int{1, 2, 2, 5} {
		kernel.SetThreads(n)
		m := convnet().model(t)
		mustRun(t, m, l, l, cfg)
		if want == nil {
			want = values(m)
		}
		if !equalValues(values(m), want) {
			t.Errorf("%d threads: got other parameters than the first time", n)
		}
	}
	cfg.Seed = 1
	m := convnet().model(t)
	mustRun(t, m, l, l, cfg)
	if equalValues(values(m), want) {
		t.Error("another seed: got the same parameters")
	}
}

// TestRunsAtOnce trains two models in two goroutines.
func TestRunsAtOnce(t *testing.T) {
	l := labelled(50, 3, 1, 6, 6).loader(t)
	cfg := DefaultConfig()
	cfg.Batch = 20
	alone := convnet().model(t)
	mustRun(t, alone, l, l, cfg)
	var wait sync.WaitGroup
	models := make([]*onnxload.Model, 4)
	for i := range models {
		models[i] = convnet().model(t)
		wait.Go(func() {
			if _, err := Run(context.Background(), models[i], l, l, cfg); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	for i, m := range models {
		if !equalValues(values(m), values(alone)) {
			t.Errorf("run %d of four: got other parameters than alone", i)
		}
	}
}

// TestLearns checks what a run tells, and that the loss falls.
func TestLearns(t *testing.T) {
	l, held := labelled(90, 3, 6).loader(t), labelled(31, 3, 6).loader(t)
	cfg := DefaultConfig()
	cfg.Epochs, cfg.Batch = 10, 16
	cfg.Optim.LR = optim.Set(0.02)
	cfg.Optim.L1, cfg.Optim.L2 = optim.Set(1e-3), optim.Set(1e-2)
	var events []Event
	cfg.Observe = func(e Event) { events = append(events, e) }
	m := mlp().model(t)
	result, err := Run(context.Background(), m, l, held, cfg)
	if err != nil {
		t.Fatal(err)
	}
	if result.Epochs != 10 || result.Steps != 60 || result.Before.Examples != 31 || result.After.Examples != 31 {
		t.Errorf("got %+v, want 10 epochs of 6 steps, measured on 31 examples", result)
	}
	if !(result.After.Loss < result.Before.Loss/2) || !(*result.After.Accuracy > 0.9) {
		t.Errorf("got loss %v, was %v, and accuracy %v; want less than half, and more than 0.9",
			result.After.Loss, result.Before.Loss, *result.After.Accuracy)
	}
	kinds := map[EventKind]int{}
	for _, e := range events {
		kinds[e.Kind]++
		if e.Epochs != 10 || e.Steps != 60 || e.Epoch < 1 || e.Epoch > 10 || e.Step < 0 || e.Step > 60 {
			t.Errorf("got event %+v, want one of 10 epochs and 60 steps", e)
		}
	}
	if events[0].Kind != Ready || events[1].Kind != Started || kinds[Ready] != 1 || kinds[Started] != 1 ||
		kinds[Stepped] != 60 || kinds[EpochDone] != 10 || len(kinds) != 4 {
		t.Errorf("got events %v, want ready, a start, 60 steps, 10 epochs", kinds)
	}
	last := events[len(events)-1]
	l1, l2 := 0.0, 0.0
	for _, p := range m.Params {
		for _, v := range p.Value {
			if p.Role == optim.Weight {
				l1 += 1e-3 * math.Abs(float64(v))
				l2 += 0.5e-2 * float64(v) * float64(v)
			}
		}
	}
	if last.Loss != result.Loss || math.Abs(last.L1-l1) > 1e-9*l1 || math.Abs(last.L2-l2) > 1e-9*l2 || last.Held.Loss != result.After.Loss {
		t.Errorf("got %+v at the end, want loss %v, L1 %v, L2 %v", last, result.Loss, l1, l2)
	}
}

// TestUnreached trains one output of two. What only the other depends on stays,
// and so does what decay alone would move.
func TestUnreached(t *testing.T) {
	m := newDraft().input("x", -1, 6).
		dense("fc1", "x", 6, 4).dense("left", "fc1", 4, 3).dense("right", "fc1", 4, 2).
		weight("lost.weight", 4, 4).node("MatMul", "lost", "fc1", "lost.weight").
		output("left", -1, 3).output("right", -1, 2).model(t)
	before := values(m)
	cfg := DefaultConfig()
	cfg.Output = "left"
	cfg.Optim.WeightDecay, cfg.Optim.L1 = optim.Set(0.5), optim.Set(0.5)
	_, said := mustRun(t, m, labelled(20, 3, 6).loader(t), nil, cfg)
	for i, p := range m.Params {
		reached := strings.HasPrefix(p.Name, "fc1.") || strings.HasPrefix(p.Name, "left.")
		if slices.Equal(p.Value, before[i]) == reached {
			t.Errorf("%s: changed is %v, want %v", p.Name, !reached, reached)
		}
		if p.Trainable != reached {
			t.Errorf("%s: trainable is %v, want %v", p.Name, p.Trainable, reached)
		}
		noted := slices.ContainsFunc(said, func(s string) bool { return strings.Contains(s, `"`+p.Name+`" is left as it is`) })
		if noted == reached {
			t.Errorf("%s: noted is %v, want %v", p.Name, noted, !reached)
		}
	}
	if len(said) != 3 {
		t.Errorf("got notes %q, want one each for three parameters", said)
	}
}

func TestNothingToTrain(t *testing.T) {
	m := mlp().model(t)
	for _, p := range m.Params {
		p.Trainable = false
	}
	_, err := Run(context.Background(), m, labelled(20, 3, 6).loader(t), nil, DefaultConfig())
	if err == nil || !strings.Contains(err.Error(), "nothing to train") {
		t.Errorf("got %v, want an error that says there is nothing to train", err)
	}
}

// TestClip holds the update of plain descent, which is the gradient itself, to
// the limits.
func TestClip(t *testing.T) {
	l := labelled(8, 3, 6).loader(t)
	step := func(clip Clip) (norm, top float64) {
		m := mlp().model(t)
		before := values(m)
		cfg := DefaultConfig()
		cfg.Epochs, cfg.Batch, cfg.Schedule, cfg.Clip = 1, 8, "constant", clip
		cfg.Optim = optim.Default("sgd")
		cfg.Optim.LR = optim.Set(1)
		mustRun(t, m, l, nil, cfg)
		for i, p := range m.Params {
			for k, v := range p.Value {
				g := math.Abs(float64(v) - float64(before[i][k]))
				norm += g * g
				top = max(top, g)
			}
		}
		return math.Sqrt(norm), top
	}
	norm, top := step(Clip{})
	if got, _ := step(Clip{Norm: norm / 2}); math.Abs(got-norm/2) > 1e-4*norm {
		t.Errorf("by norm: got %v, want %v", got, norm/2)
	}
	if _, got := step(Clip{Value: top / 2}); math.Abs(got-top/2) > 1e-4*top {
		t.Errorf("by value: got %v, want %v", got, top/2)
	}
	if got, gotTop := step(Clip{Norm: 2 * norm, Value: 2 * top}); got != norm || gotTop != top {
		t.Errorf("beyond both: got %v and %v, want %v and %v", got, gotTop, norm, top)
	}
}

// TestSchedule follows the learning rate through the events and the size of the
// updates through the weights.
func TestSchedule(t *testing.T) {
	l := labelled(8, 3, 6).loader(t)
	for _, test := range []struct {
		schedule string
		warmup   float64
		want     []float64 // times the rate, by step of ten
	}{
		{"constant", 0, []float64{1, 1, 1, 1, 1, 1, 1, 1, 1, 1}},
		{"linear", 0, []float64{1, .9, .8, .7, .6, .5, .4, .3, .2, .1}},
		{"linear", 0.2, []float64{0, .5, 1, .875, .75, .625, .5, .375, .25, .125}},
		{"constant", 4, []float64{0, .25, .5, .75, 1, 1, 1, 1, 1, 1}},
		{"cosine", 0, []float64{1, 0.9755283, 0.9045085, 0.7938926, 0.6545085, 0.5, 0.3454915, 0.2061074, 0.0954915, 0.0244717}},
	} {
		cfg := DefaultConfig()
		cfg.Epochs, cfg.Batch, cfg.Schedule, cfg.Warmup = 10, 8, test.schedule, test.warmup
		cfg.Optim.LR = optim.Set(0.03)
		var got []float64
		m := mlp().model(t)
		before := values(m)
		cfg.Observe = func(e Event) {
			if e.Kind != EpochDone {
				return
			}
			got = append(got, e.LearningRate/0.03)
			if moved := !equalValues(values(m), before); moved != (test.want[e.Step-1] > 0) {
				t.Errorf("%s, warm-up %v: step %d moved is %v", test.schedule, test.warmup, e.Step, moved)
			}
			before = values(m)
		}
		if _, err := Run(context.Background(), m, l, nil, cfg); err != nil {
			t.Fatal(err)
		}
		if !slices.EqualFunc(got, test.want, func(a, b float64) bool { return math.Abs(a-b) < 1e-6 }) {
			t.Errorf("%s, warm-up %v: got %v, want %v", test.schedule, test.warmup, got, test.want)
		}
	}
}
