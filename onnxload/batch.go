package onnxload

import (
	"errors"
	"fmt"
)

// leading is the leading dimension of the first input: the batch.
func (m *Model) leading() Dim {
	if len(m.Inputs) == 0 || len(m.Inputs[0].Dims) == 0 {
		return Dim{}
	}
	return m.Inputs[0].Dims[0]
}

// inputShape is the concrete shape of an input.
func (l *lowering) inputShape(in *Value) ([]int, error) {
	if in.Rank < 0 {
		return nil, errors.New("the file does not say how many dimensions it has; they must be declared")
	}
	shape := make([]int, len(in.Dims))
	for i, d := range in.Dims {
		size, err := l.inputDim(i, d)
		if err != nil {
			return nil, err
		}
		shape[i] = size
	}
	_, err := elements(shape)
	return shape, err
}

// inputDim is the concrete size of dimension i of an input. Open dimensions
// take their size from Config.Dims by their symbol, or from Config.Batch when
// they lead or carry the symbol of the batch. Declared ones stay, but for a
// leading one that is as long as the declared batch.
func (l *lowering) inputDim(i int, d Dim) (int, error) {
	batch := l.model.leading()
	switch size, given := l.cfg.Dims[d.Symbol]; {
	case d.Size > 0 && i == 0 && d.Size == batch.Size && l.cfg.Batch > 0:
		return l.cfg.Batch, nil
	case d.Size >= 0:
		return d.Size, nil
	case given && d.Symbol != "" && size < 1:
		return 0, fmt.Errorf("dimension %d (%q) is given as %d, want at least 1", i, d.Symbol, size)
	case given && d.Symbol != "":
		return size, nil
	case l.cfg.Batch > 0 && (i == 0 || d.Symbol != "" && d.Symbol == batch.Symbol):
		return l.cfg.Batch, nil
	case i == 0:
		return 0, fmt.Errorf("dimension 0 (%q) is open; a batch size is needed", d.Symbol)
	case d.Symbol == "":
		return 0, fmt.Errorf("dimension %d is open and has no name by which its size could be given", i)
	}
	return 0, fmt.Errorf("dimension %d (%q) is open; its size must be given by that name", i, d.Symbol)
}

// BatchDim is the leading dimension of the first input: the number of examples
// the file was exported for, or -1 when it leaves that open or has no input
// with a dimension.
func (m *Model) BatchDim() int {
	if len(m.Inputs) == 0 || len(m.Inputs[0].Dims) == 0 {
		return -1
	}
	return m.leading().Size
}
