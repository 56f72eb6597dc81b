package optim

import (
	"fmt"
	"math"
	"slices"
	"testing"
)

// outputsOf names the output of each weight by its indices along all axes but those
// of the inputs and of the kernel.
func outputsOf(p *Param) []string {
	out, in := p.OutAxis(), p.InAxis()
	names := make([]string, len(p.Value))
	for k := range names {
		at, rest := make([]int, p.Rank()), k
		for axis := p.Rank() - 1; axis >= 0; axis-- {
			at[axis], rest = rest%p.Shape[axis], rest/p.Shape[axis]
		}
		group := 0
		if p.Groups > 1 && in == 0 {
			group = at[in] / (p.Shape[in] / p.Groups)
		}
		names[k] = fmt.Sprint(at[:min(in, out)], group, at[out])
		if p.Op == "Einsum" {
			names[k] = fmt.Sprint(at[out:])
		}
	}
	return names
}

// TestFilters holds the filters of all kinds of weights against the indices of
// their outputs, and what group lasso and pruning take with what the others do.
func TestFilters(t *testing.T) {
	grouped := weight("ConvTranspose", true, 6, 4, 2, 2)
	grouped.Groups = 3
	for _, test := range []struct {
		p       *Param
		out, in int
		groups  int
	}{
		{weight("Conv", false, 8, 3, 3, 3), 0, 1, 8},
		{weight("ConvTranspose", true, 6, 4, 2, 2), 1, 0, 4},
		{grouped, 1, 0, 12},
		{weight("Gemm", false, 5, 300), 0, 1, 5},
		{weight("Gemm", true, 7, 300), 1, 0, 300}, // more than a task takes
		{weight("MatMul", true, 5, 8), 1, 0, 8},
		{weight("MatMul", true, 2, 5, 8), 2, 1, 16},
		{weight("MatMul", false, 2, 5, 8), 1, 2, 10},
		{weight("LSTM", false, 2, 12, 5), 1, 2, 24},
		{weight("Einsum", true, 5, 3, 4), 1, 0, 12},
	} {
		p := test.p
		if p.OutAxis() != test.out || p.InAxis() != test.in {
			t.Errorf("%s: got outputs along axis %d and inputs along %d, want %d and %d", p.Name, p.OutAxis(), p.InAxis(), test.out, test.in)
		}
		filters := Grouping("filters").tiling(p)
		group := make([]int, len(p.Value))
		sizes := make([]int, filters.groups())
		filters.each(func(g, lo, hi int) {
			for i := lo; i < hi; i++ {
				group[i]++ // counts visits, at first
			}
		})
		if slices.Min(group) != 1 || slices.Max(group) != 1 {
			t.Errorf("%s: got elements visited %d to %d times, want once", p.Name, slices.Min(group), slices.Max(group))
		}
		filters.each(func(g, lo, hi int) {
			for i := lo; i < hi; i++ {
				group[i] = g
				sizes[g]++
			}
		})
		of := map[string]int{}
		for i, name := range outputsOf(p) {
			if g, seen := of[name]; seen && g != group[i] {
				t.Fatalf("%s: weight %d of output %s is in group %d, want %d", p.Name, i, name, group[i], g)
			}
			of[name] = group[i]
		}
		if len(of) != test.groups || filters.groups() != test.groups {
			t.Errorf("%s: got %d groups for %d outputs, want %d", p.Name, filters.groups(), len(of), test.groups)
		}
		for g, size := range sizes {
			if filters.size(g) != size {
				t.Errorf("%s: group %d: got size %d, want %d", p.Name, g, filters.size(g), size)
			}
		}
		// A threshold between the lengths of the middle filters makes half of them zero.
		order := filters.norms(p.Value, nil)
		slices.Sort(order)
		half := len(order) / 2
		limit := (order[half-1] + order[half]) / 2 / math.Sqrt(float64(filters.size(0)))
		shrunk, pruned := weight(p.Op, p.InFirst, p.Shape...), weight(p.Op, p.InFirst, p.Shape...)
		shrunk.Groups, pruned.Groups = p.Groups, p.Groups
		shrunk.shrinkGroups("filters", limit)
		prunedOnce(t, Pruning{Pattern: "filters", Sparsity: Set(float64(half) / float64(len(order)))}, pruned)
		for i := range p.Value {
			if (shrunk.Value[i] == 0) != (pruned.Value[i] == 0) {
				t.Fatalf("%s, weight %d: group lasso leaves %g, pruning %g, want both zero or none", p.Name, i, shrunk.Value[i], pruned.Value[i])
			}
		}
	}
}

// TestUnits: clipping and centralisation take the weights of an output together,
// which are a column where inputs come first.
func TestUnits(t *testing.T) {
	p := weight("MatMul", true, 2, 2)
	copy(p.Value, []float32{3, 0, 4, 1})
	copy(p.Grad, []float32{6, 1, 8, 3})
	ClipAdaptive([]*Param{p}, 1)
	for i, want := range []float64{3, 1 / math.Sqrt(10), 4, 3 / math.Sqrt(10)} {
		if got := float64(p.Grad[i]); math.Abs(got-want) > 1e-6 {
			t.Errorf("clipped, %d: got %g, want %g", i, got, want)
		}
	}
	copy(p.Grad, []float32{6, 1, 8, 3})
	Centralize([]*Param{p})
	if want := []float32{-1, -1, 1, 1}; !slices.Equal(p.Grad, want) {
		t.Errorf("centralised: got %v, want %v", p.Grad, want)
	}
}
