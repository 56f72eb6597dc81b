package data

import (
	"slices"
	"testing"

	"finetune/internal/corpus"
)

// read is example i of a source with one input.
func read(t *testing.T, src Source, i int) (x, y []float32) {
	t.Helper()
	x = make([]float32, src.Inputs()[0].Size())
	y = make([]float32, src.Target().Size())
	if err := src.Example(i, [][]float32{x}, y); err != nil {
		t.Fatal(err)
	}
	return x, y
}

func TestOpenCorpus(t *testing.T) {
	for _, c := range []struct {
		path    string
		opt     Options
		n       int
		shape   []int
		classes int // 0: regression
		first   []float32
		label   float32
		where   string
	}{
		{path: "mnist", n: 60000, shape: []int{28, 28, 1}, classes: 10, label: 5, where: "mnist/train-images-idx3-ubyte.gz: record 0"},
		{path: "mnist", opt: Options{Split: "test"}, n: 10000, shape: []int{28, 28, 1}, classes: 10, label: 7},
		{path: "mnist/t10k-images-idx3-ubyte.gz", n: 10000, shape: []int{28, 28, 1}, classes: 10, label: 7},
		{path: "iris/iris.csv", n: 150, shape: []int{4}, classes: 3, first: []float32{5.1, 3.5, 1.4, 0.2}, label: 0, where: "iris/iris.csv: line 1"},
		{path: "wine/wine.csv", opt: Options{LabelBase: 1}, n: 178, shape: []int{13}, classes: 3, first: []float32{14.23, 1.71}, label: 0},
		{path: "breast-cancer-wdbc/wdbc.data", opt: Options{Drop: []string{"0", "31"}}, n: 569, shape: []int{30}, classes: 2, first: []float32{17.99, 10.38}, label: 0, where: "breast-cancer-wdbc/wdbc.data: line 2"},
		{path: "uci-digits/optdigits.tra", n: 2999, shape: []int{64}, classes: 10, first: []float32{0, 1, 6, 15}, label: 0},
		{path: "california-housing/housing.csv", opt: Options{Label: "median_income", Drop: []string{"total_bedrooms", "ocean_proximity"}}, n: 20640, shape: []int{7}, first: []float32{-122.23, 37.88, 41, 880, 322}, label: 8.3252},
	} {
		path := corpus.Path(t, "datasets/"+c.path)
		src, err := Open(path, c.opt)
		if err != nil {
			t.Errorf("%s: %v", c.path, err)
			continue
		}
		x, y := read(t, src, 0)
		target := src.Target()
		if src.Len() != c.n || !slices.Equal(src.Inputs()[0].Shape, c.shape) || target.Classes != c.classes || target.Labels != (c.classes > 0) {
			t.Errorf("%s: got %d examples, %+v, %+v; want %d of shape %v, %d classes", c.path, src.Len(), src.Inputs(), target, c.n, c.shape, c.classes)
		}
		if len(c.first) > 0 && !slices.Equal(x[:len(c.first)], c.first) {
			t.Errorf("%s: got first values %v, want %v", c.path, x[:len(c.first)], c.first)
		}
		if y[0] != c.label {
			t.Errorf("%s: got first label %v, want %v", c.path, y[0], c.label)
		}
		if want := corpus.Path(t, "datasets"); c.where != "" && src.Where(0) != want+"/"+c.where {
			t.Errorf("got Where %q, want the end to be %q", src.Where(0), c.where)
		}
	}
}
