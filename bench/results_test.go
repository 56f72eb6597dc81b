package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestResults keeps what was measured, one result for each name, and only of this
// processor.
func TestResults(t *testing.T) {
	path := filepath.Join(t.TempDir(), "page.md")
	here := machine{Processor: "ours"}
	r, err := readResults(path, here)
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range []result{
		{Part: "machine", Machine: &here},
		{Part: "table", Name: "a", Revision: "1", Seconds: 2, Row: &row{Ours: pointer(1)}},
		{Part: "table", Name: "b", Revision: "1", Seconds: 3, Row: &row{}},
		{Part: "table", Name: "a", Revision: "2", Seconds: 4, Row: &row{Ours: pointer(5), Low: 0.5}},
	} {
		if err := r.put(one); err != nil {
			t.Fatal(err)
		}
	}
	if r, err = readResults(path, here); err != nil {
		t.Fatal(err)
	}
	if got := r.row("table", "a"); len(r.list) != 3 || *got.Ours != 5 || got.Low != 0.5 {
		t.Errorf("got %d results and %+v, want 3 and the last row", len(r.list), got)
	}
	if got := strings.Join(r.revisions("table"), " "); got != "2 1" || r.took().Seconds() != 7 {
		t.Errorf("got revisions %s in %v, want 2 1 in 7 s", got, r.took())
	}
	if r, err = readResults(path, machine{Processor: "another"}); err != nil || len(r.list) != 0 {
		t.Errorf("got %d results of another processor, %v", len(r.list), err)
	}
}

// TestPage says which goals are met, and where the time goes where one is not.
func TestPage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "page.md")
	r := &results{file: filepath.Join(pictures(path), "results.jsonl")}
	w, err := find("cnn")
	if err != nil {
		t.Fatal(err)
	}
	put := func(one result) {
		t.Helper()
		if err := r.put(one); err != nil {
			t.Fatal(err)
		}
	}
	figures := func(ratio float64) *row {
		return &row{Workload: w.name, Ours: pointer(10), Theirs: pointer(10 / ratio), Ratio: pointer(ratio), OursMB: pointer(70), TheirsMB: pointer(100)}
	}
	put(result{Part: "table", Name: tableName(w, 1, tuned), Row: figures(w.goalTuned + 0.004)})
	put(result{Part: "table", Name: tableName(w, 2, tuned), Row: figures(w.goalTuned + 0.2)})
	put(result{Part: "profiles", Name: "cnn/1", Profile: "of one thread\n"})
	put(result{Part: "profiles", Name: "cnn/2", Profile: "of two threads\n"})
	put(result{Part: "products", Name: "products", Products: &products{Sets: []productSet{{"avx2", 1e11, []float64{0.9, 1, 1, 1, 1}}}}})
	put(result{Part: "growth", Name: "sparsity-cnn/0", Row: figures(1)})
	put(result{Part: "growth", Name: "sparsity-cnn/50", Row: figures(0.5)})
	p := page{results: r, bench: &bench{rounds: 15, l1As: "loss"}}
	if err := p.write(path); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	for _, want := range []string{"| 0.50 ✓ |", "| 0.50 ✗ |", "of two threads", "| 0.90 ✓ |", "| 0.70 ✗ |", "| 1.00 | 1.00 |", "benchmarks/sparsity-cnn.svg"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if strings.Contains(text, "of one thread\n```") {
		t.Error("there is a profile of a row that meets its goal")
	}
	if _, err := os.Stat(filepath.Join(pictures(path), "sparsity-cnn.svg")); err != nil {
		t.Error(err)
	}
}
