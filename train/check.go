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

// Report is what Check found.
type Report struct {
	Trainable bool      `json:"trainable"`
	Problems  []Problem `json:"problems,omitempty"` // why not
	Notes     []string  `json:"notes,omitempty"`    // what else there is to know

	Batch  int                `json:"batch,omitempty"` // that was tried
	Dims   map[string]int     `json:"dims,omitempty"`  // sizes that open dimensions were given
	Fill   map[string]float64 `json:"fill,omitempty"`  // inputs that no data can give, and what they were held at
	Output string             `json:"output,omitempty"`
	Loss   Loss               `json:"loss,omitempty"`

	Inputs     []InputReport    `json:"inputs,omitempty"`
	Outputs    []OutputReport   `json:"outputs,omitempty"` // of a forward pass
	Parameters []ParamReport    `json:"parameters,omitempty"`
	Gradients  []GradientReport `json:"gradients,omitempty"` // by operator
	Step       *StepReport      `json:"step,omitempty"`
}

// Problem is a reason why a model cannot be trained: a node's, or the model's.
type Problem struct {
	Node   string `json:"node,omitempty"`
	Op     string `json:"op,omitempty"` // with its domain, unless that is ONNX's own
	Opset  int64  `json:"opset,omitempty"`
	Reason string `json:"reason"`
	Hint   string `json:"hint,omitempty"` // what would help
}

// InputReport is an input and the random numbers it was given.
type InputReport struct {
	Name   string `json:"name"`
	DType  string `json:"dtype"`
	Shape  []int  `json:"shape"`
	Values string `json:"values"`
}

// OutputReport is an output of floats.
type OutputReport struct {
	Name  string  `json:"name"`
	Shape []int   `json:"shape"`
	Least float64 `json:"least"`
	Most  float64 `json:"most"`
}

// ParamReport says whether a parameter is trained.
type ParamReport struct {
	Name     string     `json:"name"`
	Role     optim.Role `json:"role"`
	Elements int        `json:"elements"`
	Trained  bool       `json:"trained"`
	Reason   string     `json:"reason,omitempty"` // why not
	// Outputs are those of the model that could train it, where the chosen one
	// does not.
	Outputs []string `json:"outputs,omitempty"`
}

// GradientReport compares gradients of one node of each operator with central
// differences.
type GradientReport struct {
	Op       string  `json:"op"`    // with its domain, unless that is ONNX's own
	Nodes    int     `json:"nodes"` // of this operator, with a gradient
	Node     string  `json:"node"`  // the one that was looked at
	Elements int     `json:"elements"`
	Error    float64 `json:"error"`  // largest, as a share of the largest gradient
	Beyond   float64 `json:"beyond"` // what of it rounding does not explain
	Reason   string  `json:"reason,omitempty"`
}

// StepReport is a step of AdamW on random data.
type StepReport struct {
	Before float64 `json:"loss_before"`
	After  float64 `json:"loss_after"`
	Moved  int     `json:"moved"` // parameters that changed
	// Slope is how far the loss, along the gradient of all parameters, is from
	// falling as fast as the gradient says; as a share of that.
	Slope float64 `json:"slope_error"`
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
	grads   [][]float32     // by trained
	machine *engine.Machine // computes the outputs, the loss and the gradients
	judge   *engine.Machine // the loss, and what it is computed from

	slopeError float64
}

// Check finds out whether a model can be trained, without data: it lowers the
// model, runs it on random numbers, compares gradients of each of its operators
// with differences, and takes a step of training. m is as before when Check
// returns. The error is ctx's; all that is wrong with the model is in the report.
func Check(ctx context.Context, m *onnxload.Model, cfg CheckConfig) (*Report, error) {
	fills := *m // a copy, of which inputs can be filled
	t := &trial{cfg: cfg, model: &fills, report: &Report{}, random: rand.New(rand.NewPCG(cfg.Seed, 1))}
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
	type state struct {
		trainable bool
		grad      []float32
		value     []float32
	}
	states := make([]state, len(t.model.Params))
	for i, p := range t.model.Params {
		states[i] = state{p.Trainable, p.Grad, slices.Clone(p.Value)}
	}
	return func() {
		for i, p := range t.model.Params {
			p.Trainable, p.Grad = states[i].trainable, states[i].grad
			copy(p.Value, states[i].value)
		}
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

// attach puts a loss on the output that is to be trained, and finds the parameters
// it depends on.
func (t *trial) attach(context.Context) error {
	k := slices.IndexFunc(t.prog.Outputs, func(p onnxload.Port) bool {
		return p.DType.IsFloat() && (t.cfg.Output == "" || t.cfg.Output == p.Name)
	})
	if k < 0 && t.cfg.Output != "" {
		return fmt.Errorf("the model has no output %q of floating-point numbers", t.cfg.Output)
	}
	if k < 0 {
		return errors.New("no output has floating-point numbers")
	}
	out := t.prog.Outputs[k]
	t.report.Output, t.report.Loss = out.Name, t.cfg.Loss
	size := product(out.Shape)
	if t.cfg.Loss == Auto {
		t.report.Loss = MSE
		if out.Axis >= 0 && out.Shape[out.Axis] > 1 {
			t.report.Loss = CrossEntropy
		}
	}
	target := task{loss: t.report.Loss, output: k, perItem: size}
	if target.loss == CrossEntropy {
		axis := out.Axis
		if axis < 0 {
			axis = len(out.Shape) - 1
		}
		if axis >= 0 {
			target.perItem = size / max(1, out.Shape[axis])
		}
	}
	var err error
	if t.head, err = target.attach(t.prog, 1, 1); err != nil {
		return err
	}
	quiet := func(string, ...any) {}
	candidates := trainable(t.model, quiet)
	wrt := make([]*G.Node, len(candidates))
	for i, p := range candidates {
		wrt[i] = t.prog.Params[p]
	}
	nodes, err := engine.Backprop(t.head.loss, wrt)
	if err != nil {
		return err
	}
	outputs := []*G.Node{t.head.loss}
	for _, port := range t.prog.Outputs {
		outputs = append(outputs, port.Node)
	}
	reached := map[*optim.Param]bool{}
	for i, n := range nodes {
		if n == nil {
			continue
		}
		p := candidates[i]
		p.Grad = make([]float32, len(p.Value))
		t.bind[n] = op.Buffer{F: p.Grad}
		reached[p] = true
		t.trained = append(t.trained, p)
		outputs = append(outputs, n)
	}
	t.listParams(reached)
	if len(t.trained) == 0 {
		return errors.New("there is no parameter to train: none that holds floating-point numbers leads to the output by operators that have a gradient")
	}
	t.bind[t.head.target] = op.NewBuffer(t.head.target.Dtype(), t.head.target.Shape().TotalSize())
	if t.judge, err = engine.Compile([]*G.Node{t.head.loss, t.head.scores, out.Node}, t.bind); err != nil {
		return err
	}
	t.machine, err = engine.Compile(outputs, t.bind)
	return err
}

// listParams reports the parameters, of which some are reached by the gradient.
// Without any, as for a model that could not be lowered, it is what the operators
// promise.
func (t *trial) listParams(reached map[*optim.Param]bool) {
	for _, r := range t.model.Reaches() {
		p := r.Param
		line := ParamReport{Name: p.Name, Role: p.Role, Elements: len(p.Value), Trained: reached[p]}
		switch {
		case reached[p]:
		case !optim.Finite(p.Value) && p.Role != optim.Constant:
			line.Reason = "it holds a number that is not finite"
		case !p.Trainable:
			line.Reason = fmt.Sprintf("role %s is never trained", p.Role)
		case len(r.Outputs) > 0 && reached == nil:
			line.Reason = "could be trained if the model could be computed"
		case len(r.Outputs) > 0 && !slices.Contains(r.Outputs, t.report.Output):
			line.Reason, line.Outputs = fmt.Sprintf("output %q does not depend on it", t.report.Output), r.Outputs
		case len(r.Stops) > 0:
			s := r.Stops[0]
			line.Reason = fmt.Sprintf("it is cut off by node %q (%s): %s", s.Node, qualified(s.Domain, s.Op), s.Reason)
		default:
			line.Reason = "no output depends on it"
		}
		t.report.Parameters = append(t.report.Parameters, line)
	}
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
		if t.slopeError = slope; slope <= mostSlopeError || t.rounds() && !math.IsInf(slope, 1) {
			break
		}
	}
	t.listOutputs()
	switch {
	case !t.finite():
		return t.blame(ctx)
	case math.IsInf(t.slopeError, 1):
		return errors.New("all gradients are zero on random inputs")
	case t.slopeError > mostSlopeError && !t.rounds():
		return fmt.Errorf("the loss changes along the gradient by another rate than the gradient says: off by %.2g", t.slopeError)
	}
	return nil
}

// rounds reports whether the model rounds what is trained or computed, as quantized
// ones do: gradients pass as if it did not, so they are no slopes.
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

// loss is that of the last run.
func (t *trial) loss() float64 { return float64(t.machine.Buffer(t.head.loss).F[0]) }

// finite looks at the loss and the gradients.
func (t *trial) finite() bool {
	loss := t.loss()
	return !math.IsNaN(loss) && !math.IsInf(loss, 0) &&
		!slices.ContainsFunc(t.trained, func(p *optim.Param) bool { return !optim.Finite(p.Grad) })
}

// stepRate is the learning rate of the step: a tenth of the usual one, with which
// the loss of nearly every model falls at once.
const stepRate = 1e-4

// step takes a step with AdamW.
func (t *trial) step(ctx context.Context) error {
	report := &StepReport{Before: t.loss(), Slope: t.slopeError}
	t.report.Step = report
	cfg := optim.Default("adamw")
	cfg.LR = optim.Set(stepRate)
	optimizer, err := optim.New(t.trained, cfg)
	if err != nil {
		return err
	}
	before := make([][]float32, len(t.trained))
	for i, p := range t.trained {
		before[i] = slices.Clone(p.Value)
	}
	optimizer.Step(1)
	for i, p := range t.trained {
		if !optim.Finite(p.Value) {
			return fmt.Errorf("a step makes parameter %q infinite", p.Name)
		}
		if !slices.Equal(before[i], p.Value) {
			report.Moved++
		}
	}
	if err := t.judge.Run(ctx); err != nil {
		return err
	}
	if report.After = t.preciseLoss(); math.IsNaN(report.After) || math.IsInf(report.After, 0) {
		report.After = 0 // JSON has no such number
		return errors.New("the loss is not finite after a step")
	}
	if report.Moved == 0 {
		return errors.New("a step changes no parameter")
	}
	return nil
}

// mostSlopeError is how far the slope along the gradient may be off, and
// mostGradientError the gradient of a node, as shares. Where the loss is rough or
// float32 too coarse, right gradients are off by a few hundredths.
const (
	mostSlopeError    = 0.1
	mostGradientError = 0.05
)

// slope compares how fast the loss changes along the gradient, each parameter's
// scaled by the size of the parameter, with central differences, of which the
// closest counts; one that is close enough ends the search. It is infinite where
// all gradients are zero.
func (t *trial) slope(ctx context.Context) (float64, error) {
	directions := make([][]float32, len(t.trained))
	rate := 0.0
	for i, p := range t.trained {
		length := norm(p.Grad)
		if length == 0 {
			continue
		}
		scale := max(norm(p.Value), 1e-3) / length
		rate += length * length * scale
		directions[i] = make([]float32, len(p.Grad))
		for k, g := range p.Grad {
			directions[i][k] = float32(scale) * g
		}
	}
	if rate == 0 {
		return math.Inf(1), nil
	}
	start := make([][]float32, len(t.trained))
	for i, p := range t.trained {
		start[i] = slices.Clone(p.Value)
	}
	at := func(h float64) (float64, error) {
		for i, p := range t.trained {
			copy(p.Value, start[i])
			for k, d := range directions[i] {
				p.Value[k] += float32(h) * d
			}
		}
		err := t.judge.Run(ctx)
		return t.preciseLoss(), err
	}
	was, err := at(0)
	if err != nil {
		return 0, err
	}
	size, best := math.Max(was, 1e-6), math.Inf(1)
	for _, share := range []float64{1e-2, 1e-3, 1e-4, 1e-5} { // of the loss that is to change
		h := share * size / rate
		up, err := at(h)
		if err != nil {
			return 0, err
		}
		down, err := at(-h)
		if err != nil {
			return 0, err
		}
		if best = math.Min(best, math.Abs((up-down)/(2*h)/rate-1)); best < mostSlopeError/10 {
			break
		}
	}
	for i, p := range t.trained {
		copy(p.Value, start[i])
	}
	return best, nil
}

// preciseLoss is the loss of the judge's last run, added up in float64: differences of it
// are too small for float32.
func (t *trial) preciseLoss() float64 {
	target, total := t.bind[t.head.target], 0.0
	if t.head.scores == nil {
		for i, v := range t.judge.Buffer(t.output().Node).F {
			d := float64(v) - float64(target.F[i])
			total += d * d
		}
		return total / float64(len(target.F))
	}
	scores := t.judge.Buffer(t.head.scores).F
	for i, label := range target.I {
		row := scores[i*t.head.classes:][:t.head.classes]
		most, sum := float64(slices.Max(row)), 0.0
		for _, s := range row {
			sum += math.Exp(float64(s) - most)
		}
		total += most + math.Log(sum) - float64(row[label])
	}
	return total / float64(len(target.I))
}

func norm(x []float32) float64 {
	total := 0.0
	for _, v := range x {
		total += float64(v) * float64(v)
	}
	return math.Sqrt(total)
}
