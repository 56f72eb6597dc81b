package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const sparsityIntroduction = `# Pruning, tried out

What pruning costs, on three small networks: accuracy on the test set after one
epoch of training, three of the 5,000 images of CIFAR-10, by the share of weights
that are zero. Written by ` + "`go run ./bench sparsity`" + `.

- Ours: AdamW in batches of 64, the defaults of ` + "`finetune train --sparsity`" + `: a learning
  rate of 2e-3 that is held until all is pruned, after three quarters of the run, and
  falls along a cosine. Batch normalisation keeps its statistics, but where the table
  says that it trains.
- PyTorch: ` + "`torch.nn.utils.prune`" + `, one shot, over all layers together (*global*) or in each
  (*by layer*), and then as many epochs: AdamW, 2e-3, batches of 64, cosine; batch
  normalisation trains. The scores of mnist_cnn_torch11 are large, for its pixels are 0 to
  255; we divide them by a temperature while training, PyTorch does not.
- *Threshold* cuts all layers at one threshold before training, which is what PyTorch's
  global pruning does. *Magnitude*, *movement* and *proximal L1* prune on the way, ranked
  over all layers with a floor (` + "`--global`" + `); proximal L1 adds λ = 1e-3. *Erdős–Rényi* is
  magnitude, with densities from the shapes of the layers. *SNIP* prunes before the first
  step, *random* at random in each layer. *2:4* leaves layers of one input as they are.
  *Filters* prunes outputs as a whole, and not the last layer: the level is that of the
  layers before.

What is missing has not been tried. One run each, with one seed: differences of a few
tenths of a per cent mean nothing on MNIST, nor do some per cent on the 1,000 test
images of CIFAR-10.
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
var pictured = []string{advised, "magnitude, cubic", "movement", "magnitude, by layer", "PyTorch, global", "PyTorch, by layer"}

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
	picture := chart{title: sub.name, x: axis{label: "zeros, %", marks: []float64{50, 80, 90, 95, 98}}, y: axis{label: "errors, %", log: true}}
	own, other := s.best(sub.name, false), s.best(sub.name, true)
	for _, m := range methods {
		line := curve{name: m.name}
		row := "| " + m.name + " |"
		for i, level := range levels {
			c := s.cell(sub.name, m.name, level)
			row += " " + c.text(c.mean == own[i] || c.mean == other[i]) + " |"
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

// best are the highest means by level, of our methods or of theirs; 0 where there
// are none.
func (s *study) best(model string, theirs bool) []float64 {
	list := make([]float64, len(levels))
	for i, level := range levels {
		for _, m := range methods {
			if c := s.cell(model, m.name, level); c.runs > 0 && m.isTheirs() == theirs {
				list[i] = max(list[i], c.mean)
			}
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
			fmt.Fprintf(b, " %+.2f", 100*(mean-other))
		}
		b.WriteString(" |")
	}
	b.WriteString("\n")
}
