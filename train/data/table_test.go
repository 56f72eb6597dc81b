package data

import (
	"path/filepath"
	"slices"
	"testing"
)

// openText opens a table with the given text.
func openText(t testing.TB, text string, opt Options) (Source, error) {
	t.Helper()
	return Open(filepath.Join(write(t, map[string][]byte{"t.csv": []byte(text)}), "t.csv"), opt)
}

// all are the targets of every example.
func all(t *testing.T, src Source) (targets []float32) {
	t.Helper()
	for i := range src.Len() {
		_, y := read(t, src, i)
		targets = append(targets, y...)
	}
	return targets
}

func TestTable(t *testing.T) {
	for _, c := range []struct {
		name    string
		text    string
		opt     Options
		first   []float32
		targets []float32
		labels  bool
		classes int
		names   []string
	}{
		{name: "names", text: "1,2,b\n3,4,a\n5,6,b\n", first: []float32{1, 2}, targets: []float32{1, 0, 1}, labels: true, classes: 2, names: []string{"a", "b"}},
		{name: "given names", text: "1,2,b\n3,4,a\n", opt: Options{Classes: []string{"c", "b", "a"}}, first: []float32{1, 2}, targets: []float32{1, 2}, labels: true, classes: 3, names: []string{"c", "b", "a"}},
		{name: "header, spaces, blank lines, comments", text: "# made by hand\nu, v, kind\n\n1, 2, 0\n# more\n3,4, 7", first: []float32{1, 2}, targets: []float32{0, 7}, labels: true, classes: 8},
		{name: "header tells only in the label", text: "0,1,kind\n5,6,1\n", first: []float32{5, 6}, targets: []float32{1}, labels: true, classes: 2},
		{name: "base", text: "1,1\n1,3\n", opt: Options{LabelBase: 1}, first: []float32{1}, targets: []float32{0, 2}, labels: true, classes: 3},
		{name: "base with names", text: "1,1\n1,3\n", opt: Options{LabelBase: 1, Classes: []string{"a", "b", "c"}}, first: []float32{1}, targets: []float32{0, 2}, labels: true, classes: 3, names: []string{"a", "b", "c"}},
		{name: "fractions", text: "x;y\n1;0.5\n2;14\n", first: []float32{1}, targets: []float32{0.5, 14}},
		{name: "whole regression", text: "1\t-3\n2\t14\n", opt: Options{Regression: true}, first: []float32{1}, targets: []float32{-3, 14}},
		{name: "label by name", text: "kind,u,v\r\n1,2,3\r\n0,4,5\r\n", opt: Options{Label: "kind"}, first: []float32{2, 3}, targets: []float32{1, 0}, labels: true, classes: 2},
		{name: "label by number", text: "1,2,3\n0,4,5\n", opt: Options{Label: "-3"}, first: []float32{2, 3}, targets: []float32{1, 0}, labels: true, classes: 2},
		{name: "two targets", text: "a,b,c\n1,2,3\n4,5,6\n", opt: Options{Label: "a, c"}, first: []float32{2}, targets: []float32{1, 3, 4, 6}},
		{name: "drop", text: "id,u,kind\nx17,2,1\n", opt: Options{Drop: []string{"id"}}, first: []float32{2}, targets: []float32{1}, labels: true, classes: 2},
		{name: "quotes, byte order mark", text: "\ufeff\"u\",\"the \"\"kind\"\"\"\n\"1e-3\",\"a, b\"\n", first: []float32{1e-3}, targets: []float32{0}, labels: true, classes: 1, names: []string{"a, b"}},
	} {
		src, err := openText(t, c.text, c.opt)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		x, _ := read(t, src, 0)
		if !slices.Equal(x, c.first) {
			t.Errorf("%s: got first row %v, want %v", c.name, x, c.first)
		}
		if got := all(t, src); !slices.Equal(got, c.targets) {
			t.Errorf("%s: got targets %v, want %v", c.name, got, c.targets)
		}
		if got := src.Target(); got.Labels != c.labels || got.Classes != c.classes || !slices.Equal(got.Names, c.names) {
			t.Errorf("%s: got target %+v, want labels %v, %d classes %q", c.name, got, c.labels, c.classes, c.names)
		}
	}
}

func TestTableBad(t *testing.T) {
	for _, c := range []struct {
		name string
		text string
		opt  Options
		want []string
	}{
		{name: "only comments", text: "# nothing\n\n", want: []string{"no rows"}},
		{name: "only a header", text: "a,b,c\n", want: []string{"no rows after"}},
		{name: "one column", text: "1\n2\n", want: []string{"at least two columns", "found 1"}},
		{name: "ragged", text: "u,v,k\n1,2,0\n1,2\n", want: []string{"line 3", "expected 3 columns", "found 2"}},
		{name: "word", text: "u,v,k\n1,2,0\n1,two,0\n", want: []string{"line 3", "column 1 (v)", `found "two"`}},
		{name: "word without header", text: "1,2,3,0\n1,two,3,0\n", want: []string{"line 2", "column 1", `found "two"`}},
		{name: "word in the first row", text: "1,two,3,0\n1,2,3,0\n", want: []string{"line 1", "column 1", `found "two"`}},
		{name: "missing", text: "1,2,0\n1,,0\n", want: []string{"line 2", "column 1", "missing value"}},
		{name: "NaN", text: "1,2,0\n1,nan,0\n", want: []string{"line 2", "finite", `"nan"`}},
		{name: "infinite", text: "1,2,0\n1,-Inf,0\n", want: []string{"line 2", "finite"}},
		{name: "too large", text: "1,2,0\n1,1e39,0\n", want: []string{"line 2", "finite", "1e39"}},
		{name: "beyond float64", text: "1,2,0\n1,1e999,0\n", want: []string{"line 2", "finite", "1e999"}},
		{name: "missing label", text: "1,2,0\n1,2,\n", want: []string{"line 2", "column 2", "expected a label"}},
		{name: "mixed labels", text: "1,2,0\n1,2,cat\n", want: []string{"line 2", "expected a number", `"cat"`}},
		{name: "word among fractions", text: "x,y\n1,.5\n1,n/a\n", want: []string{"line 3", "column 1 (y)", `"n/a"`}},
		{name: "word in regression", text: "1,2\n1,x\n", opt: Options{Regression: true}, want: []string{"line 2", `"x"`}},
		{name: "word among two targets", text: "1,2,3\n1,2,x\n", opt: Options{Label: "1,2"}, want: []string{"line 2", "column 2", `"x"`}},
		{name: "negative label", text: "1,2\n1,-1\n", want: []string{"line 2", "numbered from 0", `"-1"`}},
		{name: "label below the base", text: "1,2\n1,0\n", opt: Options{LabelBase: 1}, want: []string{"line 2", "numbered from 1", `"0"`}},
		{name: "label past the names", text: "1,1\n1,2\n", opt: Options{Classes: []string{"a", "b"}}, want: []string{"line 2", "from 0 to 1", `"2"`}},
		{name: "unknown name", text: "1,a\n1,c\n", opt: Options{Classes: []string{"a", "b"}}, want: []string{"line 2", `["a" "b"]`, `"c"`}},
		{name: "unknown column", text: "u,v,k\n1,2,0\n", opt: Options{Label: "w"}, want: []string{`"w"`, "u, v, k"}},
		{name: "no such column", text: "1,2,0\n", opt: Options{Label: "3"}, want: []string{"from 0 to 2", "found 3"}},
		{name: "label dropped", text: "1,2,0\n", opt: Options{Drop: []string{"2"}}, want: []string{"column 2", "dropped"}},
		{name: "nothing left", text: "1,2,0\n", opt: Options{Drop: []string{"0", "1"}}, want: []string{"no column is left"}},
		{name: "quote", text: "1,2,0\n1,\"2,0\n", want: []string{"line 2", "quote"}},
	} {
		_, err := openText(t, c.text, c.opt)
		wantError(t, c.name, err, append(c.want, "t.csv")...)
	}
}

func TestTableInteger(t *testing.T) {
	for text, want := range map[string]bool{"1,2,0\n3,4,0\n": true, "1,2,0\n3,4.5,0\n": false, "16777216,2,0\n": false} {
		src, err := openText(t, text, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if got := src.Inputs()[0].Integer; got != want {
			t.Errorf("%q: got Integer %v, want %v", text, got, want)
		}
	}
}

func TestCheckLabels(t *testing.T) {
	src, err := openText(t, "u,v,k\n1,2,0\n1,2,2\n", Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := CheckLabels(src, 3); err != nil {
		t.Errorf("3 classes: %v", err)
	}
	wantError(t, "2 classes", CheckLabels(src, 2), "t.csv: line 3", "from 0 to 1", "found 2")

	src, err = openText(t, "1,a\n2,b\n", Options{})
	if err != nil {
		t.Fatal(err)
	}
	wantError(t, "names", CheckLabels(src, 1), "line 2", "found 1 (b)")

	src, err = openText(t, "1,2.5\n", Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := CheckLabels(src, 1); err != nil {
		t.Errorf("regression: %v", err)
	}
}

func FuzzTable(f *testing.F) {
	f.Add("u,v,k\n1,2,0\n", "k", false)
	f.Add("1;2;a\n3;4;b\n", "", true)
	f.Fuzz(func(t *testing.T, text, label string, regression bool) {
		src, err := openText(t, text, Options{Label: label, Regression: regression})
		if err != nil {
			return
		}
		x, y := make([]float32, src.Inputs()[0].Size()), make([]float32, src.Target().Size())
		for i := range src.Len() {
			if err := src.Example(i, [][]float32{x}, y); err != nil {
				t.Fatal(err)
			}
			if src.Target().Labels && (y[0] < 0 || int(y[0]) >= src.Target().Classes) {
				t.Fatalf("got label %v of %d classes", y[0], src.Target().Classes)
			}
		}
	})
}
