package onnxload

import (
	"fmt"
	"slices"
	"strings"

	G "gorgonia.org/gorgonia"

	"finetune/internal/op"
)

// Einsum: the sum of products that an equation describes: each operand's axes
// are named by letters, axes of one letter go together, and letters that the
// result does not have are summed over; an ellipsis stands for any axes, which
// are broadcast. Operands are joined two at a time, each time by a product of
// matrices.
// https://onnx.ai/onnx/operators/onnx__Einsum.html, opset 12. Rejected: integers.
func lowerEinsum(c *call) ([]*value, error) {
	for i := range c.in {
		if !c.has(i) || !c.in[i].dtype.IsFloat() {
			return nil, unsupported(c.Node, fmt.Sprintf("input %d is missing or no float", i))
		}
	}
	terms, out, err := c.equation()
	if err != nil {
		return nil, err
	}
	var list []labelled
	for i, names := range terms {
		t, err := newLabelled(c.node(i), names)
		if err != nil {
			return nil, fmt.Errorf("input %d: %w", i, err)
		}
		list = append(list, t)
	}
	total := list[0]
	for i := 1; i <= len(list); i++ {
		// What later operands and the result still need.
		keep := slices.Clone(out)
		for _, t := range list[i:] {
			keep = append(keep, t.names...)
		}
		if i == len(list) {
			if total, err = total.without(keep); err != nil {
				return nil, err
			}
			break
		}
		if total, err = total.times(list[i], keep[:]); err != nil {
			return nil, err
		}
	}
	return c.result(total.inOrder(out))
}

// equation is the names of the axes of the inputs and of the result. Axes of an
// ellipsis are named by digits, from the last on.
func (c *call) equation() (terms [][]rune, out []rune, err error) {
	text := strings.ReplaceAll(c.Attrs.String("equation", ""), " ", "")
	left, right, explicit := strings.Cut(text, "->")
	parts := strings.Split(left, ",")
	if len(parts) != len(c.in) {
		return nil, nil, fmt.Errorf("equation %q has %d operands, there are %d inputs", text, len(parts), len(c.in))
	}
	widest := 0
	for i, p := range parts {
		names, spread, err := axisNames(p, c.rank(i))
		if err != nil {
			return nil, nil, fmt.Errorf("equation %q: input %d of shape %v: %w", text, i, c.shape(i), err)
		}
		widest = max(widest, spread)
		terms = append(terms, names)
	}
	if explicit {
		out, _, err = axisNames(right, len(strings.ReplaceAll(right, "...", ""))+widest)
		if err == nil && !strings.Contains(right, "...") {
			out, _, err = axisNames(right, len(right))
		}
	} else {
		out = implicitNames(terms, widest)
	}
	for i, r := range out {
		if err == nil && (slices.Contains(out[:i], r) || !slices.ContainsFunc(terms, func(t []rune) bool { return slices.Contains(t, r) })) {
			err = fmt.Errorf("equation %q: the result has an axis twice, or one that no input has", text)
		}
	}
	return terms, out, err
}

// axisNames names rank axes, and says how many of them an ellipsis stands for.
func axisNames(p string, rank int) (names []rune, spread int, err error) {
	before, after, dots := strings.Cut(p, "...")
	for _, r := range before + after {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') {
			return nil, 0, fmt.Errorf("%q is no letter", r)
		}
	}
	spread = rank - len(before) - len(after)
	if spread < 0 || spread > 0 && !dots {
		return nil, 0, fmt.Errorf("%q names %d axes", p, len(before)+len(after))
	}
	names = []rune(before)
	for k := range spread {
		names = append(names, ellipsisName(spread-1-k))
	}
	return append(names, []rune(after)...), spread, nil
}

// ellipsisName is the name of the k-th axis from the end of an ellipsis.
func ellipsisName(k int) rune { return '0' + rune(k) }

// implicitNames is the result of an equation without one: the ellipsis and the
// letters that come once, in alphabetical order.
func implicitNames(terms [][]rune, widest int) []rune {
	var out, letters []rune
	for k := range widest {
		out = append(out, ellipsisName(widest-1-k))
	}
	count := map[rune]int{}
	for _, r := range slices.Concat(terms...) {
		if count[r]++; count[r] == 1 && r >= 'A' {
			letters = append(letters, r)
		}
	}
	slices.Sort(letters)
	for _, r := range letters {
		if count[r] == 1 {
			out = append(out, r)
		}
	}
	return out
}

// labelled is a node whose axes have names, each once.
type labelled struct {
	node  *G.Node
	names []rune
}

// newLabelled takes the diagonal of axes of one name.
func newLabelled(n *G.Node, names []rune) (labelled, error) {
	t := labelled{n, slices.Clone(names)}
	for {
		i, j := t.twice()
		if i < 0 {
			return t, nil
		}
		shape := t.node.Shape()
		d := shape[i]
		if shape[j] != d {
			return t, fmt.Errorf("axes of %d and %d elements have one name", d, shape[j])
		}
		// Both axes to the end, and of their square every (d+1)-th element.
		rest := slices.Concat(without(shape, i, j))
		order := append(without(t.names, i, j), t.names[i])
		n, err := op.Transpose(t.node, append(axesWithout(len(shape), i, j), i, j))
		if err == nil {
			n, err = op.Reshape(n, append(slices.Clone(rest), d*d)...)
		}
		if err == nil {
			starts, ends, steps := make([]int, len(rest)+1), append(slices.Clone(rest), d*d), slices.Repeat([]int{1}, len(rest)+1)
			steps[len(rest)] = d + 1
			n, err = op.Slice(n, starts, ends, steps)
		}
		if err != nil {
			return t, err
		}
		t = labelled{n, order}
	}
}

// twice is two axes of one name, or −1.
func (t labelled) twice() (i, j int) {
	for j, r := range t.names {
		if i := slices.Index(t.names[:j], r); i >= 0 {
			return i, j
		}
	}
	return -1, -1
}

// without is a list without two of its elements.
func without[T any](list []T, i, j int) []T {
	var out []T
	for k, v := range list {
		if k != i && k != j {
			out = append(out, v)
		}
	}
	return out
}

func axesWithout(rank, i, j int) []int {
	all := make([]int, rank)
	for k := range all {
		all[k] = k
	}
	return without(all, i, j)
}

// size is the length of an axis; 1 if there is none of that name.
func (t labelled) size(name rune) int {
	if k := slices.Index(t.names, name); k >= 0 {
		return t.node.Shape()[k]
	}
	return 1
}

// without sums over the axes that are not to be kept.
func (t labelled) without(keep []rune) (labelled, error) {
	var over []int
	var left []rune
	for k, r := range t.names {
		if slices.Contains(keep, r) {
			left = append(left, r)
		} else {
			over = append(over, k)
		}
	}
	if over == nil {
		return t, nil
	}
	n, err := op.ReduceSum(t.node, over, false)
	return labelled{n, left}, err
}

// times joins two operands to one with the axes that are to be kept.
func (t labelled) times(u labelled, keep []rune) (labelled, error) {
	t, err := t.without(append(slices.Clone(keep), u.names...))
	if err == nil {
		u, err = u.without(append(slices.Clone(keep), t.names...))
	}
	if err != nil {
		return t, err
	}
	var both, summed, left, right []rune
	for _, r := range t.names {
		switch {
		case !slices.Contains(u.names, r):
			left = append(left, r)
		case slices.Contains(keep, r):
			both = append(both, r)
		default:
			summed = append(summed, r)
		}
	}
	for _, r := range u.names {
		if !slices.Contains(t.names, r) {
			right = append(right, r)
		}
	}
	for _, r := range slices.Concat(both, summed) {
		a, b := t.size(r), u.size(r)
		if a != b && a != 1 && b != 1 {
			return t, fmt.Errorf("axes %q of %d and %d elements", r, a, b)
		}
	}
	a, err := t.matrix(u, both, left, summed)
	if err != nil {
		return t, err
	}
	b, err := u.matrix(t, both, summed, right)
	if err != nil {
		return t, err
	}
	y, err := op.MatMul(a, b, false, false)
	if err != nil {
		return t, err
	}
	names := slices.Concat(both, left, right)
	shape := make([]int, len(names))
	for k, r := range names {
		shape[k] = max(t.size(r), u.size(r))
		if t.size(r) == 0 || u.size(r) == 0 {
			shape[k] = 0
		}
	}
	y, err = op.Reshape(y, shape...)
	return labelled{y, names}, err
}

// matrix is the operand as (common axes, rows, columns), with axes of length 1
// stretched to those of the other.
func (t labelled) matrix(other labelled, both, rows, cols []rune) (*G.Node, error) {
	names := slices.Concat(both, rows, cols)
	n, err := t.inOrder(names)
	if err != nil {
		return nil, err
	}
	shape, full := []int{1, 1, 1}, make([]int, len(names))
	for k, r := range names {
		full[k] = n.Shape()[k]
		if full[k] == 1 {
			full[k] = max(1, other.size(r))
		}
		switch {
		case k < len(both):
			shape[0] *= full[k]
		case k < len(both)+len(rows):
			shape[1] *= full[k]
		default:
			shape[2] *= full[k]
		}
	}
	if n, err = op.Expand(n, full); err != nil {
		return nil, err
	}
	return op.Reshape(n, shape...)
}

// inOrder is the node with its axes in the order of the names.
func (t labelled) inOrder(names []rune) (*G.Node, error) {
	perm := make([]int, len(names))
	for k, r := range names {
		perm[k] = slices.Index(t.names, r)
	}
	return op.Transpose(t.node, perm)
}
