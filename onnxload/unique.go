package onnxload

import (
	"cmp"
	"slices"

	"finetune/internal/op"
)

// Unique: the different slices along an axis, or elements of the whole input, in
// rising order, or with attribute sorted 0 in that of their first place; then their
// first places, the number of the one that each slice equals, and how often each is
// there.
// https://onnx.ai/onnx/operators/onnx__Unique.html, opset 11. Rejected: an input
// that is not constant, because the shape depends on it.
func lowerUnique(c *call) ([]*value, error) {
	x, err := c.known(0, c.storageOf(0), "the input")
	if err != nil {
		return nil, err
	}
	shape, at := []int{c.in[0].size()}, 0
	if c.Attrs.Has("axis") {
		shape = slices.Clone(c.shape(0))
		if at, err = axis(c.Attrs.Int("axis", 0), len(shape)); err != nil {
			return nil, err
		}
	}
	n, inner := shape[at], product(shape[at+1:])
	slice := func(i int) []int { // the places of its elements
		var list []int
		for o := range product(shape[:at]) {
			for k := range inner {
				list = append(list, (o*n+i)*inner+k)
			}
		}
		return list
	}
	compare := func(a, b int) int {
		pa, pb := slice(a), slice(b)
		for k := range pa {
			order := 0
			if x.F != nil {
				order = cmp.Compare(x.F[pa[k]], x.F[pb[k]])
			} else {
				order = cmp.Compare(x.I[pa[k]], x.I[pb[k]])
			}
			if order != 0 {
				return order
			}
		}
		return 0
	}
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, compare)
	var groups [][]int // slices that are equal, in order of their places
	for i, k := range order {
		if i > 0 && compare(order[i-1], k) == 0 {
			groups[len(groups)-1] = append(groups[len(groups)-1], k)
		} else {
			groups = append(groups, []int{k})
		}
	}
	if c.Attrs.Int("sorted", 1) == 0 {
		slices.SortFunc(groups, func(a, b []int) int { return cmp.Compare(a[0], b[0]) })
	}
	first, inverse, counts := make([]int64, len(groups)), make([]int64, n), make([]int64, len(groups))
	for g, list := range groups {
		first[g], counts[g] = int64(list[0]), int64(len(list))
		for _, k := range list {
			inverse[k] = int64(g)
		}
	}
	y, err := op.Reshape(c.node(0), shape...)
	if err == nil {
		y, err = op.Gather(y, c.constantInts([]int{len(groups)}, first), at)
	}
	if err != nil {
		return nil, err
	}
	list := func(data []int64) *value {
		return &value{dtype: Int64, shape: []int{len(data)}, known: true, data: op.Buffer{I: data}}
	}
	return []*value{c.value(c.in[0].dtype, y), list(first), list(inverse), list(counts)}, nil
}
