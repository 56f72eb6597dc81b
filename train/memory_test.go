package train

import (
	"context"
	"errors"
	"math"
	"slices"
	"strconv"
	"testing"

	"finetune/onnxload"
	"finetune/optim"
	"finetune/train/data"
)

// deepNet is four convolutions with batch normalisation and a dense layer.
func deepNet() *draft {
	d := newDraft().input("x", -1, 1, 6, 6)
	last := "x"
	for i, in := range []int64{1, 4, 4, 4} {
		n := strconv.Itoa(i)
		d.weight("w"+n, 4, in, 1, 1).node("Conv", "conv"+n, last, "w"+n).
			fill("scale"+n, 1.5, 4).fill("shift"+n, 0.2, 4).fill("mean"+n, 0.3, 4).fill("var"+n, 2, 4).
			node("BatchNormalization", "bn"+n, "conv"+n, "scale"+n, "shift"+n, "mean"+n, "var"+n).
			node("Relu", "act"+n, "bn"+n)
		last = "act" + n
	}
	return d.node("Flatten", "flat", last).dense("fc", "flat", 144, 3).output("fc", -1, 3)
}

// limited trains that for two steps with so much memory, and
// returns its parameters, what the run takes, and how many examples ran at once.
func limited(t *testing.T, norm onnxload.BatchNormMode, most int64) (values [][]float32, need Memory, err error) {
	t.Helper()
	l := labelled(64, 3, 1, 6, 6).loader(t)
	cfg := DefaultConfig()
	cfg.Epochs, cfg.Batch, cfg.BatchNorm, cfg.MaxMemory = 2, 64, norm, most
	cfg.Optim = optim.Default("sgd")
	m := deepNet().model(t)
	r, err := newRun(t.Context(), m, l, nil, cfg)
	if err != nil {
		return nil, Memory{}, err
	}
	need = r.memory(r.network)
	if _, err := Run(context.Background(), m, l, nil, cfg); err != nil {
		return nil, need, err
	}
	for _, p := range m.Params {
		values = append(values, slices.Clone(p.Value))
	}
	return values, need, nil
}

func TestMaxMemory(t *testing.T) {
	want, all, err := limited(t, onnxload.BatchNormTrain, 0)
	if err != nil {
		t.Fatal(err)
	}
	got, need, err := limited(t, onnxload.BatchNormTrain, all.Total()*9/10)
	if err != nil {
		t.Fatal(err)
	}
	if need.Total() > all.Total()*9/10 || need.Examples != 64 {
		t.Errorf("got %+v of %+v, want nine tenths, all examples at once", need, all)
	}
	if !slices.EqualFunc(got, want, slices.Equal[[]float32]) {
		t.Error("got other parameters than with all memory")
	}
	_, _, err = limited(t, onnxload.BatchNormTrain, all.Total()/10)
	if e, ok := errors.AsType[*MemoryError](err); !ok || !e.Asked || e.Total() <= e.Most || e.Pass >= all.Pass {
		t.Errorf("a tenth, for batch normalisation that trains: got %v, want a MemoryError", err)
	}

	want, all, err = limited(t, onnxload.BatchNormFrozen, 0)
	if err != nil {
		t.Fatal(err)
	}
	got, need, err = limited(t, onnxload.BatchNormFrozen, all.Total()/10)
	if err != nil {
		t.Fatal(err)
	}
	if need.Total() > all.Total()/10 || need.Examples >= 64 {
		t.Errorf("got %+v of %+v, want a tenth, some examples at a time", need, all)
	}
	for i, values := range got {
		for k, v := range values {
			if d := math.Abs(float64(v - want[i][k])); d > 1e-5 {
				t.Fatalf("parameter %d: got %v, want %v", i, v, want[i][k])
			}
		}
	}
	if _, _, err = limited(t, onnxload.BatchNormFrozen, 1000); err == nil {
		t.Error("got no error for 1000 bytes")
	}
}

// endless is the first example over and over again.
type endless struct {
	*examples
	n int
}

func (e endless) Len() int { return e.n }
func (e endless) Example(_ int, in [][]float32, target []float32) error {
	return e.examples.Example(0, in, target)
}

// A batch that no machine has the memory for is an error before anything runs.
func TestBatchTooLarge(t *testing.T) {
	if _, known := availableMemory(); !known {
		t.Skip("this system does not tell how much memory is available")
	}
	one := labelled(1, 3, 6)
	one.target, one.y = data.Target{Shape: []int{3}}, [][]float32{{1, 2, 3}}
	const batch = 1 << 20
	l, err := data.NewLoader(endless{one, 2 * batch}, data.LoaderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	deep, last := newDraft().input("x", -1, 6).dense("in", "x", 6, 1024), "in"
	for i := range 400 { // 4 GB each
		next := strconv.Itoa(i)
		deep.node("Sigmoid", next, last)
		last = next
	}
	cfg := DefaultConfig()
	cfg.Batch = batch
	_, err = Run(t.Context(), deep.dense("out", last, 1024, 3).output("out", -1, 3).model(t), l, nil, cfg)
	if e, ok := errors.AsType[*MemoryError](err); !ok || e.Asked || e.Examples != batch || e.Pass < 400<<32 {
		t.Errorf("got %v, want a MemoryError", err)
	}
}

func TestMemoryCheck(t *testing.T) {
	huge := Memory{Training: 1 << 60, Pass: 1 << 40, Examples: 7}
	if _, known := availableMemory(); known {
		e, ok := errors.AsType[*MemoryError](huge.check(0))
		if !ok || e.Asked {
			t.Errorf("got %v, want an error for more than any machine has", e)
		}
	}
	want := "the run needs 3.0 GB of memory, and 20.0 MB are allowed: 3.0 GB for what is computed of 9 examples at once"
	if err := (Memory{Pass: 3e9, Examples: 9}).check(2e7); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestAvailableMemory(t *testing.T) {
	if n, ok := availableOnMachine("MemTotal: 100 kB\nMemAvailable:   70 kB\nSwapFree: 2 kB\n"); n != 72<<10 || !ok {
		t.Errorf("got %d, %v, want 72 KiB", n, ok)
	}
	if _, ok := availableOnMachine(""); ok {
		t.Error("got a number where there is no such file")
	}
	for _, test := range []struct {
		limit string
		want  int64
		ok    bool
	}{
		{"1000\n", 450, true}, {"500\n", 0, true}, {"max\n", 0, false}, {"9223372036854771712\n", 0, false}, {"", 0, false},
	} {
		n, ok := availableInGroup(test.limit, "600\n", "active_file 9\ninactive_file 50\n", "inactive_file")
		if n != test.want || ok != test.ok {
			t.Errorf("limit %q: got %d, %v, want %d, %v", test.limit, n, ok, test.want, test.ok)
		}
	}
}
