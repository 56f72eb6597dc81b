package train

import (
	"context"
	"errors"
	"fmt"
	"slices"

	G "gorgonia.org/gorgonia"

	"finetune/internal/engine"
	"finetune/internal/op"
	"finetune/onnxload"
	"finetune/optim"
)

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
		t.values[p] = slices.Clone(p.Value)
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
	if t.judge, err = engine.Compile([]*G.Node{t.head.loss, t.head.output}, t.bind); err != nil {
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
			line.Reason = fmt.Sprintf("it is cut off by node %q (%s)", s.Node, qualified(s.Domain, s.Op))
		default:
			line.Reason = "no output depends on it"
		}
		t.report.Parameters = append(t.report.Parameters, line)
	}
}
