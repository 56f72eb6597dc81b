package data

import (
	"fmt"
	"math"
	"slices"
	"testing"
)

// numbers is a source of n examples in memory: value k of example i is i + k/100,
// its label is i % 3.
type numbers struct {
	n      int
	fields []Field
	fail   map[int]bool
}

func (s numbers) Len() int           { return s.n }
func (s numbers) Inputs() []Field    { return s.fields }
func (s numbers) Target() Target     { return Target{Labels: true, Classes: 3} }
func (s numbers) Where(i int) string { return fmt.Sprintf("example %d", i) }
func (s numbers) Example(i int, in [][]float32, target []float32) error {
	if s.fail[i] {
		return fmt.Errorf("%s is broken", s.Where(i))
	}
	for f := range in {
		if in[f] == nil {
			continue
		}
		for k := range s.fields[f].Size() {
			in[f][k] = float32(i) + float32(k)/100
		}
	}
	if target != nil {
		target[0] = float32(i % 3)
	}
	return nil
}

func TestLoaderScales(t *testing.T) {
	image := Field{Name: "image", Shape: []int{1, 2, 3}, Image: true, Integer: true}
	features := Field{Name: "features", Shape: []int{2}}
	planes := Field{Name: "planes", Shape: []int{2, 1, 2}}
	mean, std := []float64{1, 2, 3}, []float64{1, 2, 4}
	for _, c := range []struct {
		name  string
		field Field
		opt   LoaderOptions
		shape []int
		want  []float64 // of example 7
	}{
		{"as it is", image, LoaderOptions{NHWC: true}, []int{1, 2, 3}, []float64{7, 7.01, 7.02, 7.03, 7.04, 7.05}},
		{"channels first", image, LoaderOptions{}, []int{3, 1, 2}, []float64{7, 7.03, 7.01, 7.04, 7.02, 7.05}},
		{"scale", image, LoaderOptions{Scale: 2, NHWC: true}, []int{1, 2, 3}, []float64{14, 14.02, 14.04, 14.06, 14.08, 14.1}},
		{"one mean and std", image, LoaderOptions{Scale: 2, Mean: []float64{4}, Std: []float64{0.5}}, []int{3, 1, 2}, []float64{20, 20.12, 20.04, 20.16, 20.08, 20.2}},
		{"per channel", image, LoaderOptions{Mean: mean, Std: std}, []int{3, 1, 2}, []float64{6, 6.03, 2.505, 2.52, 1.005, 1.0125}},
		{"per channel, last", image, LoaderOptions{Mean: mean, Std: std, NHWC: true}, []int{1, 2, 3}, []float64{6, 2.505, 1.005, 6.03, 2.52, 1.0125}},
		{"mean per channel, one std", image, LoaderOptions{Mean: mean, Std: []float64{2}, NHWC: true}, []int{1, 2, 3}, []float64{3, 2.505, 2.01, 3.015, 2.52, 2.025}},
		{"features", features, LoaderOptions{Mean: []float64{7, 0}, Std: []float64{1, 7.01}}, []int{2}, []float64{0, 1}},
		{"first axis", planes, LoaderOptions{Mean: []float64{7, 0}}, []int{2, 1, 2}, []float64{0, 0.01, 7.02, 7.03}},
		{"last axis", planes, LoaderOptions{Mean: []float64{7, 0}, NHWC: true}, []int{2, 1, 2}, []float64{0, 7.01, 0.02, 7.03}},
		{"integer input", image, LoaderOptions{Scale: 2, Mean: []float64{4}, Integer: []bool{true}, NHWC: true}, []int{1, 2, 3}, []float64{7, 7.01, 7.02, 7.03, 7.04, 7.05}},
	} {
		l, err := NewLoader(numbers{n: 10, fields: []Field{c.field}}, c.opt)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		size := c.field.Size()
		in := [][]float32{make([]float32, 3*size)}
		in[0][2*size] = -5 // past the batch
		target := make([]float32, 2)
		if err := l.Fill([]int{9, 7}, in, target); err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		for k, want := range c.want {
			if got := in[0][size+k]; math.Abs(float64(got)-want) > 1e-5 {
				t.Errorf("%s: got %v, want %v", c.name, in[0][size:2*size], c.want)
				break
			}
		}
		if in[0][2*size] != -5 {
			t.Errorf("%s: got %v written past the batch", c.name, in[0][2*size])
		}
		if !slices.Equal(target, []float32{0, 1}) {
			t.Errorf("%s: got labels %v, want 0, 1", c.name, target)
		}
		if got := l.Inputs()[0].Shape; !slices.Equal(got, c.shape) {
			t.Errorf("%s: got shape %v, want %v", c.name, got, c.shape)
		}
	}
}

func TestLoaderBad(t *testing.T) {
	src := numbers{n: 3, fields: []Field{{Name: "u", Shape: []int{2}}}}
	for _, c := range []struct {
		name string
		opt  LoaderOptions
		want []string
	}{
		{"mean", LoaderOptions{Mean: []float64{1, 2, 3}}, []string{"mean", `"u"`, "found 3"}},
		{"std", LoaderOptions{Std: []float64{1, 2, 3}}, []string{"std", `"u"`, "found 3"}},
		{"zero std", LoaderOptions{Std: []float64{1, 0}}, []string{"std", "[1 0]"}},
		{"NaN", LoaderOptions{Mean: []float64{math.NaN()}}, []string{"mean", "NaN"}},
		{"scale", LoaderOptions{Scale: math.Inf(1)}, []string{"scale", "Inf"}},
		{"integer", LoaderOptions{Integer: []bool{true}}, []string{`"u"`, "whole numbers"}},
	} {
		_, err := NewLoader(src, c.opt)
		wantError(t, c.name, err, c.want...)
	}
}

// A large batch is filled by several goroutines: the result and the error are
// those of one.
func TestLoaderParallel(t *testing.T) {
	src := numbers{n: 500, fields: []Field{
		{Name: "a", Shape: []int{8, 8, 3}, Image: true},
		{Name: "b", Shape: []int{4}},
		{Name: "c", Shape: []int{2, 2, 2}, Image: true},
	}}
	l, err := NewLoader(src, LoaderOptions{Scale: 0.5})
	if err != nil {
		t.Fatal(err)
	}
	order := Order(src.n, 1, 0)
	buffers := func(n int) [][]float32 {
		return [][]float32{make([]float32, n*192), make([]float32, n*4), make([]float32, n*8)}
	}
	whole, labels := buffers(src.n), make([]float32, src.n)
	if err := l.Fill(order, whole, labels); err != nil {
		t.Fatal(err)
	}
	for at, i := range order {
		one, label := buffers(1), make([]float32, 1)
		if err := l.Fill([]int{i}, one, label); err != nil {
			t.Fatal(err)
		}
		for k, n := range []int{192, 4, 8} {
			if !slices.Equal(whole[k][at*n:(at+1)*n], one[k]) {
				t.Fatalf("example %d, input %d: got other values in a large batch than alone", i, k)
			}
		}
		if labels[at] != label[0] {
			t.Fatalf("example %d: got label %v, want %v", i, labels[at], label[0])
		}
	}

	only := [][]float32{nil, make([]float32, src.n*4), nil}
	if err := l.Fill(order, only, nil); err != nil || !slices.Equal(only[1], whole[1]) {
		t.Errorf("one input of three: got %v, or other values", err)
	}

	src.fail = map[int]bool{order[20]: true, order[21]: true, order[400]: true}
	if l, err = NewLoader(src, LoaderOptions{}); err != nil {
		t.Fatal(err)
	}
	for range 20 {
		wantError(t, "broken", l.Fill(order, whole, labels), fmt.Sprintf("example %d is broken", order[20]))
	}
}

func BenchmarkFillBytes(b *testing.B) {
	n := 256
	x := &array{place: "x", shape: []int{n, 28, 28}, elem: elem{kind: 'u', size: 1}, raw: ramp(n * 784)}
	y := &array{place: "y", shape: []int{n}, elem: elem{kind: 'u', size: 1}, raw: make([]byte, n)}
	src, err := newArrays([]*array{x}, []string{"image"}, y, Options{})
	if err != nil {
		b.Fatal(err)
	}
	l, err := NewLoader(src, LoaderOptions{Scale: 1.0 / 255})
	if err != nil {
		b.Fatal(err)
	}
	order := Order(n, 1, 0)[:64]
	in, target := [][]float32{make([]float32, 64*784)}, make([]float32, 64)
	b.SetBytes(64 * 784)
	b.ReportAllocs()
	for b.Loop() {
		if err := l.Fill(order, in, target); err != nil {
			b.Fatal(err)
		}
	}
}
