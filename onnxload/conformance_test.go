package onnxload

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	G "gorgonia.org/gorgonia"

	"finetune/internal/corpus"
	"finetune/internal/engine"
	"finetune/internal/onnxpb"
)

var update = flag.Bool("update", false, "rewrite testdata/conformance.txt with the cases that pass, and docs/operators.md")

// TestConformance runs the operator tests of the ONNX project, found below the
// corpus' onnx-backend or below the folders that FINETUNE_CONFORMANCE lists. Of the
// corpus, cases that pass are named in testdata/conformance.txt, the others in
// testdata/skip.txt with a reason; elsewhere those are skipped that use what we say
// is not supported.
func TestConformance(t *testing.T) {
	roots := filepath.SplitList(os.Getenv("FINETUNE_CONFORMANCE"))
	whole := len(roots) == 0
	if whole {
		roots = []string{corpus.Path(t, "onnx-backend")}
	}
	listed := readLines(t, "testdata/conformance.txt")
	skips := readSkips(t)

	var passing []string
	var total tally
	folders := map[string]*tally{}
	failed := 0
	fail := func(format string, args ...any) {
		failed++
		t.Errorf(format, args...)
	}
	for _, c := range findCases(t, roots) {
		m, err := Open(filepath.Join(c.dir, "model.onnx"))
		if err == nil {
			err = runCase(m, c.dir)
		}
		folder := filepath.Base(filepath.Dir(c.dir))
		if folders[folder] == nil {
			folders[folder] = new(tally)
		}
		_, beyond := errors.AsType[*UnsupportedError](err)
		reason := skips.reason(c.name)
		before := failed
		switch {
		case err != nil && (reason != "" || beyond && !whole):
			folders[folder].skipped++
		case err != nil:
			fail("%s: %v", c.name, err)
		case reason != "":
			fail("%s passes; take it off testdata/skip.txt (%s)", c.name, reason)
		default:
			passing = append(passing, c.name)
			folders[folder].passed++
		}
		folders[folder].failed += failed - before
		if err == nil && reason == "" && whole && !*update && !slices.Contains(listed, c.name) {
			fail("%s passes and is not listed; run this test with -update", c.name)
		}
	}
	slices.Sort(passing)
	if *update && whole {
		writeLines(t, "testdata/conformance.txt", passing)
	} else if whole {
		for _, name := range listed {
			if !slices.Contains(passing, name) {
				fail("%s is listed and did not pass", name)
			}
		}
		for _, s := range skips {
			if !s.used {
				fail("testdata/skip.txt: %s matches no case", s.pattern)
			}
		}
	}
	for _, folder := range slices.Sorted(maps.Keys(folders)) {
		fmt.Printf("%s: %v\n", folder, folders[folder])
		total.passed += folders[folder].passed
		total.skipped += folders[folder].skipped
	}
	total.failed = failed
	fmt.Printf("conformance: %v\n", &total)
}

// tally counts cases.
type tally struct{ passed, skipped, failed int }

func (t *tally) String() string {
	return fmt.Sprintf("%d passed, %d skipped, %d failed", t.passed, t.skipped, t.failed)
}

// testCase is a folder with a model and recorded inputs and outputs.
type testCase struct{ name, dir string }

func findCases(t *testing.T, roots []string) []testCase {
	t.Helper()
	var cases []testCase
	for _, root := range roots {
		err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
			if err != nil || d.Name() != "model.onnx" {
				return err
			}
			dir := filepath.Dir(p)
			cases = append(cases, testCase{filepath.Base(dir), dir})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return cases
}

// runCase runs every data set of a case.
func runCase(m *Model, dir string) error {
	sets, err := filepath.Glob(filepath.Join(dir, "test_data_set_*"))
	if err != nil || len(sets) == 0 {
		return fmt.Errorf("no data sets: %v", err)
	}
	for _, set := range sets {
		in, err := readTensors(set, "input", len(m.Inputs))
		if err != nil {
			return err
		}
		want, err := readTensors(set, "output", len(m.Outputs))
		if err != nil {
			return err
		}
		got, err := runRecorded(m, in)
		if err != nil {
			return err
		}
		for i, w := range want {
			if err := agree(got[i], w); err != nil {
				return fmt.Errorf("output %q: %w", m.Outputs[i].Name, err)
			}
		}
	}
	return nil
}

// readTensors reads input_0.pb, input_1.pb, … of a data set.
func readTensors(set, kind string, n int) ([]*Tensor, error) {
	var list []*Tensor
	for i := range n {
		b, err := os.ReadFile(filepath.Join(set, fmt.Sprintf("%s_%d.pb", kind, i)))
		if err != nil {
			return nil, err
		}
		var p onnxpb.TensorProto
		if err := proto.Unmarshal(b, &p); err != nil {
			return nil, err
		}
		r := newTensorReader(len(b), "")
		t, err := r.dense(&p)
		r.close()
		if err != nil {
			return nil, err
		}
		list = append(list, t)
	}
	return list, nil
}

// lowerRecorded lowers m for the shapes of the given inputs. An input becomes a
// constant only where an operator insists.
func lowerRecorded(m *Model, in []*Tensor) (*Program, error) {
	cfg := Config{Dims: map[string]int{}, Feed: map[string]*Tensor{}}
	for i, v := range m.Inputs {
		for k, d := range v.Dims {
			switch {
			case d.Size < 0 && d.Symbol != "":
				cfg.Dims[d.Symbol] = in[i].Shape[k]
			case d.Size < 0 && k == 0:
				cfg.Batch = in[i].Shape[0]
			}
		}
	}
	prog, err := m.Lower(cfg)
	for {
		missing, ok := errors.AsType[*notConstantError](err)
		if !ok || !feedFor(m, missing.input, in, cfg.Feed) {
			return prog, err
		}
		prog, err = m.Lower(cfg)
	}
}

// runRecorded runs m on recorded inputs.
func runRecorded(m *Model, in []*Tensor) ([]*Tensor, error) {
	prog, err := lowerRecorded(m, in)
	if err != nil {
		return nil, err
	}
	var want []*G.Node
	for _, p := range prog.Outputs {
		want = append(want, p.Node)
	}
	vm, err := engine.Compile(want, prog.Bind)
	if err != nil {
		return nil, err
	}
	defer vm.Close()
	for _, p := range prog.Inputs {
		t := in[slices.IndexFunc(m.Inputs, func(v Value) bool { return v.Name == p.Name })]
		if !slices.Equal(t.Shape, p.Shape) {
			return nil, fmt.Errorf("input %q is recorded with shape %v, declared with %v", p.Name, t.Shape, p.Shape)
		}
		b := vm.Buffer(p.Node)
		copy(b.F, t.F)
		copy(b.I, t.I)
	}
	if err := vm.Run(context.Background()); err != nil {
		return nil, err
	}
	var out []*Tensor
	for _, p := range prog.Outputs {
		b := vm.Buffer(p.Node)
		out = append(out, &Tensor{Name: p.Name, DType: p.DType, Shape: p.Shape, F: slices.Clone(b.F), I: slices.Clone(b.I)})
	}
	return out, nil
}

// feedFor feeds the inputs that a value is computed from, and reports whether
// that are any more than before.
func feedFor(m *Model, name string, in []*Tensor, feed map[string]*Tensor) bool {
	if k := slices.IndexFunc(m.Inputs, func(v Value) bool { return v.Name == name }); k >= 0 && feed[name] == nil {
		feed[name] = in[k]
		return true
	}
	more := false
	for _, n := range m.Nodes {
		if name != "" && n.Op != "Shape" && n.Op != "Size" && makes(n, name) {
			for _, input := range slices.Concat(n.Inputs, n.Captures) {
				more = feedFor(m, input, in, feed) || more
			}
		}
	}
	return more
}

// makes reports whether a node, or one of its subgraphs, computes a value.
func makes(n *Node, name string) bool {
	for _, b := range n.bodies {
		if slices.ContainsFunc(b.nodes, func(n *Node) bool { return makes(n, name) }) {
			return true
		}
	}
	return slices.Contains(n.Outputs, name)
}

// agree compares with the tolerance of ONNX's own test runner, plus what
// float32 loses where float64 was recorded. Where bfloat16 was, an element may
// be its neighbour: we keep more digits than the eight bits of that type.
func agree(got, want *Tensor) error {
	if got.DType != want.DType {
		return fmt.Errorf("got %s, want %s", got.DType, want.DType)
	}
	if !slices.Equal(got.Shape, want.Shape) {
		return fmt.Errorf("got shape %v, want %v", got.Shape, want.Shape)
	}
	if len(got.F) != len(want.F) || len(got.I) != len(want.I) {
		return fmt.Errorf("got %d and %d elements, want %d and %d", len(got.F), len(got.I), len(want.F), len(want.I))
	}
	for i, w := range want.I {
		if got.I[i] != w {
			return fmt.Errorf("element %d: got %d, want %d", i, got.I[i], w)
		}
	}
	tolerance := 1e-3
	if want.DType == BFloat16 {
		tolerance = 1.0 / 128
	}
	for i, w := range want.F {
		g, w := float64(got.F[i]), float64(w)
		if g == w || math.IsNaN(g) && math.IsNaN(w) {
			continue
		}
		if !(math.Abs(g-w) <= 1e-6+tolerance*math.Abs(w)) {
			return fmt.Errorf("element %d: got %g, want %g", i, g, w)
		}
	}
	return nil
}

// skipList is testdata/skip.txt: a pattern of path.Match and a reason a line.
type skipList []*skip

type skip struct {
	pattern, reason string
	used            bool
}

func readSkips(t *testing.T) skipList {
	t.Helper()
	var list skipList
	for _, line := range readLines(t, "testdata/skip.txt") {
		pattern, reason, _ := strings.Cut(line, " ")
		if reason = strings.TrimSpace(reason); reason == "" {
			t.Fatalf("testdata/skip.txt: %q has no reason", line)
		}
		list = append(list, &skip{pattern: pattern, reason: reason})
	}
	return list
}

func (l skipList) reason(name string) string {
	for _, s := range l {
		if ok, _ := path.Match(s.pattern, name); ok {
			s.used = true
			return s.reason
		}
	}
	return ""
}

// readLines reads a file without its empty lines and comments.
func readLines(t *testing.T, name string) []string {
	t.Helper()
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var lines []string
	for s := bufio.NewScanner(f); s.Scan(); {
		if line := strings.TrimSpace(s.Text()); line != "" && line[0] != '#' {
			lines = append(lines, line)
		}
	}
	return lines
}

func writeLines(t *testing.T, name string, lines []string) {
	t.Helper()
	text := "# Cases of the ONNX operator tests that pass. Made by: go test ./onnxload -run TestConformance -update\n" +
		strings.Join(lines, "\n") + "\n"
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
