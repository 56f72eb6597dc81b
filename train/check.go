package train

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	G "gorgonia.org/gorgonia"

	"finetune/internal/engine"
	"finetune/internal/op"
	"finetune/onnxload"
	"finetune/optim"
)

// CheckConfig says what Check tries. The zero value tries defaults.
type CheckConfig struct {
	Batch  int            // examples at once; 0 is 2
	Dims   map[string]int // sizes of open dimensions; others get the first of a few sizes that the model takes
	Output string         // of the model, to be trained; "" is the first of floats
	Loss   Loss           // Auto is CrossEntropy for an output that is a softmax, else MSE
	Seed   uint64         // of the random numbers

	// Observe, if set, is told what is being done: a few words, and how much of
	// how much is done.
	Observe func(what string, done, of int)
}

// trial is a Check at work.
type trial struct {
	cfg    CheckConfig
	model  *onnxload.Model
	report *Report
	random *rand.Rand

	prog    *onnxload.Program
	bind    map[*G.Node]op.Buffer
	head    head
	trained []*optim.Param
	values  map[*optim.Param][]float32 // at the start, of those that are moved
	machine *engine.Machine            // computes the outputs, the loss and the gradients
	judge   *engine.Machine            // the loss, and what it is computed from

	slopeError float64
}

// Check finds out whether a model can be trained, without data: it lowers the
// model, runs it on random numbers, compares gradients of each of its operators
// with differences, and takes a step of training. m is as before when Check
// returns. The error is ctx's; all that is wrong with the model is in the report.
func Check(ctx context.Context, m *onnxload.Model, cfg CheckConfig) (*Report, error) {
	fills := *m // a copy, of which inputs can be filled
	t := &trial{cfg: cfg, model: &fills, report: &Report{}, random: rand.New(rand.NewPCG(cfg.Seed, 1)), values: map[*optim.Param][]float32{}}
	defer t.preserve()()
	for _, phase := range []struct {
		what string
		do   func(context.Context) error
	}{
		{"reading the graph", t.lower},
		{"following parameters", t.attach},
		{"computing outputs and gradients", t.forward},
		{"comparing gradients", t.compare},
		{"taking a step", t.step},
	} {
		t.tell(phase.what, 0, 0)
		if err := phase.do(ctx); err != nil {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			t.fail(err)
		}
		if len(t.report.Problems) > 0 {
			break
		}
	}
	t.report.Trainable = len(t.report.Problems) == 0
	if t.report.Parameters == nil {
		t.listParams(nil)
	}
	return t.report, nil
}

// preserve notes what a trial changes of the parameters, and returns what puts it
// back.
func (t *trial) preserve() func() {
	before := make([]optim.Param, len(t.model.Params))
	for i, p := range t.model.Params {
		before[i] = *p
	}
	return func() {
		t.restore()
		for i, p := range t.model.Params {
			p.Trainable, p.Grad = before[i].Trainable, before[i].Grad
		}
	}
}

// restore gives the parameters the values that they had at the start.
func (t *trial) restore() {
	for p, values := range t.values {
		copy(p.Value, values)
	}
}

func (t *trial) tell(what string, done, of int) {
	if t.cfg.Observe != nil {
		t.cfg.Observe(what, done, of)
	}
}

func (t *trial) note(format string, args ...any) {
	t.report.Notes = append(t.report.Notes, fmt.Sprintf(format, args...))
}

// fail makes problems of an error.
func (t *trial) fail(err error) {
	t.report.Problems = append(t.report.Problems, t.problems(err)...)
}

func (t *trial) problems(err error) []Problem {
	var list []Problem
	for _, n := range onnxload.Blocking(err) {
		list = append(list, Problem{Node: n.Node, Op: qualified(n.Domain, n.Op), Opset: n.Opset, Reason: n.Reason, Hint: t.hint(n)})
	}
	if list == nil {
		list = []Problem{{Reason: t.text(err)}}
	}
	return list
}

// text is what an error says, without the name of the file.
func (t *trial) text(err error) string { return strings.TrimPrefix(err.Error(), t.model.Path+": ") }

// qualified is the name of an operator with its domain, unless that is ONNX's own.
func qualified(domain, op string) string {
	if domain == "" {
		return op
	}
	return domain + "." + op
}

// forward computes the outputs, the loss and the gradients on random numbers, and
// holds all gradients together against differences. Where that comes to nothing,
// because of the logarithm of a negative number, say, or gates that are shut by
// large ones, inputs are drawn from another distribution.
func (t *trial) forward(ctx context.Context) error {
	for _, draw := range distributions {
		t.drawInputs(draw)
		if err := t.drawTarget(ctx); err != nil {
			return err
		}
		if err := t.machine.Run(ctx); err != nil {
			return err
		}
		if !t.finite() {
			continue
		}
		slope, err := t.slope(ctx)
		if err != nil {
			return err
		}
		if t.slopeError = slope; slope <= mostSlopeError {
			break
		}
	}
	t.listOutputs()
	switch {
	case !t.finite():
		return t.blame(ctx)
	case math.IsInf(t.slopeError, 1):
		return errors.New("all gradients are zero on random inputs")
	case t.slopeError > mostSlopeError:
		return fmt.Errorf("the loss changes along the gradient by another rate than the gradient says: off by %.2g", t.slopeError)
	}
	return nil
}

// rounds reports whether the model rounds what is trained or computed, as quantized
// ones do.
func (t *trial) rounds() bool {
	return slices.ContainsFunc(t.model.Nodes, (*onnxload.Node).StraightThrough)
}

// listOutputs reports the outputs of the last run.
func (t *trial) listOutputs() {
	for _, out := range t.prog.Outputs {
		if !out.DType.IsFloat() {
			continue
		}
		values := t.machine.Buffer(out.Node).F
		o := OutputReport{Name: out.Name, Shape: out.Shape}
		if len(values) > 0 && optim.Finite(values) {
			o.Least, o.Most = float64(slices.Min(values)), float64(slices.Max(values))
		}
		t.report.Outputs = append(t.report.Outputs, o)
	}
}

// blame makes a problem of the first node with a result that is not finite.
func (t *trial) blame(ctx context.Context) error {
	n, err := t.machine.FirstNonFinite(ctx)
	if err != nil {
		return err
	}
	p := Problem{Reason: "the loss or a gradient is not finite on random inputs"}
	if n != nil {
		p.Node, p.Reason = t.prog.NodeName(n), "it is the first to make a number that is not finite, on random inputs"
		if origin := t.prog.Origin(n); origin != nil {
			p.Op, p.Opset = qualified(origin.Domain, origin.Op), origin.Opset
		}
	}
	t.report.Problems = append(t.report.Problems, p)
	return nil
}
