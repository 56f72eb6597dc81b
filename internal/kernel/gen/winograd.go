package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func init() { vectors("winograd", winograd) }

// The points at which package kernel evaluates polynomials are 0, ±a, ±b and ∞.
const a, b = 5. / 8, 3. / 2

// The products of the differences between 0, ±a or ±b and the other points.
const (
	atZero = a * a * b * b
	atA    = 2 * a * a * (a*a - b*b)
	atB    = 2 * b * b * (b*b - a*a)
)

// patcher writes transforms of patches. Each multiplies a patch by a matrix from
// the left and by its transpose from the right.
type patcher struct {
	*machine
	held map[float64]operand.Op // factors, in registers if there are enough
}

func winograd(machine *machine) {
	m := &patcher{machine: machine}
	m.patches("winogradSource", 6, 6, []float64{a, b, -a * a, -b * b, a * a * b * b, -(a*a + b*b)}, func(d []vec) []vec {
		out := make([]vec, 6)
		out[0] = m.sumOf(term{1, d[4]}, term{-(a*a + b*b), d[2]}, term{a * a * b * b, d[0]})
		out[1], out[2] = m.plusMinus(m.sumOf(term{1, d[4]}, term{-b * b, d[2]}), a, m.sumOf(term{1, d[3]}, term{-b * b, d[1]}))
		out[3], out[4] = m.plusMinus(m.sumOf(term{1, d[4]}, term{-a * a, d[2]}), b, m.sumOf(term{1, d[3]}, term{-a * a, d[1]}))
		out[5] = m.sumOf(term{1, d[5]}, term{-(a*a + b*b), d[3]}, term{a * a * b * b, d[1]})
		return out
	})
	m.patches("winogradWeights", 3, 6, []float64{1 / atZero, 1 / atA, a / atA, a * a / atA, 1 / atB, b / atB, b * b / atB}, func(g []vec) []vec {
		out := make([]vec, 6)
		out[0] = m.sumOf(term{1 / atZero, g[0]})
		out[1], out[2] = m.plusMinus(m.sumOf(term{1 / atA, g[0]}, term{a * a / atA, g[2]}), a/atA, g[1])
		out[3], out[4] = m.plusMinus(m.sumOf(term{1 / atB, g[0]}, term{b * b / atB, g[2]}), b/atB, g[1])
		out[5] = g[2]
		return out
	})
	m.patches("winogradResult", 6, 4, []float64{a, a * a, a * a * a, b, b * b, b * b * b}, func(p []vec) []vec {
		sumA, differenceA := m.add(p[1], p[2]), m.sub(p[1], p[2])
		sumB, differenceB := m.add(p[3], p[4]), m.sub(p[3], p[4])
		return []vec{
			m.add(m.add(p[0], sumA), sumB),
			m.sumOf(term{a, differenceA}, term{b, differenceB}),
			m.sumOf(term{a * a, sumA}, term{b * b, sumB}),
			m.sumOf(term{1, p[5]}, term{a * a * a, differenceA}, term{b * b * b, differenceB}),
		}
	})
	m.patches("winogradGradient", 4, 6, []float64{a, a * a, b, b * b}, func(y []vec) []vec {
		out := make([]vec, 6)
		out[0] = y[0]
		out[1], out[2] = m.plusMinus(m.sumOf(term{1, y[0]}, term{a * a, y[2]}), a, m.sumOf(term{1, y[1]}, term{a * a, y[3]}))
		out[3], out[4] = m.plusMinus(m.sumOf(term{1, y[0]}, term{b * b, y[2]}), b, m.sumOf(term{1, y[1]}, term{b * b, y[3]}))
		out[5] = y[3]
		return out
	})
	m.patches("winogradWeightGradient", 6, 3, []float64{1 / atZero, 1 / atA, a / atA, a * a / atA, 1 / atB, b / atB, b * b / atB}, func(p []vec) []vec {
		sumA, differenceA := m.add(p[1], p[2]), m.sub(p[1], p[2])
		sumB, differenceB := m.add(p[3], p[4]), m.sub(p[3], p[4])
		return []vec{
			m.sumOf(term{1 / atZero, p[0]}, term{1 / atA, sumA}, term{1 / atB, sumB}),
			m.sumOf(term{a / atA, differenceA}, term{b / atB, differenceB}),
			m.sumOf(term{1, p[5]}, term{a * a / atA, sumA}, term{b * b / atB, sumB}),
		}
	})
	machine.copyPatches()
}

type term struct {
	factor float64
	of     vec
}

// sumOf adds up terms.
func (m *patcher) sumOf(terms ...term) vec {
	var sum vec
	for i, t := range terms {
		switch {
		case i > 0:
			m.gather(sum, t.of, m.held[t.factor])
		case t.factor == 1:
			sum = m.copy(t.of)
		default:
			sum = m.mul(t.of, m.held[t.factor])
		}
	}
	return sum
}

// plusMinus is x + f·y and x - f·y.
func (m *patcher) plusMinus(x vec, f float64, y vec) (plus, minus vec) {
	plus, minus = m.copy(x), x
	c := m.held[f]
	m.gather(plus, y, c)
	m.VFNMADD231PS(c, y, minus)
	return plus, minus
}

// patches writes a function that transforms patches of from by from elements,
// each of which is so many vectors, to such of to by to: first all columns, then
// all rows.
func (m *patcher) patches(name string, from, to int, factors []float64, transform func([]vec) []vec) {
	m.begin(name, "func(dst *float32, dstAt *int32, dstItem, dstMore int, src *float32, srcAt *int32, srcItem, srcMore int, room *float32, vectors, items int)",
		"is a patchMap from %d by %d to %d by %d.", from, from, to, to)
	dst, src := m.integer("dst"), m.integer("src")
	dstAt, srcAt := m.integer("dstAt"), m.integer("srcAt")
	room, items := m.integer("room"), m.integer("items")
	place := func(base, at reg.Register, i int) operand.Mem {
		return m.listed(base, operand.Mem{Base: at, Disp: 4 * i})
	}
	between := func(i, j int) operand.Mem { return operand.Mem{Base: room, Disp: 4 * m.lanes * (i*from + j)} }

	m.held = map[float64]operand.Op{}
	for i, c := range m.holdAll(factors...) {
		m.held[factors[i]] = c
	}
	m.Label("item")
	to1, from1, left := m.GP64(), m.GP64(), m.integer("vectors")
	m.MOVQ(dst, to1)
	m.MOVQ(src, from1)
	m.Label("vector")
	for j := range from {
		in := make([]vec, from)
		for i := range in {
			in[i] = m.copy(place(from1, srcAt, i*from+j))
		}
		for i, v := range transform(in) {
			m.VMOVUPS(v, between(i, j))
		}
	}
	for i := range to {
		in := make([]vec, from)
		for j := range in {
			in[j] = m.copy(between(i, j))
		}
		for j, v := range transform(in) {
			m.VMOVUPS(v, place(to1, dstAt, i*to+j))
		}
	}
	m.ADDQ(operand.U32(4*m.lanes), to1)
	m.ADDQ(operand.U32(4*m.lanes), from1)
	m.DECQ(left)
	m.JNZ(operand.LabelRef("vector"))
	m.nextItem(dst, dstAt, src, srcAt)
	m.DECQ(items)
	m.JNZ(operand.LabelRef("item"))
	m.end()
}

// listed is the place of which a list of offsets from base has that number.
func (m *machine) listed(base reg.Register, number operand.Mem) operand.Mem {
	offset := m.GP64()
	m.MOVLQSX(number, offset)
	return operand.Mem{Base: base, Index: offset, Scale: 1}
}

// nextItem turns to the next patch.
func (m *machine) nextItem(dst, dstAt, src, srcAt reg.Register) {
	for _, step := range []struct {
		r  reg.Register
		by string
	}{{dst, "dstItem"}, {dstAt, "dstMore"}, {src, "srcItem"}, {srcAt, "srcMore"}} {
		m.ADDQ(m.address(m.Param(step.by)), step.r)
	}
}

func (m *machine) copyPatches() {
	m.begin("copyPatches", "func(dst *float32, dstAt *int32, dstItem, dstMore int, src *float32, srcAt *int32, srcItem, srcMore int, points, vectors, items int)",
		"is a patchMap that changes nothing.")
	dst, src := m.integer("dst"), m.integer("src")
	dstAt, srcAt := m.integer("dstAt"), m.integer("srcAt")
	points, vectors, items := m.integer("points"), m.integer("vectors"), m.integer("items")
	m.Label("item")
	i := m.GP64()
	m.XORQ(i, i)
	m.Label("point")
	from, to := m.GP64(), m.GP64()
	m.LEAQ(m.listed(src, operand.Mem{Base: srcAt, Index: i, Scale: 4}), from)
	m.LEAQ(m.listed(dst, operand.Mem{Base: dstAt, Index: i, Scale: 4}), to)
	left := m.GP64()
	m.MOVQ(vectors, left)
	m.Label("vector")
	m.VMOVUPS(m.copy(operand.Mem{Base: from}), operand.Mem{Base: to})
	m.ADDQ(operand.U32(4*m.lanes), from)
	m.ADDQ(operand.U32(4*m.lanes), to)
	m.DECQ(left)
	m.JNZ(operand.LabelRef("vector"))
	m.INCQ(i)
	m.CMPQ(i, points)
	m.JNE(operand.LabelRef("point"))
	m.nextItem(dst, dstAt, src, srcAt)
	m.DECQ(items)
	m.JNZ(operand.LabelRef("item"))
	m.end()
}
