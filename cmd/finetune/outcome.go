package main

import (
	"github.com/jedib0t/go-pretty/v6/table"

	"finetune/export"
	"finetune/onnxload"
	"finetune/optim"
	"finetune/train"
)

// outcome is what has become of a model that was written, beside what it was. It
// is the last object of --json.
type outcome struct {
	Event         string  `json:"event"`
	*train.Result         // without one, nothing was trained
	Sparsity      float64 `json:"sparsity"` // of what is prunable
	Output        string  `json:"output"`
	Bytes         int64   `json:"bytes"`
	Gzip          int64   `json:"gzip_bytes"`
	BaseBytes     int64   `json:"base_bytes"`
	BaseGzip      int64   `json:"base_gzip_bytes"`

	Params []paramOutcome `json:"parameters"`
}

// paramOutcome is a prunable parameter.
type paramOutcome struct {
	Name      string  `json:"name"`
	Op        string  `json:"op"`
	Shape     []int   `json:"shape"`
	Elements  int     `json:"elements"`
	Zeros     int     `json:"zeros"`
	BaseZeros int     `json:"base_zeros"`
	Sparsity  float64 `json:"sparsity"`
}

// prunable are the parameters whose zeros count: those that are pruned unless
// flags say otherwise, and those that were.
func prunable(m *onnxload.Model) []*optim.Param {
	var list []*optim.Param
	for _, p := range m.Params {
		if p.Decayed() || p.Mask != nil {
			list = append(list, p)
		}
	}
	return list
}

// addParams lists the prunable parameters with their zeros as the files have
// them.
func (o *outcome) addParams(m *onnxload.Model, report export.Report) {
	written := map[string]export.ParamReport{}
	for _, p := range report.Params {
		written[p.Name] = p
	}
	for _, p := range prunable(m) {
		r := written[p.Name]
		o.Params = append(o.Params, paramOutcome{
			Name: p.Name, Op: p.Op, Shape: p.Shape, Elements: r.Elements, Zeros: r.Zeros,
			BaseZeros: r.WasZero, Sparsity: share(r.Zeros, r.Elements),
		})
	}
}

// warnEmptied tells of parameters that have lost all of their values.
func (c *console) warnEmptied(params []paramOutcome) {
	for _, p := range params {
		if p.Zeros == p.Elements && p.BaseZeros < p.Elements {
			c.warnf("%s holds nothing but zeros now: the model no longer sees what goes through it", p.Name)
		}
	}
}

// outcome prints the zeros by parameter, and the model before and after.
func (c *console) outcome(o outcome) {
	var rows []table.Row
	elements, zeros, baseZeros := 0, 0, 0
	for _, p := range o.Params {
		rows = append(rows, table.Row{
			shorten(p.Name, 56), p.Op, shapeText(p.Shape), thousands(p.Elements), thousands(p.Zeros), percent(p.Sparsity),
		})
		elements, zeros, baseZeros = elements+p.Elements, zeros+p.Zeros, baseZeros+p.BaseZeros
	}
	if len(rows) > 0 {
		rows = append(rows, table.Row{"all of these", "", "", thousands(elements), thousands(zeros), percent(share(zeros, elements))})
		c.table(table.Row{"parameter", "op", "shape", "values", "zeros", "sparsity"}, rows, "values", "zeros", "sparsity")
		c.printf("\n")
	}
	header, rows := table.Row{"", "before", "after"}, nil
	if r := o.Result; r != nil && r.Before != nil && r.After != nil {
		header[0] = "on " + count(r.After.Examples, "held-out example")
		rows = append(rows, table.Row{"loss", lossText(r.Before.Loss), lossText(r.After.Loss)})
		if r.Before.Accuracy != nil && r.After.Accuracy != nil {
			rows = append(rows, table.Row{"accuracy", percent(*r.Before.Accuracy), percent(*r.After.Accuracy)})
		}
	}
	if elements > 0 {
		rows = append(rows, table.Row{"sparsity", percent(share(baseZeros, elements)), percent(share(zeros, elements))})
	}
	rows = append(rows, table.Row{"size", byteCount(o.BaseBytes), byteCount(o.Bytes)},
		table.Row{"size, gzipped", byteCount(o.BaseGzip), byteCount(o.Gzip)})
	c.table(header, rows, "before", "after")
}

// share is part of whole, 0 to 1; 0 of nothing.
func share(part, whole int) float64 {
	if whole == 0 {
		return 0
	}
	return float64(part) / float64(whole)
}
