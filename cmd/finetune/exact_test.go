package main

import (
	"bytes"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"finetune/onnxload"
	"finetune/optim"
)

// prunings are ways to prune, as flags, with what the file that is written must
// have. What must be is computed here from shapes alone.
var prunings = []struct {
	flags string
	exact func(t *testing.T, weights []*optim.Param)
}{
	{"--sparsity 0.7", eachWeight(0.7)},
	{"--sparsity 0.7 --prune-score movement", eachWeight(0.7)},
	{"--sparsity 0.7 --prune-score snip", eachWeight(0.7)},
	{"--sparsity 0.7 --prune-score wanda", eachWeight(0.7)},
	{"--sparsity 0.7 --prune-score random", eachWeight(0.7)},
	{"--sparsity 0.7 --prune-begin 0.2 --prune-end 1 --prune-every 3", eachWeight(0.7)},
	{"--sparsity 0.7 --prune-end 0", eachWeight(0.7)},
	{"--sparsity 0.7 --average ema", eachWeight(0.7)},
	{"--sparsity 0.7 --optimizer sgd --momentum 0.9", eachWeight(0.7)},
	{"--sparsity 0.7 --global", allWeights(0.7)},
	{"--sparsity 0.7 --global --prune-score movement", allWeights(0.7)},
	{"--sparsity 0.7 --global --prune-score lamp", allWeights(0.7)},
	{"--sparsity 0.7 --erdos-renyi", allWeights(0.7)},
	{"--sparsity 0.7 --regrow rigl", eachWeight(0.7)},
	{"--sparsity 0.7 --regrow rigl --prune-end 1", eachWeight(0.7)},
	{"--sparsity 0.7 --regrow rigl --erdos-renyi --prune-schedule linear:from=0", allWeights(0.7)},
	{"--sparsity 0.7 --regrow rigl --global", allWeights(0.7)},
	{"--prune-pattern 2:4", neighbours(2, 4)},
	{"--prune-pattern 4:8", neighbours(4, 8)},
	{"--prune-pattern 1:4 --prune-score wanda", neighbours(1, 4)},
	{"--sparsity 0.7 --prune-pattern 1x4", blocks(0.7, 1, 4)},
	{"--sparsity 0.7 --prune-pattern 4x1", blocks(0.7, 4, 1)},
	{"--sparsity 0.7 --prune-pattern 2x3", blocks(0.7, 2, 3)},
	{"--sparsity 0.7 --prune-pattern rows", blocks(0.7, 1, math.MaxInt32)},
	{"--sparsity 0.7 --prune-pattern columns", blocks(0.7, math.MaxInt32, 1)},
	{"--sparsity 0.7 --prune-pattern filters", filters(0.7)},
	{"--prune-threshold 0.2", noneBelow(0.2)},
}

// TestPrunedFilesAreExact trains with each way of pruning and reads back what was
// written: as many zeros as asked, where they must be, and none in a parameter
// that is no weight.
func TestPrunedFilesAreExact(t *testing.T) {
	dir := t.TempDir()
	for _, model := range []struct{ file, data, flags string }{
		{"digits.onnx", "digits-idx", "--scale 1/255 --epochs 2 --batch 16"},
		{"flowers.onnx", "flowers.csv", "--epochs 2 --batch 8"}, // its matrices have inputs first
	} {
		path, examples := makeFixture(t, dir, model.file), makeFixture(t, dir, model.data)
		zeros := zerosOfOthers(read(t, path))
		for _, way := range prunings {
			t.Run(model.file+" "+way.flags, func(t *testing.T) {
				m := trainWith(t, path, examples, model.flags+" "+way.flags)
				way.exact(t, weightsOf(m))
				if got := zerosOfOthers(m); got > zeros {
					t.Errorf("got %d zeros in what is no weight, want at most the %d that were there", got, zeros)
				}
			})
		}
	}
}

// TestOnlyWeightsAreRegularised takes one step with every penalty and pruning and
// one without, from the same gradient: biases, scales and shifts come out the same
// to the bit.
func TestOnlyWeightsAreRegularised(t *testing.T) {
	dir := t.TempDir()
	path, examples := makeFixture(t, dir, "digits.onnx"), makeFixture(t, dir, "digits-idx")
	const step = "--scale 1/255 --epochs 1 --batch 80 --optimizer adam --lr 1e-2 --schedule constant "
	plain := trainWith(t, path, examples, step)
	for _, flags := range []string{
		"--l1 0.1", "--l1 0.1 --l1-mode proximal", "--l2 0.1", "--l2-sp 0.1", "--l1-sp 0.1", "--group-lasso 0.1",
		"--weight-decay 0.1", "--weight-decay 0.1 --decay-mode absolute", "--weight-decay 0.1 --decay-mode coupled",
		"--sparsity 0.7", "--prune-threshold 0.2",
	} {
		t.Run(flags, func(t *testing.T) {
			m := trainWith(t, path, examples, step+flags)
			changed := 0
			for i, p := range m.Params {
				same := slices.Equal(p.Value, plain.Params[i].Value)
				if !p.Decayed() && !same {
					t.Errorf("%s %s: got other values than without %s", p.Role, p.Name, flags)
				}
				if p.Decayed() && !same {
					changed++
				}
			}
			// Towards the weights at the start there is nothing to do in the first step.
			if want := len(weightsOf(m)); changed != want && !strings.Contains(flags, "-sp") {
				t.Errorf("got %d weights that the flags changed, want %d", changed, want)
			}
		})
	}
}

func makeFixture(t *testing.T, dir, name string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := fixtures[name](path); err != nil {
		t.Fatal(err)
	}
	return path
}

// trainWith runs the program and reads what it wrote.
func trainWith(t *testing.T, model, examples, flags string) *onnxload.Model {
	t.Helper()
	out := filepath.Join(t.TempDir(), "out.onnx")
	args := slices.Concat([]string{"train", model, "--data", examples, "-o", out, "-q"}, strings.Fields(flags))
	var stdout, stderr bytes.Buffer
	if status := run(t.Context(), args, &stdout, &stderr); status != exitDone {
		t.Fatalf("%v: got exit status %d, want %d: %s", args, status, exitDone, &stderr)
	}
	return read(t, out)
}

func read(t *testing.T, path string) *onnxload.Model {
	t.Helper()
	m, err := onnxload.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func weightsOf(m *onnxload.Model) []*optim.Param {
	return slices.DeleteFunc(slices.Clone(m.Params), func(p *optim.Param) bool { return !p.Decayed() })
}

func zerosOfOthers(m *onnxload.Model) int {
	zeros := 0
	for _, p := range m.Params {
		if !p.Decayed() {
			zeros += p.Zeros()
		}
	}
	return zeros
}

// countOf is how many of n go.
func countOf(n int, sparsity float64) int { return int(math.Round(float64(n) * sparsity)) }

// eachWeight wants a share of zeros in every weight.
func eachWeight(sparsity float64) func(*testing.T, []*optim.Param) {
	return func(t *testing.T, weights []*optim.Param) {
		for _, p := range weights {
			if got, want := p.Zeros(), countOf(len(p.Value), sparsity); got != want {
				t.Errorf("%s: got %d zeros of %d, want %d", p.Name, got, len(p.Value), want)
			}
		}
	}
}

// allWeights wants a share of zeros in all weights together, and no layer empty.
func allWeights(sparsity float64) func(*testing.T, []*optim.Param) {
	return func(t *testing.T, weights []*optim.Param) {
		zeros, all := 0, 0
		for _, p := range weights {
			zeros += p.Zeros()
			all += len(p.Value)
			if p.Zeros() == len(p.Value) {
				t.Errorf("%s: got nothing but zeros", p.Name)
			}
		}
		if want := countOf(all, sparsity); zeros != want {
			t.Errorf("got %d zeros of %d, want %d", zeros, all, want)
		}
	}
}

// layout finds the elements of a weight of outputs by inputs by all other axes,
// wherever these lie in its shape.
func layout(p *optim.Param) (outputs, inputs, rest int, at func(output, input, i int) int) {
	shape := append(slices.Clone(p.Shape), 1, 1)
	first, second := shape[0], shape[1]
	rest = len(p.Value) / (first * second)
	if p.InAxis() == 0 {
		return second, first, rest, func(o, in, i int) int { return (in*second+o)*rest + i }
	}
	return first, second, rest, func(o, in, i int) int { return (o*second+in)*rest + i }
}

// neighbours wants at most n of every m neighbours along the inputs, and exactly n
// where there are m.
func neighbours(n, m int) func(*testing.T, []*optim.Param) {
	return func(t *testing.T, weights []*optim.Param) {
		for _, p := range weights {
			outputs, inputs, rest, at := layout(p)
			for o := range outputs {
				for i := range rest {
					for first := 0; first < inputs; first += m {
						group := min(m, inputs-first)
						kept := 0
						for in := first; in < first+group; in++ {
							if p.Value[at(o, in, i)] != 0 {
								kept++
							}
						}
						if want := min(n, group); kept != want {
							t.Fatalf("%s: got %d of the %d weights at output %d, inputs from %d, want %d", p.Name, kept, group, o, first, want)
						}
					}
				}
			}
		}
	}
}

// filters wants a share of the outputs to have zeros only, and no other zero.
func filters(sparsity float64) func(*testing.T, []*optim.Param) {
	return func(t *testing.T, weights []*optim.Param) {
		for _, p := range weights {
			outputs, inputs, rest, at := layout(p)
			groups := make([][]int, outputs)
			for o := range outputs {
				for in := range inputs {
					for i := range rest {
						groups[o] = append(groups[o], at(o, in, i))
					}
				}
			}
			groupsGone(t, p, groups, sparsity)
		}
	}
}

// blocks wants a share of the blocks of the matrix that the first axis and all
// others make to have zeros only, and no other zero.
func blocks(sparsity float64, rows, columns int) func(*testing.T, []*optim.Param) {
	return func(t *testing.T, weights []*optim.Param) {
		for _, p := range weights {
			height := p.Shape[0]
			width := len(p.Value) / height
			var groups [][]int
			for top := 0; top < height; top += rows {
				for left := 0; left < width; left += columns {
					var group []int
					for y := top; y < min(top+rows, height); y++ {
						for x := left; x < min(left+columns, width); x++ {
							group = append(group, y*width+x)
						}
					}
					groups = append(groups, group)
				}
			}
			groupsGone(t, p, groups, sparsity)
		}
	}
}

func groupsGone(t *testing.T, p *optim.Param, groups [][]int, sparsity float64) {
	t.Helper()
	gone, zeros := 0, 0
	for _, group := range groups {
		if !slices.ContainsFunc(group, func(i int) bool { return p.Value[i] != 0 }) {
			gone++
			zeros += len(group)
		}
	}
	want := min(countOf(len(groups), sparsity), len(groups)-1)
	if gone != want || zeros != p.Zeros() {
		t.Errorf("%s: got %d of %d groups empty, with %d of %d zeros, want %d with all of them",
			p.Name, gone, len(groups), zeros, p.Zeros(), want)
	}
}

// noneBelow wants no weight below a limit but zeros, of which there are some.
func noneBelow(limit float32) func(*testing.T, []*optim.Param) {
	return func(t *testing.T, weights []*optim.Param) {
		zeros := 0
		for _, p := range weights {
			zeros += p.Zeros()
			for _, w := range p.Value {
				if w != 0 && -limit < w && w < limit {
					t.Fatalf("%s: got the weight %g, want none below %g", p.Name, w, limit)
				}
			}
		}
		if zeros == 0 {
			t.Error("got no zeros")
		}
	}
}
