package train

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"finetune/train/data"
)

// examples is a source in memory.
type examples struct {
	fields []data.Field
	target data.Target
	x      [][][]float32 // by example and input
	y      [][]float32   // by example
}

func (e *examples) Len() int             { return len(e.x) }
func (e *examples) Inputs() []data.Field { return e.fields }
func (e *examples) Target() data.Target  { return e.target }
func (e *examples) Where(i int) string   { return fmt.Sprintf("example %d", i) }
func (e *examples) Example(i int, in [][]float32, target []float32) error {
	for k := range in {
		copy(in[k], e.x[i][k])
	}
	copy(target, e.y[i])
	return nil
}

func (e *examples) loader(tb testing.TB) *data.Loader {
	tb.Helper()
	l, err := data.NewLoader(e, data.LoaderOptions{})
	if err != nil {
		tb.Fatal(err)
	}
	return l
}

// labelled draws n examples of the given shape. Those of a class lie around a
// point of their own, so that there is something to learn.
func labelled(n, classes int, shape ...int) *examples {
	e := &examples{
		fields: []data.Field{{Name: "x", Shape: shape}},
		target: data.Target{Labels: true, Classes: classes},
	}
	rng := rand.New(rand.NewPCG(3, uint64(n)))
	for i := range n {
		class := i % classes
		centre := rand.New(rand.NewPCG(5, uint64(class)))
		x := make([]float32, e.fields[0].Size())
		for k := range x {
			x[k] = float32(centre.NormFloat64() + 0.5*rng.NormFloat64())
		}
		e.x = append(e.x, [][]float32{x})
		e.y = append(e.y, []float32{float32(class)})
	}
	return e
}

// numbered draws n examples whose targets are numbers.
func numbered(n, targets int, shape ...int) *examples {
	e := labelled(n, 1, shape...)
	e.target = data.Target{Shape: []int{targets}}
	rng := rand.New(rand.NewPCG(4, uint64(n)))
	for i := range e.y {
		e.y[i] = make([]float32, targets)
		for k := range e.y[i] {
			e.y[i][k] = float32(rng.NormFloat64())
		}
	}
	return e
}
