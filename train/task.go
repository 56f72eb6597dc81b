package train

import (
	"fmt"
	"slices"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"finetune/internal/op"
	"finetune/onnxload"
	"finetune/train/data"
)

// Loss is what training makes small.
type Loss string

// The losses.
const (
	// Auto is CrossEntropy where the data has class labels, else MSE.
	Auto Loss = ""
	// CrossEntropy is −log softmax(scores)[label], averaged over the examples.
	// A model that ends in Softmax, LogSoftmax or Sigmoid is trained through the
	// scores before it. A single score s stands for the two classes (0, s),
	// which makes it the binary cross-entropy of sigmoid(s); several sigmoids
	// are trained as one softmax, since an example has one label. The classes
	// lie along the axis of the softmax, else along the last axis or the second,
	// where that leaves a row of scores for each label.
	CrossEntropy Loss = "cross-entropy"
	// MSE is the mean of (output − target)² over all elements.
	MSE Loss = "mse"
)

// task is what a model is asked to learn: one of its outputs, and how that is
// held against the targets of the data.
type task struct {
	loss    Loss
	output  int // index into Model.Outputs, or firstOfFloats
	perItem int // targets of one example
}

// firstOfFloats stands for the first output that has floats: models that tell the
// class as well as the scores may put the class first.
const firstOfFloats = -1

// newTask chooses what to learn from the data and the names that were asked for.
func newTask(m *onnxload.Model, target data.Target, loss Loss, output string) (task, error) {
	t := task{loss: loss, perItem: target.Size()}
	switch {
	case loss == Auto && target.Labels:
		t.loss = CrossEntropy
	case loss == Auto:
		t.loss = MSE
	case loss == CrossEntropy && !target.Labels:
		return t, fmt.Errorf("cross-entropy needs class labels, but the targets of the data are numbers")
	case loss != CrossEntropy && loss != MSE:
		return t, fmt.Errorf("unknown loss %q, want %q or %q", loss, CrossEntropy, MSE)
	}
	if output == "" {
		t.output = firstOfFloats
		return t, nil
	}
	var names []string
	for i, o := range m.Outputs {
		if o.Name == output {
			t.output = i
			return t, nil
		}
		names = append(names, o.Name)
	}
	return t, fmt.Errorf("the model has no output %q; it has %q", output, names)
}

// String describes the task for messages.
func (t task) String() string {
	return fmt.Sprintf("%s of %d per example", t.loss, t.perItem)
}

// head is the end of a graph: the loss and what it was computed from.
type head struct {
	loss    *G.Node // scalar
	scores  *G.Node // cross-entropy: (rows, classes)
	output  *G.Node // what is held against the targets: scores, or numbers
	target  *G.Node // leaf
	classes int     // 0 for MSE
}

// attach adds the loss to a lowered model that takes batch examples at a time.
// Cross-entropy is of the scores divided by temperature.
func (t task) attach(p *onnxload.Program, batch int, temperature float64) (h head, err error) {
	if t.output == firstOfFloats {
		t.output = max(0, slices.IndexFunc(p.Outputs, func(out onnxload.Port) bool { return out.DType.IsFloat() }))
	}
	if t.loss == MSE {
		h, err = t.attachMSE(p, batch)
	} else {
		h, err = t.attachCrossEntropy(p, batch, temperature)
	}
	if err != nil {
		return h, err
	}
	G.WithName("loss")(h.loss)
	return h, nil
}

func (t task) attachCrossEntropy(p *onnxload.Program, batch int, temperature float64) (head, error) {
	out := p.Outputs[t.output]
	rows := batch * t.perItem
	axis := classAxis(out, rows)
	if axis < 0 {
		return head{}, t.misfit(out, batch)
	}
	scores, err := classesLast(out.Logits, axis, rows)
	if err != nil {
		return head{}, err
	}
	if scores.Shape()[1] == 1 {
		zero := op.Input(p.Graph, "loss/zero", tensor.Float32, rows, 1)
		p.Bind[zero] = op.NewBuffer(tensor.Float32, rows)
		if scores, err = op.Concat(1, zero, scores); err != nil {
			return head{}, err
		}
	}
	h := head{scores: scores, output: scores, classes: scores.Shape()[1], target: op.Input(p.Graph, "loss/labels", tensor.Int64, rows)}
	if temperature != 1 {
		sharpness := op.Input(p.Graph, "loss/sharpness", tensor.Float32, 1)
		p.Bind[sharpness] = op.Buffer{F: []float32{float32(1 / temperature)}}
		if scores, err = op.Mul(scores, sharpness); err != nil {
			return h, err
		}
	}
	h.loss, err = op.CrossEntropy(scores, h.target)
	return h, err
}

// classAxis is the axis of an output that runs over the classes: the one that a
// final softmax normalises, else the last or, as images have it, the second,
// whichever leaves one row of scores per label. It is -1 where none does, and
// the rank where each label has a single score.
func classAxis(out onnxload.Port, rows int) int {
	size := product(out.Shape)
	if size == rows {
		return len(out.Shape)
	}
	for _, axis := range []int{out.Axis, len(out.Shape) - 1, 1} {
		if axis >= 0 && axis < len(out.Shape) && out.Shape[axis]*rows == size {
			return axis
		}
	}
	return -1
}

// classesLast brings scores to the shape (rows, classes).
func classesLast(scores *G.Node, axis, rows int) (*G.Node, error) {
	shape := scores.Shape()
	if after := product(shape[min(axis+1, len(shape)):]); after > 1 {
		perm := make([]int, 0, len(shape))
		for i := range shape {
			if i != axis {
				perm = append(perm, i)
			}
		}
		var err error
		if scores, err = op.Transpose(scores, append(perm, axis)); err != nil {
			return nil, err
		}
	}
	return op.Reshape(scores, rows, product(shape)/rows)
}

func (t task) attachMSE(p *onnxload.Program, batch int) (head, error) {
	out := p.Outputs[t.output]
	shape := out.Node.Shape()
	if shape.TotalSize() != batch*t.perItem {
		return head{}, t.misfit(out, batch)
	}
	h := head{output: out.Node, target: op.Input(p.Graph, "loss/target", tensor.Float32, shape...)}
	var err error
	h.loss, err = op.MSE(out.Node, h.target)
	return h, err
}

// TargetError is data whose targets do not go with the model's output.
type TargetError struct {
	Where    string // the first example: a file, and a row or record
	Output   string // of the model
	Shape    []int  // that it has for so many Examples
	Examples int
	Labels   bool // the targets are labels, each to be held against a list of scores
	Targets  int  // of one example
}

// Error says what was expected and what was found.
func (e *TargetError) Error() string {
	if e.Labels {
		return fmt.Sprintf("%s: expected an output of the model with a list of scores for each of the %d labels of an example, found %q with the shape %s for %d examples",
			e.Where, e.Targets, e.Output, shapeText(e.Shape), e.Examples)
	}
	return fmt.Sprintf("%s: expected %d target values, as the model's output %q has the shape %s for %d examples, found %d",
		e.Where, product(e.Shape)/e.Examples, e.Output, shapeText(e.Shape), e.Examples, e.Targets)
}

// misfit is the error for an output, lowered for a batch, that t cannot learn.
func (t task) misfit(out onnxload.Port, batch int) error {
	return &TargetError{Output: out.Name, Shape: out.Shape, Examples: batch, Labels: t.loss == CrossEntropy, Targets: t.perItem}
}
