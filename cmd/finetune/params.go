package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/pflag"

	"finetune/onnxload"
	"finetune/optim"
)

var paramsVerb = verb{
	name:  "params",
	args:  "MODEL.onnx [flags of train]",
	short: "list every parameter, its role, and what flags would do to it",
	long: `
Lists the parameters of a model in file order: what each is for (its role, read
from the operator that uses it), whether it would be trained, and with which
learning rate, penalties and sparsity. The flags are those of train that concern
parameters, so that they can be tried here first. --why adds which of them
decided what; with --json each parameter is an object, with all the reasons.

  finetune params model.onnx
  finetune params model.onnx --freeze 'layer:conv*' --l1 1e-5 --sparsity 0.9 --why`,
	make: func() command { return new(paramsCommand) },
}

type paramsCommand struct {
	selectFlags
	optimFlags
	pruneFlags
	why bool
}

func (p *paramsCommand) addFlags(flags *pflag.FlagSet) {
	p.selectFlags.addFlags(flags)
	p.optimFlags.addFlags(flags)
	p.pruneFlags.addFlags(flags)
	addRecipeFlag(flags)
	flags.BoolVar(&p.why, "why", false, "say what decided, where that is not a default")
	heading(flags, "General")
}

// paramLine is one parameter and what is done to it.
type paramLine struct {
	Name        string     `json:"name"`
	Role        optim.Role `json:"role"`
	Op          string     `json:"op"`
	Layer       string     `json:"layer"`
	Shape       []int      `json:"shape"`
	DType       string     `json:"dtype"`
	Elements    int        `json:"elements"`
	Zeros       int        `json:"zeros"`
	Trainable   bool       `json:"trainable"`
	LR          float64    `json:"lr,omitempty"`
	L1          float64    `json:"l1,omitempty"`
	L2          float64    `json:"l2,omitempty"`
	WeightDecay float64    `json:"weight_decay,omitempty"`
	Group       float64    `json:"group_lasso,omitempty"`
	L1SP        float64    `json:"l1_sp,omitempty"`
	L2SP        float64    `json:"l2_sp,omitempty"`
	Sparsity    float64    `json:"sparsity,omitempty"`
	Threshold   float64    `json:"prune_threshold,omitempty"`
	Deviations  float64    `json:"prune_deviations,omitempty"`
	Why         []reason   `json:"why"`
}

// reason says where the value of a field comes from: a setting, "default", or for
// the field train a role that is never trained.
type reason struct {
	Field string  `json:"field"`
	Value float64 `json:"value"` // of train 1 or 0
	From  string  `json:"from"`
}

func (p *paramsCommand) run(_ context.Context, c *console, args []string) error {
	m, err := c.model(args)
	if err != nil {
		return err
	}
	lines, err := p.resolve(c, m)
	if err != nil {
		return err
	}
	if c.json {
		for _, line := range lines {
			if err := c.object(line); err != nil {
				return err
			}
		}
		return nil
	}
	c.paramTable(lines, p.why)
	return nil
}

// resolve works out what the flags do to each parameter.
func (p *paramsCommand) resolve(c *console, m *onnxload.Model) ([]paramLine, error) {
	chosen, err := p.selectFlags.apply(m.Params)
	if err != nil {
		return nil, err
	}
	plans, err := p.plans(m.Params)
	if err != nil {
		return nil, err
	}
	pruner, err := p.pruner(m.Params, 0)
	if err != nil {
		return nil, err
	}
	c.warnUnreached(plans, pruner.Plans())
	var lines []paramLine
	for i, plan := range plans {
		q, pr := plan.Param, pruner.Plans()[i]
		line := paramLine{
			Name: q.Name, Role: q.Role, Op: q.Op, Layer: q.Layer, Shape: q.Shape, DType: q.DType,
			Elements: len(q.Value), Zeros: q.Zeros(), Trainable: q.Trainable,
			LR: plan.Hyper.LR, L1: plan.Hyper.L1, L2: plan.Hyper.L2, WeightDecay: plan.Hyper.WeightDecay,
			Group: plan.Hyper.Group, L1SP: plan.Hyper.L1SP, L2SP: plan.Hyper.L2SP,
			Sparsity: pr.Sparsity, Threshold: pr.Threshold, Deviations: pr.Deviations,
		}
		trained := reason{Field: "train", From: chosen[i]}
		if q.Trainable {
			trained.Value = 1
		}
		line.Why = append(line.Why, trained)
		for _, why := range append(plan.Why, pr.Why...) {
			line.Why = append(line.Why, reason(why))
		}
		lines = append(lines, line)
	}
	return lines, nil
}

// paramTable prints the parameters, without columns that are empty for all.
func (c *console) paramTable(lines []paramLine, why bool) {
	header := table.Row{"parameter", "role", "op", "layer", "shape", "type", "train"}
	columns := []struct {
		name  string
		value func(paramLine) float64
		used  bool
	}{
		{name: "lr", value: func(l paramLine) float64 { return l.LR }},
		{name: "l1", value: func(l paramLine) float64 { return l.L1 }},
		{name: "l2", value: func(l paramLine) float64 { return l.L2 }},
		{name: "decay", value: func(l paramLine) float64 { return l.WeightDecay }},
		{name: "group", value: func(l paramLine) float64 { return l.Group }},
		{name: "l1-sp", value: func(l paramLine) float64 { return l.L1SP }},
		{name: "l2-sp", value: func(l paramLine) float64 { return l.L2SP }},
		{name: "sparsity", value: func(l paramLine) float64 { return l.Sparsity }},
		{name: "threshold", value: func(l paramLine) float64 { return l.Threshold }},
		{name: "deviations", value: func(l paramLine) float64 { return l.Deviations }},
		{name: "zeros now", value: func(l paramLine) float64 { return float64(l.Zeros) }},
	}
	var right []string
	for i := range columns {
		for _, l := range lines {
			columns[i].used = columns[i].used || columns[i].value(l) != 0
		}
		if columns[i].used {
			header = append(header, columns[i].name)
			right = append(right, columns[i].name)
		}
	}
	if why {
		header = append(header, "why")
	}
	elements, trained := 0, 0
	var rows []table.Row
	for _, l := range lines {
		elements += l.Elements
		row := table.Row{shorten(l.Name, 56), l.Role, l.Op, shorten(l.Layer, 28), shapeText(l.Shape), l.DType, "no"}
		if l.Trainable {
			trained += l.Elements
			row[6] = "yes"
		}
		for _, column := range columns {
			if column.used {
				row = append(row, numberOrDash(column.value(l)))
			}
		}
		if why {
			row = append(row, l.reasons())
		}
		rows = append(rows, row)
	}
	c.table(header, rows, right...)
	c.printf("\n%s, %s, %s of them trained\n", count(len(lines), "parameter"), count(elements, "value"), thousands(trained))
}

// reasons are those that are no defaults, in one line.
func (l paramLine) reasons() string {
	var list []string
	for _, r := range l.Why {
		if r.From != "default" {
			list = append(list, r.Field+": "+r.From)
		}
	}
	return strings.Join(list, "; ")
}

func numberOrDash(v float64) string {
	if v == 0 {
		return "-"
	}
	return fmt.Sprintf("%.6g", v)
}

func shapeText(shape []int) string {
	if len(shape) == 0 {
		return "scalar"
	}
	return strings.Trim(strings.ReplaceAll(fmt.Sprint(shape), " ", "x"), "[]")
}

// shorten cuts the middle out of long names: both ends tell names apart.
func shorten(s string, most int) string {
	r := []rune(s)
	if len(r) <= most {
		return s
	}
	head := most / 2
	return string(r[:head]) + "…" + string(r[len(r)-(most-head-1):])
}

// count is a number of things.
func count(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return thousands(n) + " " + noun
}

// thousands groups digits by three.
func thousands(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
