package main

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const sparsityIntroduction = `# Pruning, tried out

What pruning costs on three small networks: accuracy on test images in per cent, by the
share of weights that are zero, after as many epochs of training for all: one of MNIST's
60,000 images, tested on 10,000; three of 5,000 images of CIFAR-10, tested on 1,000.
` + "`go run ./bench sparsity`" + ` makes the trials, keeps them in
[results.json](sparsity/results.json) and writes this page.

## What to take

From 80 % zeros on, rank all layers together by LAMP:

    finetune train model.onnx --data photos/ --sparsity 0.9 --global --prune-score lamp -o small.onnx

It is the best or close to it on all three networks, and fails on none, as magnitude does
over all layers where these differ in scale, and by layer where few weights are left. Up
to 50 % add ` + "`--prune-end 0`" + `, which prunes at the first step: little has to be made up for,
and the learning rate has the whole run to fall. A network that has many more weights
than it needs gains from that at more zeros, too. Nothing is gained here by a mean of the
weights, or by letting batch normalisation learn. Filters and 2:4 cost more than single
weights; take them if what runs the model makes use of them.

## What was compared

- Ours: ` + "`finetune train`" + ` with its defaults, AdamW in batches of 64. Weights go along a cubic
  in the first three quarters of the run, while the learning rate grows from 1.4e-3,
  to 1.7e-3 at 50 % zeros and 3.7e-3 at 98 %; then it falls along a cosine. Batch
  normalisation keeps its statistics, but where the table says that it trains.
- PyTorch: ` + "`torch.nn.utils.prune`" + `, all at once, over all layers together (*global*) or in
  each (*by layer*), and then as many epochs: AdamW in batches of 64, along a cosine
  from 1e-3, or from more with more zeros: 1.2e-3 at 50 %, 2.7e-3 at 98 %; batch
  normalisation trains.
- *LAMP*, *magnitude*, *movement*, *proximal L1* (λ = 1e-3) and *RigL* and *SET*, which let
  weights come back, rank all layers together, with a floor under what each keeps.
  *At once* is at the first step, and the rate falls from then on; so with
  *SNIP*. *Threshold* is one for all layers, before training, which is what PyTorch's
  global pruning does. *EMA* writes a mean of the weights. *Erdős–Rényi* gives layers
  densities by their shapes. *2:4* leaves layers of one input as they are. *Filters*
  prunes outputs as a whole, and not the last layer: the level is that of the layers
  before.

Figures with a ± are means of several runs, whose order of examples differs; the ± is
the standard deviation of one run. The others are single runs. The best mean of ours and
the best of PyTorch are bold, of several runs where there are any, and the last two rows
are distances: where they are within the ±, take them for none. All runs share their test
images, of which there are few: another thousand of CIFAR-10 would move a whole column by
a point or two. The best of ours is chosen on these images from more rows than the best
of PyTorch, which favours ours; and the rows *at once* joined when the others had been
seen. The default rate was chosen by training images that were held back, among values
that came up because mnist-12, a network not shown here, had lost a tenth of a point on
MNIST's test images at a lower one.
`

// write makes the page and its pictures.
func (s *study) write() error {
	var b bytes.Buffer
	b.WriteString(sparsityIntroduction)
	for _, sub := range subjects {
		if err := s.section(&b, sub); err != nil {
			return err
		}
	}
	return os.WriteFile(s.page, b.Bytes(), 0o644)
}

// pictured are the methods that a picture shows, as many as there are colours.
var pictured = []string{advised, "LAMP, at once", "magnitude, cubic", "PyTorch, global", "PyTorch, global, temperature", "PyTorch, by layer"}

// section writes about a model, if it has been trained.
func (s *study) section(b *bytes.Buffer, sub subject) error {
	trained := s.find(sub.name, dense, 0, 0)
	if trained == nil {
		return nil
	}
	fmt.Fprintf(b, "\n## %s\n\nAs it comes %.2f, after training without pruning %s.\n", sub.name, 100*trained.Before, s.cell(sub.name, dense, 0).text(false))
	if sub.findings != "" {
		b.WriteString("\n" + sub.findings)
	}
	b.WriteString("\n| zeros |")
	for _, level := range levels {
		fmt.Fprintf(b, " %g %% |", level*100)
	}
	b.WriteString("\n|---|" + strings.Repeat("---:|", len(levels)) + "\n")
	picture := chart{title: sub.name, x: axis{label: "zeros, %", marks: []float64{50, 80, 90, 95, 98}}, y: axis{label: "errors, %", log: true, marks: []float64{1, 2, 3, 5, 10, 20, 30, 50, 70, 90}}}
	own, other := s.best(sub.name, false), s.best(sub.name, true)
	for _, m := range methods {
		line := curve{name: m.name}
		row := "| " + m.name + " |"
		for i, level := range levels {
			c := s.cell(sub.name, m.name, level)
			best := own
			if m.isTheirs() {
				best = other
			}
			row += " " + c.text(c.mean == best[i]) + " |"
			if c.runs > 0 {
				line.points = append(line.points, [2]float64{level * 100, 100 * (1 - c.mean)})
			}
		}
		if line.points == nil {
			continue
		}
		b.WriteString(strings.ReplaceAll(row, "  ", " ") + "\n")
		if slices.Contains(pictured, m.name) {
			picture.curves = append(picture.curves, line)
		}
	}
	s.lead(b, "*"+advised+" above the best of PyTorch*", other, func(i int) float64 { return s.cell(sub.name, advised, levels[i]).mean })
	s.lead(b, "*the best of ours above it*", other, func(i int) float64 { return own[i] })
	file := sub.name + ".svg"
	fmt.Fprintf(b, "\n![Errors by the share of zeros](%s/%s)\n", filepath.Base(s.folder()), file)
	if err := os.MkdirAll(s.folder(), 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(s.folder(), file), picture.svg(), 0o644)
}

// best are the highest means by level, of our methods or of theirs, among those that
// were tried more than once if there are any: single runs are best by chance. They
// are 0 where there are none.
func (s *study) best(model string, theirs bool) []float64 {
	list := make([]float64, len(levels))
	for i, level := range levels {
		often := false
		for _, m := range methods {
			c := s.cell(model, m.name, level)
			if c.runs == 0 || m.isTheirs() != theirs || often && c.runs == 1 {
				continue
			}
			if !often && c.runs > 1 {
				often, list[i] = true, 0
			}
			list[i] = max(list[i], c.mean)
		}
	}
	return list
}

// lead writes a row of how far some means are above others.
func (s *study) lead(b *bytes.Buffer, name string, others []float64, mean func(level int) float64) {
	if slices.Max(others) == 0 {
		return
	}
	fmt.Fprintf(b, "| %s |", name)
	for i, other := range others {
		if mean := mean(i); mean > 0 && other > 0 {
			points := math.Round(1e4*(mean-other)) / 100
			fmt.Fprintf(b, " %+.2f", points+0) // no -0
		}
		b.WriteString(" |")
	}
	b.WriteString("\n")
}
