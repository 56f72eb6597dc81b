package data

import (
	"fmt"
	"math"
	"slices"
	"sync"
)

// LoaderOptions say what a model wants to see. Every value x becomes
// (x·Scale − Mean) / Std.
type LoaderOptions struct {
	// Scale is what values are multiplied with first; 1/255 brings pixels to
	// 0…1. Zero means 1: values as they are in the data, 0 to 255 for pixels.
	Scale float64
	// Mean and Std have one value for all or one per channel: of an image, its
	// colours; of a list of features, each of them; of a larger array, its first
	// axis, or its last if NHWC. Empty means 0 and 1.
	Mean, Std []float64
	// NHWC hands images over as height, width, channels; the default is
	// channels, height, width.
	NHWC bool
	// Integer marks the inputs that the model reads as whole numbers, such as
	// token numbers. They are not scaled, and Field.Integer must hold.
	// Nil means none.
	Integer []bool
}

// Loader fills the buffers of a batch from a Source. It is safe for concurrent
// use.
type Loader struct {
	src      Source
	inputs   []input
	scratch  sync.Pool // *[]float32, for one example in the source's layout
	fillings sync.Pool // *filling
}

// input is how one Field becomes what the model wants: value v of the source,
// in channel c, is v·gain[c] + offset[c].
type input struct {
	Field
	shape     []int // in the model's layout
	raw       bool
	transpose bool // from height, width, channels to channels, height, width
	gain      []float64
	offset    []float64
	period    int // values after which the channel changes
}

// NewLoader checks the options against the fields of the source: their Mean and
// Std against its channels, Integer against its values.
func NewLoader(src Source, opt LoaderOptions) (*Loader, error) {
	l := &Loader{src: src}
	scratch := 0
	for k, field := range src.Inputs() {
		in := input{Field: field, shape: field.Shape}
		in.raw = k < len(opt.Integer) && opt.Integer[k]
		if in.raw && !field.Integer {
			return nil, fmt.Errorf("%s: input %q: expected whole numbers below 2^24, as the model's input is an integer, found others",
				src.Where(0), field.Name)
		}
		channels := 1
		in.period = field.Size()
		switch rank := len(field.Shape); {
		case rank == 0:
		case field.Image:
			channels, in.period = field.Shape[2], 1
			if !opt.NHWC {
				in.shape = []int{field.Shape[2], field.Shape[0], field.Shape[1]}
				in.transpose = channels > 1
			}
		case rank == 1 || opt.NHWC:
			channels, in.period = field.Shape[rank-1], 1
		default:
			channels = field.Shape[0]
			in.period = field.Size() / channels
		}
		if !in.raw {
			var err error
			if in.gain, in.offset, err = opt.affine(field.Name, channels); err != nil {
				return nil, err
			}
		}
		if len(in.gain) == 1 {
			in.period = field.Size()
		}
		if in.transpose {
			scratch = max(scratch, field.Size())
		}
		l.inputs = append(l.inputs, in)
	}
	l.scratch.New = func() any {
		buffer := make([]float32, scratch)
		return &buffer
	}
	l.fillings.New = func() any { return &filling{loader: l} }
	return l, nil
}

// affine folds Scale, Mean and Std into a gain and an offset per channel, or
// into one of each if they are the same for all; nil if they change nothing.
func (opt LoaderOptions) affine(name string, channels int) (gain, offset []float64, err error) {
	for _, list := range []struct {
		name   string
		values []float64
	}{{"mean", opt.Mean}, {"std", opt.Std}} {
		if n := len(list.values); n > 1 && n != channels {
			return nil, nil, fmt.Errorf("%s: expected one value or %d, one per channel of input %q, found %d", list.name, channels, name, n)
		}
		for _, v := range list.values {
			if math.IsNaN(v) || math.IsInf(v, 0) || (v == 0 && list.name == "std") {
				return nil, nil, fmt.Errorf("%s: expected finite values, and no std of zero, found %v", list.name, list.values)
			}
		}
	}
	scale := opt.Scale
	if scale == 0 {
		scale = 1
	}
	if math.IsNaN(scale) || math.IsInf(scale, 0) {
		return nil, nil, fmt.Errorf("scale: expected a finite number, found %v", scale)
	}
	n := max(len(opt.Mean), len(opt.Std), 1)
	if n == 1 && scale == 1 && (len(opt.Mean) == 0 || opt.Mean[0] == 0) && (len(opt.Std) == 0 || opt.Std[0] == 1) {
		return nil, nil, nil
	}
	pick := func(values []float64, c int, otherwise float64) float64 {
		switch len(values) {
		case 0:
			return otherwise
		case 1:
			return values[0]
		}
		return values[c]
	}
	for c := range n {
		std := pick(opt.Std, c, 1)
		gain = append(gain, scale/std)
		offset = append(offset, -pick(opt.Mean, c, 0)/std)
	}
	return gain, offset, nil
}

// Source is where the examples come from.
func (l *Loader) Source() Source { return l.src }

// Len is the number of examples.
func (l *Loader) Len() int { return l.src.Len() }

// Inputs are the source's fields with the shapes that Fill gives them: those of
// images in the model's layout.
func (l *Loader) Inputs() []Field {
	fields := make([]Field, len(l.inputs))
	for k, in := range l.inputs {
		fields[k] = in.Field
		fields[k].Shape = slices.Clone(in.shape)
	}
	return fields
}

// Fill reads the examples with the given numbers, in this order: in[k] receives
// input k, one example after the other, and target the targets. A buffer may be
// longer than that; its rest is left alone. A nil in[k] leaves input k out, a nil
// target reads the inputs alone.
// The error is that of the first example that has one.
func (l *Loader) Fill(idx []int, in [][]float32, target []float32) error {
	if len(in) != len(l.inputs) {
		panic(fmt.Sprintf("data: %d input buffers for %d inputs", len(in), len(l.inputs)))
	}
	f := l.fillings.Get().(*filling)
	defer l.fillings.Put(f)
	return f.run(idx, in, target)
}

// fill reads example idx[at] into its place in the batch. rows is room for one
// slice per input.
func (l *Loader) fill(idx []int, at int, in [][]float32, target []float32, rows [][]float32) error {
	var label []float32
	if target != nil {
		n := l.src.Target().Size()
		label = target[at*n : (at+1)*n]
	}
	var scratch []float32
	for k := range l.inputs {
		f := &l.inputs[k]
		n := f.Size()
		if rows[k] = nil; in[k] == nil {
			continue
		}
		rows[k] = in[k][at*n : (at+1)*n]
		if f.transpose {
			if scratch != nil {
				rows[k] = make([]float32, n) // a second image: rare
				continue
			}
			buffer := l.scratch.Get().(*[]float32)
			defer l.scratch.Put(buffer)
			scratch = *buffer
			rows[k] = scratch[:n]
		}
	}
	if err := l.src.Example(idx[at], rows, label); err != nil {
		return err
	}
	for k := range l.inputs {
		f := &l.inputs[k]
		if in[k] == nil {
			continue
		}
		n := f.Size()
		f.apply(in[k][at*n:(at+1)*n], rows[k])
	}
	return nil
}

// apply brings one example from the source's layout and scale to the model's.
// dst and src are the same slice unless the layout changes.
func (f *input) apply(dst, src []float32) {
	if f.transpose {
		channels := f.Shape[2]
		pixels := len(src) / channels
		for c := range channels {
			plane := dst[c*pixels : (c+1)*pixels]
			for p := range plane {
				plane[p] = src[p*channels+c]
			}
		}
	}
	switch {
	case f.gain == nil:
	case len(f.gain) == 1:
		scale(dst, f.gain[0], f.offset[0])
	case f.transpose:
		pixels := len(dst) / len(f.gain)
		for c := range f.gain {
			scale(dst[c*pixels:(c+1)*pixels], f.gain[c], f.offset[c])
		}
	case f.period == 1:
		for i := range dst {
			c := i % len(f.gain)
			dst[i] = float32(float64(dst[i])*f.gain[c] + f.offset[c])
		}
	default:
		for c := range f.gain {
			scale(dst[c*f.period:(c+1)*f.period], f.gain[c], f.offset[c])
		}
	}
}

// scale replaces each x by x·gain + offset, rounded once.
func scale(x []float32, gain, offset float64) {
	for i, v := range x {
		x[i] = float32(float64(v)*gain + offset)
	}
}
