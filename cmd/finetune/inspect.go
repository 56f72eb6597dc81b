package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/pflag"

	"finetune/onnxload"
	"finetune/optim"
)

var inspectVerb = verb{
	name:  "inspect",
	args:  "MODEL.onnx",
	short: "say what a model is, takes, gives and holds, and if it can be trained",
	long: `
Describes a model: where it comes from, its inputs and outputs, its operators
and which of them finetune knows, its parameters by role, and the share of zeros
in them.

  finetune inspect model.onnx
  finetune inspect model.onnx --json`,
	make: func() command { return inspectCommand{} },
}

type inspectCommand struct{}

func (inspectCommand) addFlags(*pflag.FlagSet) {}

// description is what inspect prints.
type description struct {
	File      string            `json:"file"`
	Bytes     int               `json:"bytes"`
	IR        int64             `json:"ir_version"`
	Opsets    map[string]int64  `json:"opsets"`
	Producer  string            `json:"producer"`
	Inputs    []portLine        `json:"inputs"`
	Outputs   []portLine        `json:"outputs"`
	Operators []operatorLine    `json:"operators"`
	Roles     []roleLine        `json:"parameters"`
	Trainable bool              `json:"trainable"`
	Problems  []problem         `json:"problems,omitempty"`
	Metadata  map[string]string `json:"metadata,omitempty"`
}

// problem is a reason why a model cannot be trained: a node's, or the model's.
type problem struct {
	Node   string `json:"node,omitempty"`
	Op     string `json:"op,omitempty"`
	Opset  int64  `json:"opset,omitempty"`
	Reason string `json:"reason"`
}

type portLine struct {
	Name  string `json:"name"`
	DType string `json:"dtype"`
	Shape string `json:"shape"`
}

type operatorLine struct {
	Op        string `json:"op"`
	Count     int    `json:"count"`
	Supported bool   `json:"supported"`
}

type roleLine struct {
	Role    optim.Role `json:"role"`
	Tensors int        `json:"tensors"`
	Values  int        `json:"values"`
	Zeros   int        `json:"zeros"`
}

func (inspectCommand) run(_ context.Context, c *console, args []string) error {
	m, err := c.model(args)
	if err != nil {
		return err
	}
	d := describe(m)
	if c.json {
		return c.object(d)
	}
	c.describe(d)
	return nil
}

func describe(m *onnxload.Model) description {
	d := description{
		File: m.Path, Bytes: len(m.Bytes), IR: m.Proto.GetIrVersion(), Opsets: map[string]int64{},
		Producer: strings.TrimSpace(m.Proto.GetProducerName() + " " + m.Proto.GetProducerVersion()),
		Inputs:   portLines(m.Inputs), Outputs: portLines(m.Outputs), Metadata: map[string]string{},
	}
	for domain, version := range m.Opsets {
		d.Opsets[cmp.Or(domain, "ai.onnx")] = version
	}
	for _, p := range m.Proto.MetadataProps {
		d.Metadata[p.GetKey()] = p.GetValue()
	}
	bad := map[string]bool{}
	err := m.Supported()
	var unsupported *onnxload.UnsupportedError
	if errors.As(err, &unsupported) {
		for _, n := range unsupported.Nodes {
			op := operatorName(n.Domain, n.Op)
			bad[op] = true
			d.Problems = append(d.Problems, problem{n.Node, op, n.Opset, n.Reason})
		}
	}
	counts := map[string]int{}
	for _, n := range m.Nodes {
		counts[operatorName(n.Domain, n.Op)]++
	}
	for _, op := range slices.Sorted(maps.Keys(counts)) {
		d.Operators = append(d.Operators, operatorLine{op, counts[op], !bad[op]})
	}
	for _, role := range optim.Roles {
		line := roleLine{Role: role}
		for _, p := range m.Params {
			if p.Role == role {
				line.Tensors++
				line.Values += len(p.Value)
				line.Zeros += p.Zeros()
			}
			d.Trainable = d.Trainable || p.Trainable
		}
		if line.Tensors > 0 {
			d.Roles = append(d.Roles, line)
		}
	}
	if !d.Trainable {
		d.Problems = append(d.Problems, problem{Reason: "no parameter: the weights are not floating-point tensors that an operator reads"})
	}
	d.Trainable = d.Trainable && len(d.Problems) == 0
	return d
}

func operatorName(domain, op string) string {
	if domain == "" {
		return op
	}
	return domain + "." + op
}

func portLines(values []onnxload.Value) []portLine {
	var lines []portLine
	for _, v := range values {
		lines = append(lines, portLine{v.Name, string(v.DType), declaredShape(v)})
	}
	return lines
}

// declaredShape is a shape as the file has it, open dimensions by name.
func declaredShape(v onnxload.Value) string {
	if v.Rank < 0 {
		return "any"
	}
	var dims []string
	for _, d := range v.Dims {
		switch {
		case d.Size >= 0:
			dims = append(dims, fmt.Sprint(d.Size))
		default:
			dims = append(dims, cmp.Or(d.Symbol, "?"))
		}
	}
	return "(" + strings.Join(dims, ", ") + ")"
}

func (c *console) describe(d description) {
	var opsets []string
	for _, domain := range slices.Sorted(maps.Keys(d.Opsets)) {
		opsets = append(opsets, fmt.Sprintf("%s %d", domain, d.Opsets[domain]))
	}
	c.printf("%s: %s, IR %d, opset %s", filepath.Base(d.File), byteCount(int64(d.Bytes)), d.IR, strings.Join(opsets, ", "))
	if d.Producer != "" {
		c.printf(", made by %s", d.Producer)
	}
	c.printf("\n\n")
	var rows []table.Row
	for _, p := range d.Inputs {
		rows = append(rows, table.Row{"input", p.Name, p.DType, p.Shape})
	}
	for _, p := range d.Outputs {
		rows = append(rows, table.Row{"output", p.Name, p.DType, p.Shape})
	}
	c.table(table.Row{"", "name", "type", "shape"}, rows)
	c.printf("\n")
	rows = nil
	for _, o := range d.Operators {
		known := "yes"
		if !o.Supported {
			known = "no"
		}
		rows = append(rows, table.Row{o.Op, o.Count, known})
	}
	c.table(table.Row{"operator", "nodes", "known"}, rows, "nodes")
	if len(d.Roles) > 0 {
		c.printf("\n")
		rows = nil
		for _, r := range d.Roles {
			rows = append(rows, table.Row{r.Role, r.Tensors, thousands(r.Values), percent(share(r.Zeros, r.Values))})
		}
		c.table(table.Row{"role", "tensors", "values", "zeros"}, rows, "tensors", "values", "zeros")
	}
	for _, key := range slices.Sorted(maps.Keys(d.Metadata)) {
		c.printf("\n%s: %s", key, shorten(d.Metadata[key], 100))
	}
	if len(d.Metadata) > 0 {
		c.printf("\n")
	}
	c.printf("\n")
	if d.Trainable {
		c.printf("can be trained\n")
		return
	}
	c.printf("cannot be trained:\n")
	for _, line := range d.summary() {
		c.printf("  %s\n", line)
	}
}

// summary lists the problems, those of many nodes once.
func (d description) summary() []string {
	var kinds []problem
	nodes := map[problem][]string{}
	for _, p := range d.Problems {
		kind := problem{Op: p.Op, Opset: p.Opset, Reason: p.Reason}
		if nodes[kind] == nil {
			kinds = append(kinds, kind)
		}
		nodes[kind] = append(nodes[kind], p.Node)
	}
	var lines []string
	for _, k := range kinds {
		switch names := nodes[k]; {
		case k.Op == "":
			lines = append(lines, k.Reason)
		case len(names) == 1:
			lines = append(lines, fmt.Sprintf("%s (opset %d): %s: node %q", k.Op, k.Opset, k.Reason, names[0]))
		default:
			lines = append(lines, fmt.Sprintf("%s (opset %d): %s: %d nodes, the first is %q", k.Op, k.Opset, k.Reason, len(names), names[0]))
		}
	}
	return lines
}

// byteCount is a size for people.
func byteCount(n int64) string {
	switch {
	case n < 1000:
		return fmt.Sprintf("%d B", n)
	case n < 1000*1000:
		return fmt.Sprintf("%.1f kB", float64(n)/1e3)
	default:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	}
}
