package train

import (
	"fmt"
	"slices"
	"strings"

	"finetune/internal/op"
	"finetune/onnxload"
	"finetune/train/data"
)

// feeding says which field of the data goes into which input of the model.
type feeding struct {
	fields []data.Field
	field  []int          // by model input: index into fields
	dims   map[string]int // sizes of the model's open dimensions, read off the data
}

// newFeeding matches fields to inputs: by position where there is one of each,
// else by name. Shapes of examples have to agree but for axes of length one, or
// one of the two is a plain list of as many values.
func newFeeding(m *onnxload.Model, l *data.Loader) (feeding, error) {
	f := feeding{fields: l.Inputs(), dims: map[string]int{}}
	for _, in := range m.Inputs {
		k := 0
		if len(m.Inputs) > 1 || len(f.fields) > 1 {
			k = slices.IndexFunc(f.fields, func(field data.Field) bool { return field.Name == in.Name })
			if k < 0 {
				return f, &NoDataError{Input: in.Name, Fields: fieldNames(f.fields)}
			}
		}
		if err := f.match(in, f.fields[k], l.Source()); err != nil {
			return f, err
		}
		f.field = append(f.field, k)
	}
	return f, nil
}

// match checks one example of field against the input's declared shape.
func (f *feeding) match(in onnxload.Value, field data.Field, src data.Source) error {
	if in.Rank < 1 {
		return nil // not declared; lowering finds out
	}
	mismatch := &ShapeError{Where: src.Where(0), Input: in.Name, Want: exampleShape(in), Got: field.Shape}
	var want []int
	open := false
	for _, d := range in.Dims[1:] {
		want = append(want, d.Size)
		open = open || d.Size < 0
	}
	if !open {
		if !interchangeable(want, field.Shape) {
			return mismatch
		}
		return nil
	}
	if len(want) != len(field.Shape) {
		return mismatch
	}
	for i, d := range in.Dims[1:] {
		size := field.Shape[i]
		if d.Size >= 0 && d.Size != size {
			return mismatch
		}
		if d.Size >= 0 || d.Symbol == "" {
			continue
		}
		if other, given := f.dims[d.Symbol]; given && other != size {
			return fmt.Errorf("input %q: dimension %q is %d in the data, and %d elsewhere", in.Name, d.Symbol, size, other)
		}
		f.dims[d.Symbol] = size
	}
	return nil
}

// interchangeable reports whether values of one shape can be read as the other
// and keep their meaning.
func interchangeable(a, b []int) bool {
	a, b = withoutOnes(a), withoutOnes(b)
	if len(a) <= 1 || len(b) <= 1 {
		return product(a) == product(b)
	}
	return slices.Equal(a, b)
}

func withoutOnes(shape []int) []int {
	return slices.DeleteFunc(slices.Clone(shape), func(d int) bool { return d == 1 })
}

func product(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

// check compares the inputs of a lowered model with what a number of examples
// will bring.
func (f *feeding) check(inputs []onnxload.Port, examples int) error {
	for i, port := range inputs {
		field := f.fields[f.field[i]]
		if product(port.Shape) != examples*field.Size() {
			return fmt.Errorf("input %q takes %v at once, but %d examples of the data are %v each", port.Name, port.Shape, examples, field.Shape)
		}
	}
	return nil
}

// exampleShape is the declared shape without the batch axis.
func exampleShape(in onnxload.Value) []string {
	var dims []string
	for _, d := range in.Dims[1:] {
		switch {
		case d.Size >= 0:
			dims = append(dims, fmt.Sprint(d.Size))
		case d.Symbol != "":
			dims = append(dims, d.Symbol)
		default:
			dims = append(dims, "?")
		}
	}
	return dims
}

// NoDataError is an input of the model that the data has nothing for.
type NoDataError struct {
	Input  string
	Fields string // what the data has
}

// Error says what is missing and what there is.
func (e *NoDataError) Error() string {
	return fmt.Sprintf("the model's input %q has no data: there is %s", e.Input, e.Fields)
}

// ShapeError is data whose examples have another shape than the model takes.
type ShapeError struct {
	Where string   // the first example: a file, and a row or record
	Input string   // of the model
	Want  []string // its declared shape without the batch, open dimensions by name
	Got   []int
}

// Error says what was expected and what was found.
func (e *ShapeError) Error() string {
	return fmt.Sprintf("%s: expected the shape (%s) of the model's input %q, found %s",
		e.Where, strings.Join(e.Want, ", "), e.Input, shapeText(e.Got))
}

func shapeText(shape []int) string {
	return "(" + strings.Trim(strings.ReplaceAll(fmt.Sprint(shape), " ", ", "), "[]") + ")"
}

func fieldNames(fields []data.Field) string {
	var names []string
	for _, f := range fields {
		names = append(names, fmt.Sprintf("%q", f.Name))
	}
	return fmt.Sprint(names)
}

// batchBuffers is where the examples of a batch go: straight into the storage of
// the graph's leaves, or by way of a copy where those hold int64.
type batchBuffers struct {
	fields [][]float32 // by field of the data
	target []float32
	ints   []conversion
}

type conversion struct {
	dst []int64
	src []float32
}

// newBatchBuffers prepares for leaves, in the order of the model's inputs.
func (f *feeding) newBatchBuffers(leaves []op.Buffer, target op.Buffer) *batchBuffers {
	b := &batchBuffers{fields: make([][]float32, len(f.fields))}
	for i, leaf := range leaves {
		b.fields[f.field[i]] = b.floats(leaf)
	}
	b.target = b.floats(target)
	return b
}

// floats is leaf itself, or a stand-in whose values are copied into it.
func (b *batchBuffers) floats(leaf op.Buffer) []float32 {
	if leaf.I == nil {
		return leaf.F
	}
	c := conversion{dst: leaf.I, src: make([]float32, len(leaf.I))}
	b.ints = append(b.ints, c)
	return c.src
}

// fill reads the examples with the given numbers.
func (b *batchBuffers) fill(l *data.Loader, idx []int) error {
	if err := l.Fill(idx, b.fields, b.target); err != nil {
		return err
	}
	for _, c := range b.ints {
		data.Integers(c.dst, c.src)
	}
	return nil
}
