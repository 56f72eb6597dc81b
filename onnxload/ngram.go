package onnxload

import (
	"fmt"

	"gorgonia.org/tensor"

	"finetune/internal/op"
)

// TfIdfVectorizer: how often each of a list of short sequences (n-grams) is in the
// input, a row of integers an example; elements of one may have up to
// max_skip_count others between them, the same number everywhere. Mode TF gives the
// counts, IDF 1 for those that are there, TFIDF the counts, both times weights if
// there are any. No gradient flows.
// https://onnx.ai/onnx/operators/onnx__TfIdfVectorizer.html, opset 9. Rejected:
// strings.
func lowerTfIdfVectorizer(c *call) ([]*value, error) {
	v, err := c.vectorizer()
	if err != nil {
		return nil, err
	}
	shape := []int{v.size}
	length := 1
	switch c.rank(0) {
	case 0:
	case 1:
		length = c.shape(0)[0]
	case 2:
		shape, length = []int{c.shape(0)[0], v.size}, c.shape(0)[1]
	default:
		return nil, fmt.Errorf("input has shape %v, want (C) or (N, C)", c.shape(0))
	}
	n, err := op.Compute("TfIdfVectorizer", shape, tensor.Float32, func(k *op.Call) error {
		clear(k.Out.F)
		for row := range len(k.Out.F) / max(v.size, 1) {
			v.count(k.Out.F[row*v.size:][:v.size], k.In[0].I[row*length:][:length])
		}
		return nil
	}, c.node(0))
	return c.resultAs(Float32, n, err)
}

// vectorizer counts n-grams.
type vectorizer struct {
	grams    []gram
	shortest int
	longest  int
	skips    int
	size     int // of a result
	once     bool
	weights  []float32 // nil for ones
}

// gram is a sequence to look for, where its number goes, and its place in the list.
type gram struct {
	what        []int
	to, ordinal int
}

func (c *call) vectorizer() (*vectorizer, error) {
	if c.storageOf(0) != tensor.Int64 || c.Attrs.Has("pool_strings") {
		return nil, unsupported(c.Node, "only integers are supported")
	}
	v := &vectorizer{
		shortest: c.Attrs.Int("min_gram_length", 1), longest: c.Attrs.Int("max_gram_length", 1),
		skips: c.Attrs.Int("max_skip_count", 0), weights: c.Attrs.Floats("weights", nil),
	}
	pool, starts, to := c.Attrs.Ints("pool_int64s", nil), c.Attrs.Ints("ngram_counts", nil), c.Attrs.Ints("ngram_indexes", nil)
	switch mode := c.Attrs.String("mode", "TF"); mode {
	case "TF":
		v.weights = nil
	case "IDF":
		v.once = true
	case "TFIDF":
	default:
		return nil, fmt.Errorf("mode %q is none of TF, IDF, TFIDF", mode)
	}
	if v.shortest < 1 || v.longest < v.shortest || v.skips < 0 || v.longest > maxExtent || v.skips > maxExtent {
		return nil, fmt.Errorf("sequences of %d to %d elements with up to %d between", v.shortest, v.longest, v.skips)
	}
	for i, start := range starts {
		end := len(pool)
		if i+1 < len(starts) {
			end = starts[i+1]
		}
		if start < 0 || end < start || end > len(pool) || (end-start)%(i+1) != 0 {
			return nil, fmt.Errorf("ngram_counts %v do not fit a pool of %d", starts, len(pool))
		}
		for ; start < end; start += i + 1 {
			k := len(v.grams)
			if k >= len(to) || to[k] < 0 || to[k] > maxExtent || v.weights != nil && k >= len(v.weights) {
				return nil, fmt.Errorf("ngram_indexes or weights do not fit sequence %d", k)
			}
			v.size = max(v.size, to[k]+1)
			v.grams = append(v.grams, gram{pool[start : start+i+1], to[k], k})
		}
	}
	return v, nil
}

// count adds up what is in a row of integers. Single elements have nothing between
// them, so they count without skips only.
func (v *vectorizer) count(out []float32, row []int64) {
	for _, g := range v.grams {
		n := len(g.what)
		if n < v.shortest || n > v.longest {
			continue
		}
		for skip := 0; skip <= v.skips && (n > 1 || skip == 0); skip++ {
			for start := 0; start+(n-1)*(skip+1) < len(row); start++ {
				if g.at(row[start:], skip+1) {
					out[g.to]++
				}
			}
		}
		if out[g.to] > 0 && v.once {
			out[g.to] = 1
		}
		if v.weights != nil {
			out[g.to] *= v.weights[g.ordinal]
		}
	}
}

// at reports whether the row begins with the sequence, in steps.
func (g gram) at(row []int64, step int) bool {
	for k, want := range g.what {
		if row[k*step] != int64(want) {
			return false
		}
	}
	return true
}
