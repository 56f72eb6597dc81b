package train

import (
	"fmt"
	"slices"

	"finetune/internal/op"
	"finetune/onnxload"
	"finetune/train/data"
)

// feeding says which field of the data goes into which input of the model.
type feeding struct {
	field []int          // by model input
	dims  map[string]int // sizes of the model's open dimensions, read off the data
}

// newFeeding matches fields to inputs: by position where there is one of each,
// else by name. Shapes have to agree in the number of values of an example.
func newFeeding(m *onnxload.Model, fields []data.Field) (feeding, error) {
	f := feeding{dims: map[string]int{}}
	for _, in := range m.Inputs {
		k := 0
		if len(m.Inputs) > 1 || len(fields) > 1 {
			k = slices.IndexFunc(fields, func(field data.Field) bool { return field.Name == in.Name })
			if k < 0 {
				return f, fmt.Errorf("train: the model's input %q has no data: there is %s", in.Name, fieldNames(fields))
			}
		}
		if err := f.match(in, fields[k]); err != nil {
			return f, err
		}
		f.field = append(f.field, k)
	}
	return f, nil
}

// match checks one example of field against the input's declared shape.
func (f *feeding) match(in onnxload.Value, field data.Field) error {
	if in.Rank < 1 {
		return nil // not declared; lowering finds out
	}
	want, open := 1, 0
	for _, d := range in.Dims[1:] {
		if d.Size < 0 {
			open++
		} else {
			want *= d.Size
		}
	}
	declared := fmt.Sprintf("%v", exampleShape(in))
	switch {
	case open == 0 && want == field.Size():
		return nil
	case open > 0 && len(field.Shape) == in.Rank-1:
		for i, d := range in.Dims[1:] {
			if d.Size >= 0 && d.Size != field.Shape[i] {
				return fmt.Errorf("train: input %q takes examples of shape %s, but the data has %v", in.Name, declared, field.Shape)
			}
			if d.Size < 0 && d.Symbol != "" {
				f.dims[d.Symbol] = field.Shape[i]
			}
		}
		return nil
	default:
		return fmt.Errorf("train: input %q takes examples of shape %s, but the data has %v", in.Name, declared, field.Shape)
	}
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
func (f feeding) newBatchBuffers(fields int, leaves []op.Buffer, target op.Buffer) *batchBuffers {
	b := &batchBuffers{fields: make([][]float32, fields)}
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
