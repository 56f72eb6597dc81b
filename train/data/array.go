package data

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/x448/float16"
)

// array is a block of numbers as it lay in a file, row-major, first axis first:
// a million bytes stay a million bytes until an example is read.
type array struct {
	place string // file, and the name of the array in it
	shape []int  // examples first
	elem  elem
	raw   []byte
}

// elem is an element type: u(nsigned), i(nteger), f(loat) or b(ool), its size in
// bytes, and their order.
type elem struct {
	kind  byte
	size  int
	order binary.ByteOrder
}

func (a *array) len() int           { return a.shape[0] }
func (a *array) size() int          { return product(a.shape[1:]) } // values of one example
func (a *array) where(i int) string { return fmt.Sprintf("%s: record %d", a.place, i) }
func (a *array) integral() bool     { return a.elem.kind != 'f' }

// read writes example i.
func (a *array) read(i int, dst []float32) {
	n := a.size()
	dst = dst[:n]
	raw := a.raw[i*n*a.elem.size : (i+1)*n*a.elem.size]
	if a.elem.kind == 'u' && a.elem.size == 1 {
		for k, b := range raw {
			dst[k] = float32(b)
		}
		return
	}
	number := a.elem.reader()
	for k := range dst {
		dst[k] = float32(number(raw[k*a.elem.size:]))
	}
}

// reader is how one element becomes a number.
func (e elem) reader() func(b []byte) float64 {
	switch order := e.order; {
	case e.kind == 'b':
		return func(b []byte) float64 { return float64(min(b[0], 1)) }
	case e.kind == 'u' && e.size == 1:
		return func(b []byte) float64 { return float64(b[0]) }
	case e.kind == 'u' && e.size == 2:
		return func(b []byte) float64 { return float64(order.Uint16(b)) }
	case e.kind == 'u' && e.size == 4:
		return func(b []byte) float64 { return float64(order.Uint32(b)) }
	case e.kind == 'u' && e.size == 8:
		return func(b []byte) float64 { return float64(order.Uint64(b)) }
	case e.kind == 'i' && e.size == 1:
		return func(b []byte) float64 { return float64(int8(b[0])) }
	case e.kind == 'i' && e.size == 2:
		return func(b []byte) float64 { return float64(int16(order.Uint16(b))) }
	case e.kind == 'i' && e.size == 4:
		return func(b []byte) float64 { return float64(int32(order.Uint32(b))) }
	case e.kind == 'i' && e.size == 8:
		return func(b []byte) float64 { return float64(int64(order.Uint64(b))) }
	case e.kind == 'f' && e.size == 2:
		return func(b []byte) float64 { return float64(float16.Frombits(order.Uint16(b)).Float32()) }
	case e.kind == 'f' && e.size == 4:
		return func(b []byte) float64 { return float64(math.Float32frombits(order.Uint32(b))) }
	case e.kind == 'f' && e.size == 8:
		return func(b []byte) float64 { return math.Float64frombits(order.Uint64(b)) }
	}
	panic(fmt.Sprintf("data: element type %c%d", e.kind, e.size))
}

// check reads all that is there once. It fails at a value that float32 cannot
// hold, and reports whether all are whole numbers that it holds exactly.
func (a *array) check() (integer bool, err error) {
	integer = true
	if a.integral() && a.elem.size <= 2 {
		return true, nil
	}
	number := a.elem.reader()
	for k := 0; k*a.elem.size < len(a.raw); k++ {
		v := number(a.raw[k*a.elem.size:])
		if f := float64(float32(v)); math.IsNaN(f) || math.IsInf(f, 0) {
			return false, fmt.Errorf("%s, value %d: expected a finite number in float32's range, found %v",
				a.where(k/a.size()), k%a.size(), v)
		}
		integer = integer && whole(v)
	}
	return integer, nil
}

// field describes the array as an input. Bytes of rank 3 are grey images, those
// of rank 4 that end in 1, 3 or 4 channels are images in colour; everything else
// is taken as it lies, single numbers as one feature.
func (a *array) field(name string) (Field, error) {
	integer, err := a.check()
	f := Field{Name: name, Shape: slices.Clone(a.shape[1:]), Integer: integer}
	if len(f.Shape) == 0 {
		f.Shape = []int{1}
	}
	if bytes := a.elem.kind == 'u' && a.elem.size == 1; bytes {
		switch last := a.shape[len(a.shape)-1]; {
		case len(a.shape) == 3:
			f.Image, f.Shape = true, append(f.Shape, 1)
		case len(a.shape) == 4 && (last == 1 || last == 3 || last == 4):
			f.Image = true
		}
	}
	return f, err
}

// arrays is a source over arrays of equal length.
type arrays struct {
	inputs []*array
	fields []Field
	labels *array
	target Target
	base   float32
}

// newArrays checks that inputs (named so) and labels go together.
func newArrays(inputs []*array, names []string, labels *array, opt Options) (Source, error) {
	s := &arrays{inputs: inputs, labels: labels}
	for k, a := range inputs {
		if a.len() != inputs[0].len() {
			return nil, fmt.Errorf("%s: expected %d records, as %s has, found %d", a.place, inputs[0].len(), inputs[0].place, a.len())
		}
		f, err := a.field(names[k])
		if err != nil {
			return nil, err
		}
		s.fields = append(s.fields, f)
	}
	switch n := inputs[0].len(); {
	case n == 0:
		return nil, fmt.Errorf("%s: no examples", inputs[0].place)
	case labels.len() != n:
		return nil, fmt.Errorf("%s: expected %d labels, as %s has %d records, found %d", labels.place, n, inputs[0].place, n, labels.len())
	}
	if _, err := labels.check(); err != nil {
		return nil, err
	}
	shape := slices.Clone(labels.shape[1:])
	if labels.size() > 1 && !labels.integral() {
		opt.Regression = true
	}
	var err error
	s.target, err = opt.numbered(shape, labels.len(), labels.read, labels.where)
	if err != nil {
		return nil, err
	}
	if s.target.Labels {
		s.base = float32(opt.LabelBase)
		if labels.size() == 1 {
			s.target.Shape = nil
		}
	}
	return s, nil
}

func (s *arrays) Len() int           { return s.inputs[0].len() }
func (s *arrays) Inputs() []Field    { return s.fields }
func (s *arrays) Target() Target     { return s.target }
func (s *arrays) Where(i int) string { return s.inputs[0].where(i) }

func (s *arrays) Example(i int, in [][]float32, target []float32) error {
	if in != nil {
		for k, a := range s.inputs {
			if in[k] != nil {
				a.read(i, in[k])
			}
		}
	}
	if target != nil {
		s.labels.read(i, target)
		for k := range target[:s.labels.size()] {
			target[k] -= s.base
		}
	}
	return nil
}
