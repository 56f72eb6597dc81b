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

// methodsOf are the names of the methods that were tried on a model.
func (s *study) methodsOf(model string) []string {
	var all, list []string
	for _, m := range methods {
		all = append(all, m.name)
	}
	for _, m := range torchMethods {
		all = append(all, m.name)
	}
	for _, name := range all {
		for _, level := range levels {
			if s.find(model, name, level) != nil {
				list = append(list, name)
				break
			}
		}
	}
	return list
}

// pictured are the methods that a picture shows, as many as there are colours.
var pictured = []string{"magnitude, cubic", "movement", "proximal L1", "magnitude, by layer", "PyTorch, global", "PyTorch, by layer"}

func (s *study) section(b *bytes.Buffer, sub subject) error {
	dense := s.find(sub.name, "dense", 0)
	if dense == nil {
		return nil
	}
	fmt.Fprintf(b, "\n## %s\n\nAs it comes %.4f, after training without pruning %.4f.\n\n", sub.name, dense.Before, dense.Accuracy)
	b.WriteString("| zeros |")
	for _, level := range levels {
		fmt.Fprintf(b, " %g %% |", level*100)
	}
	b.WriteString("\n|---|" + strings.Repeat("---:|", len(levels)) + "\n")
	picture := chart{title: sub.name, x: axis{label: "zeros, %", marks: []float64{50, 80, 90, 95, 98}}, y: axis{label: "errors, %", log: true}}
	for _, name := range s.methodsOf(sub.name) {
		fmt.Fprintf(b, "| %s |", name)
		line := curve{name: name}
		for _, level := range levels {
			t := s.find(sub.name, name, level)
			if t == nil {
				b.WriteString(" |")
				continue
			}
			fmt.Fprintf(b, " %.4f |", t.Accuracy)
			line.points = append(line.points, [2]float64{level * 100, 100 * (1 - t.Accuracy)})
		}
		b.WriteString("\n")
		if slices.Contains(pictured, name) {
			picture.curves = append(picture.curves, line)
		}
	}
	file := sub.name + ".svg"
	fmt.Fprintf(b, "\n![Errors by the share of zeros](%s/%s)\n", filepath.Base(s.folder()), file)
	if err := os.MkdirAll(s.folder(), 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(s.folder(), file), picture.svg(), 0o644)
}
