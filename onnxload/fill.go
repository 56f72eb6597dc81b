package onnxload

import (
	"fmt"
	"slices"

	"finetune/internal/op"
)

// filled is an input that Fill has made a constant.
type filled struct {
	Value
	number float64
}

// Fill makes an input a constant that has one number in all places, and takes it
// off Inputs. It is for inputs that no data is there for: a state that starts at
// zero, or a sample rate on which the shapes depend. The file is not changed. The
// number is rounded to the element type of the input.
func (m *Model) Fill(input string, number float64) error {
	i := slices.IndexFunc(m.Inputs, func(v Value) bool { return v.Name == input })
	if i < 0 {
		var names []string
		for _, in := range m.Inputs {
			names = append(names, in.Name)
		}
		return fmt.Errorf("the model has no input %q; it has %q", input, names)
	}
	m.filled = append(m.filled, filled{m.Inputs[i], number})
	m.Inputs = slices.Delete(slices.Clone(m.Inputs), i, i+1)
	return nil
}

// fill gives the filled inputs their values.
func (l *lowering) fill() error {
	for i := range l.model.filled {
		in := &l.model.filled[i]
		shape, err := l.inputShape(&in.Value)
		if err != nil {
			return fmt.Errorf("input %q: %w", in.Name, err)
		}
		dt, ok := in.DType.storage()
		if !ok {
			return fmt.Errorf("input %q: element type %s is not supported", in.Name, in.DType)
		}
		data := op.NewBuffer(dt, product(shape))
		for k := range data.F {
			data.F[k] = float32(in.number)
		}
		for k := range data.I {
			data.I[k] = int64(in.number)
		}
		l.scope.values[in.Name] = &value{name: in.Name, dtype: in.DType, shape: shape, known: true, data: data}
	}
	return nil
}
