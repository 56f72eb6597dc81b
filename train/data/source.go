// Package data reads datasets: folders of images, idx files (MNIST), CIFAR-10
// binaries, CSV tables and NumPy arrays.
//
// Open looks at what lies under a path and returns a Source: numbered examples,
// each with its inputs and its target, as they are in the file. Split holds a
// part of them back for validation, Order shuffles them anew every epoch, and a
// Loader scales them, brings images into the layout that the model wants, and
// fills the buffers of a batch:
//
//	src, err := data.Open("digits/", data.Options{Size: [2]int{28, 28}, Channels: 1})
//	training, held, err := data.Split(src, 0.1, seed)
//	loader, err := data.NewLoader(training, data.LoaderOptions{Scale: 1.0 / 255})
//	order := data.Order(training.Len(), seed, epoch)
//	err = loader.Fill(order[:64], inputs, target)
//
// Nothing in a file is believed before it is checked. An error says which file
// and row or record it is about, what was expected there and what was found.
package data

import (
	"fmt"
	"math"
)

// Source is a set of numbered examples. It is safe for concurrent use.
type Source interface {
	// Len is the number of examples, at least one.
	Len() int
	// Inputs says what an example consists of, one Field per input.
	Inputs() []Field
	// Target says what an example is to be taught as.
	Target() Target
	// Example writes example i: in[k] receives the Inputs()[k].Size() values of
	// input k, row-major, and target the Target().Size() values of its target.
	// A nil in[k] leaves input k out. A nil in reads the target alone, which is
	// cheap, and a nil target the inputs alone. Buffers shorter than needed and
	// an i outside of 0 ≤ i < Len() panic.
	Example(i int, in [][]float32, target []float32) error
	// Where names the place that example i was read from, for messages: a file,
	// with the line (from 1) of a table or the record (from 0) of a binary file.
	Where(i int) string
}

// Field is one input.
type Field struct {
	// Name is the array's name in an .npz file; other formats have one input,
	// called "image" or "features".
	Name string
	// Shape is that of one example, without a batch axis. Images are height,
	// width, channels, whatever the layout of the model.
	Shape []int
	// Image says that Shape is (height, width, channels) and that values are
	// 0 to 255, so that the Loader may change the layout.
	Image bool
	// Integer says that every value is a whole number below 2²⁴ in magnitude.
	// Those are exact in float32, so token numbers may travel in it.
	Integer bool
}

// Size is the number of values of one example, the product of Shape.
func (f Field) Size() int { return product(f.Shape) }

// Target is what examples are to be taught as: class labels or numbers.
type Target struct {
	// Labels says that values are class numbers from 0, else they are any
	// numbers (regression).
	Labels bool
	// Classes is one more than the largest label there is, or the number of
	// Names. The model may have more classes. It is 0 for regression.
	Classes int
	// Names are the names of the classes in the order of their numbers; nil
	// where the data has numbers only.
	Names []string
	// Shape is that of the target of one example, without a batch axis: empty
	// for one label or number, (steps) for a label per step.
	Shape []int
}

// Size is the number of values of one example's target, one if Shape is empty.
func (t Target) Size() int { return product(t.Shape) }

// label describes class c: its number, and its name if it has one.
func (t Target) label(c int) string {
	if c >= 0 && c < len(t.Names) {
		return fmt.Sprintf("%d (%s)", c, t.Names[c])
	}
	return fmt.Sprint(c)
}

// CheckLabels reports the first example whose label a model with the given
// number of classes cannot have, as a LabelError. It says nothing about
// regression targets.
func CheckLabels(src Source, classes int) error {
	target := src.Target()
	if !target.Labels || target.Classes <= classes {
		return nil
	}
	values := make([]float32, target.Size())
	for i := range src.Len() {
		if err := src.Example(i, nil, values); err != nil {
			return err
		}
		for _, v := range values {
			if c := int(v); c >= classes {
				return &LabelError{Where: src.Where(i), Label: c, Found: target.label(c), Classes: classes}
			}
		}
	}
	return nil
}

// LabelError is a label that the model has no class for.
type LabelError struct {
	Where   string // the first example that has it: a file, and a row or record
	Label   int    // counted from 0
	Found   string // the label, with its name if it has one
	Classes int    // of the model
}

// Error says what was expected and what was found.
func (e *LabelError) Error() string {
	return fmt.Sprintf("%s: expected a label from 0 to %d, as the model has %d classes, found %s",
		e.Where, e.Classes-1, e.Classes, e.Found)
}

// Integers converts labels or token numbers out of the float32 that they
// travelled in. dst is at least as long as src.
func Integers(dst []int64, src []float32) {
	dst = dst[:len(src)]
	for i, v := range src {
		dst[i] = int64(v)
	}
}

// exactIntegers is the magnitude below which float32 holds every whole number.
const exactIntegers = 1 << 24

// whole reports whether v is a whole number that float32 holds exactly.
func whole(v float64) bool {
	return v == math.Trunc(v) && math.Abs(v) < exactIntegers
}

// product of the dimensions, one if there are none. The dimensions were checked
// with volume where they came from a file.
func product(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

// volume is the product of dimensions that a file states; ok is false if one is
// negative or the product is beyond limit.
func volume(shape []int, limit int64) (n int64, ok bool) {
	n = 1
	for _, d := range shape {
		if d < 0 || (d > 0 && n > limit/int64(d)) {
			return 0, false
		}
		n *= int64(d)
	}
	return n, n <= limit
}
