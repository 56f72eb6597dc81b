package engine

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"finetune/internal/op"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// What a step costs besides its kernels.
func BenchmarkDispatch(b *testing.B) {
	g := G.NewGraph()
	x := op.Input(g, "x", tensor.Float32, 1)
	for range 1000 {
		x = node(op.Op{Name: "Nothing", Shape: x.Shape(), Dtype: tensor.Float32, InPlace: op.First, Run: func(*op.Call) error { return nil }}, x)
	}
	m, err := Compile([]*G.Node{x}, nil)
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	for b.Loop() {
		if err := m.Run(ctx); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/node")
}

func skipUnderRace(t *testing.T) {
	t.Helper()
	if raceDetector {
		t.Skip("allocations cannot be counted under the race detector")
	}
}

func TestRunDoesNotAllocate(t *testing.T) {
	skipUnderRace(t)
	n := newNet(t)
	m := compile(t, n.bind(), append(backprop(t, n.y, n.w1, n.w2), n.y)...)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if got := testing.AllocsPerRun(20, func() {
		if err := m.Run(ctx); err != nil {
			t.Fatal(err)
		}
	}); got != 0 {
		t.Errorf("got %v allocations per run, want 0", got)
	}
	m.StartProfile()
	if got := testing.AllocsPerRun(20, func() {
		if err := m.Run(ctx); err != nil {
			t.Fatal(err)
		}
	}); got != 0 {
		t.Errorf("got %v allocations per timed run, want 0", got)
	}
}

// Training and evaluation are two machines over the same weights.
func TestMachinesShareStorage(t *testing.T) {
	n := newNet(t)
	bind := n.bind()
	grads := backprop(t, n.y, n.w1)
	grad := op.Buffer{F: make([]float32, 15)}
	bind[grads[0]] = grad
	train := compile(t, bind, n.y, grads[0])
	eval := compile(t, bind, n.y)
	run(t, train)
	before := train.Buffer(n.y).F[0]
	if slices.Max(grad.F) == 0 && slices.Min(grad.F) == 0 {
		t.Fatal("got no gradient in the bound storage")
	}
	for i, d := range grad.F {
		bind[n.w1].F[i] -= 0.01 * d
	}
	run(t, eval)
	run(t, train)
	after := eval.Buffer(n.y).F[0]
	if after >= before {
		t.Errorf("got cost %v after a step, want less than %v", after, before)
	}
	if got := train.Buffer(n.y).F[0]; got != after {
		t.Errorf("got cost %v by training's machine, want %v", got, after)
	}
	if &train.Buffer(n.y).F[0] == &eval.Buffer(n.y).F[0] {
		t.Error("both machines write their outputs to the same place")
	}
}

func TestCompileErrors(t *testing.T) {
	n := newNet(t)
	bytes := op.Input(n.g, "bytes", tensor.Uint8, 2)
	stock := G.Must(G.Tanh(n.x))
	ints := op.Input(n.g, "ints", tensor.Int64, 2)
	for _, c := range []struct {
		out  *G.Node
		bind map[*G.Node]op.Buffer
		want string
	}{
		{n.y, map[*G.Node]op.Buffer{n.w1: {F: make([]float32, 14)}}, `"w1": bound to 14 float32`},
		{n.y, map[*G.Node]op.Buffer{n.w1: {I: make([]int64, 15)}}, `"w1": bound to 0 float32 and 15 int64`},
		{ints, map[*G.Node]op.Buffer{ints: {F: make([]float32, 2)}}, `"ints": bound to 2 float32`},
		{bytes, nil, "no storage for elements of uint8"},
		{stock, nil, "not one of package op"},
	} {
		_, err := Compile([]*G.Node{c.out}, c.bind)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got error %v, want one with %q", err, c.want)
		}
	}
}

func TestRunErrors(t *testing.T) {
	g := G.NewGraph()
	x := op.Input(g, "x", tensor.Float32, 2)
	var fail func() error
	y := node(op.Op{Name: "Odd", Shape: x.Shape(), Dtype: tensor.Float32, Run: func(*op.Call) error { return fail() }}, x)
	G.WithName("/layer1/odd")(y)
	m := compile(t, nil, y)

	cause := errors.New("label 99 out of range")
	fail = func() error { return cause }
	err := m.RunAll()
	var opErr *OpError
	if !errors.As(err, &opErr) || !errors.Is(err, cause) || opErr.ID != y.ID() {
		t.Fatalf("got error %#v, want an OpError around %v", err, cause)
	}
	if got, want := err.Error(), `node "/layer1/odd" (Odd): label 99 out of range`; got != want {
		t.Errorf("got %q, want %q", got, want)
	}

	fail = func() error { panic("oh no") }
	if got, want := m.RunAll().Error(), `node "/layer1/odd" (Odd): panic: oh no`; got != want {
		t.Errorf("got %q, want %q", got, want)
	}

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	calls := 0
	fail = func() error { calls++; return nil }
	if err := m.Run(ctx); !errors.Is(err, context.Canceled) || calls != 0 {
		t.Errorf("got error %v and %d calls, want %v and none", err, calls, context.Canceled)
	}
	if err := m.RunAll(); err != nil || calls != 1 {
		t.Errorf("got error %v and %d calls, want none and 1", err, calls)
	}
}

func TestBuffer(t *testing.T) {
	n := newNet(t)
	unused := op.Input(n.g, "unused", tensor.Float32, 3)
	m := compile(t, nil, n.y, nil)
	if got := m.Buffer(n.x).Len(); got != 12 {
		t.Errorf("got %d elements for x, want 12", got)
	}
	if got := m.Buffer(unused).Len(); got != 0 {
		t.Errorf("got %d elements for an unused leaf, want 0", got)
	}
	defer func() {
		if r := recover(); r == nil {
			t.Error("got no panic for a value in between")
		}
	}()
	m.Buffer(tanh(n.x))
}

func TestStepReachesOperations(t *testing.T) {
	g := G.NewGraph()
	x := op.Input(g, "x", tensor.Float32, 1)
	y := node(op.Op{Name: "Step", Shape: x.Shape(), Dtype: tensor.Float32, Run: func(c *op.Call) error {
		c.Out.F[0] = float32(c.Step)
		return nil
	}}, x)
	m := compile(t, nil, y)
	for _, want := range []float32{0, 7} {
		m.SetStep(uint64(want))
		run(t, m)
		if got := m.Buffer(y).F[0]; got != want {
			t.Errorf("got step %v, want %v", got, want)
		}
	}
}
