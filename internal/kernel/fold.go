package kernel

import (
	"fmt"
	"math"
)

// Folding is what a Fold makes of the elements it meets.
type Folding int

// The foldings. That of no elements is the number that changes no other: minus
// infinity for the largest, or the smallest int64, and so on.
const (
	Largest Folding = iota
	Smallest
	Product
)

// Fold reduces x as planned: each result is the largest, smallest or product of
// the elements that belong to it. NaN is both the largest and the smallest.
func Fold[T Number](kind Folding, out, x []T, r *Reduction) {
	if len(out) != r.out || len(x) != r.size {
		panic(fmt.Sprintf("kernel: got %d elements to fold to %d, want %d to %d", len(x), len(out), r.size, r.out))
	}
	if r.size == 0 {
		for i := range out {
			out[i] = neutral[T](kind)
		}
		return
	}
	switch out := any(out).(type) {
	case []float32:
		a := foldArgs[float32]{kind, out, any(x).([]float32), r}
		if r.inner {
			foldFloatRuns.do(r.out, chunk*r.out/r.size, a)
		} else {
			n := r.blocks()
			foldFloatColumns.do(n, chunk*n/r.size, a)
		}
	case []int64:
		a := foldArgs[int64]{kind, out, any(x).([]int64), r}
		if r.inner {
			foldRuns(&a, 0, r.out)
		} else {
			foldColumns(&a, 0, r.blocks())
		}
	}
}

// neutral is the number that changes no other.
func neutral[T Number](kind Folding) T {
	one := T(1)
	switch any(one).(type) {
	case int64:
		switch kind {
		case Largest:
			return any(int64(math.MinInt64)).(T)
		case Smallest:
			return any(int64(math.MaxInt64)).(T)
		}
	case float32:
		switch kind {
		case Largest:
			return T(math.Inf(-1))
		case Smallest:
			return T(math.Inf(1))
		}
	}
	return one
}

type foldArgs[T Number] struct {
	kind   Folding
	out, x []T
	r      *Reduction
}

var (
	foldFloatRuns    = split(foldRuns[float32])
	foldFloatColumns = split(foldColumns[float32])
)

// foldRuns makes results lo to hi where the innermost axis is reduced.
func foldRuns[T Number](a *foldArgs[T], lo, hi int) {
	r := a.r
	var at, in cursor
	at.seek(r.kept, lo)
	pieces := product(r.reduced)
	for o := lo; o < hi; o++ {
		base := at.offset(r.keptStrides)
		in.seek(r.reduced, 0)
		total := neutral[T](a.kind)
		for range pieces {
			p := base + in.offset(r.reducedStrides)
			total = foldRun(a.kind, total, a.x[p:p+r.run])
			in.advance(r.reduced, 1)
		}
		a.out[o] = total
		at.advance(r.kept, 1)
	}
}

func foldRun[T Number](kind Folding, total T, x []T) T {
	switch kind {
	case Largest:
		for _, v := range x {
			total = max(total, v)
		}
	case Smallest:
		for _, v := range x {
			total = min(total, v)
		}
	case Product:
		for _, v := range x {
			total *= v
		}
	}
	return total
}

// foldColumns makes blocks lo to hi where the innermost axis is kept.
func foldColumns[T Number](a *foldArgs[T], lo, hi int) {
	r := a.r
	perRun := blocks(r.run, sumBlock)
	pieces := product(r.reduced)
	var at, in cursor
	for b := lo; b < hi; b++ {
		at.seek(r.kept, b/perRun)
		col := b % perRun * sumBlock
		width := min(sumBlock, r.run-col)
		base := at.offset(r.keptStrides) + col
		out := a.out[b/perRun*r.run+col:][:width]
		for i := range out {
			out[i] = neutral[T](a.kind)
		}
		in.seek(r.reduced, 0)
		for range pieces {
			p := base + in.offset(r.reducedStrides)
			foldInto(a.kind, out, a.x[p:p+width])
			in.advance(r.reduced, 1)
		}
	}
}

func foldInto[T Number](kind Folding, out, x []T) {
	switch kind {
	case Largest:
		Max(out, out, x)
	case Smallest:
		Min(out, out, x)
	case Product:
		for i, v := range x {
			out[i] *= v
		}
	}
}

// ProductGrad computes the gradient of Fold with Product: dx = g times the
// product of all other elements that x belongs with. Zeros are counted, not
// divided by.
func ProductGrad(dx, x, g []float32, r *Reduction) {
	if len(dx) != r.size || len(x) != r.size || len(g) != r.out {
		panic(fmt.Sprintf("kernel: got %d, %d and %d elements, want %d, %d and %d", len(dx), len(x), len(g), r.size, r.size, r.out))
	}
	if r.size == 0 {
		return
	}
	run, columns := r.run, 1
	if !r.inner {
		run, columns = 1, r.run
	}
	var at, in cursor
	pieces := product(r.reduced)
	for o := range g {
		at.seek(r.kept, o/columns)
		base := at.offset(r.keptStrides) + o%columns
		zeros, rest := 0, 1.0
		in.seek(r.reduced, 0)
		for range pieces {
			p := base + in.offset(r.reducedStrides)
			for _, v := range x[p : p+run] {
				if v == 0 {
					zeros++
				} else {
					rest *= float64(v)
				}
			}
			in.advance(r.reduced, 1)
		}
		in.seek(r.reduced, 0)
		for range pieces {
			p := base + in.offset(r.reducedStrides)
			for i := p; i < p+run; i++ {
				switch {
				case zeros == 0:
					dx[i] = float32(float64(g[o]) * rest / float64(x[i]))
				case zeros == 1 && x[i] == 0:
					dx[i] = float32(float64(g[o]) * rest)
				default:
					dx[i] = 0
				}
			}
			in.advance(r.reduced, 1)
		}
	}
}
