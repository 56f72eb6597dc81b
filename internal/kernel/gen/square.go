package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// squares are vectors of neighbouring squares of two by two elements.
type squares struct {
	weave
	index           reg.GPVirtual // of the squares
	low, high, half operand.Op    // masks of elements, and of squares; nil for all
}

// squares writes a loop over rows of n squares, and over vectors of those.
// Arrays of elements have two rows for each row of squares.
func (m *machine) squares(elements, perSquare []reg.GPVirtual, body func(s *squares)) {
	n := m.integer("n")
	whole, rest := m.GP64(), m.GP64()
	m.MOVQ(n, whole)
	m.ANDQ(operand.I8(-m.lanes), whole)
	m.MOVQ(n, rest)
	m.SUBQ(whole, rest)
	half := m.firstAt(rest)
	m.ADDQ(rest, rest)
	low := m.firstAt(rest)
	m.SUBQ(operand.U8(m.lanes), rest)
	high := m.firstAt(rest)
	s := squares{weave: m.weave(), index: m.GP64()}
	m.rows(func() {
		loop, tail, next := m.label("loop"), m.label("tail"), m.label("next")
		m.XORQ(s.index, s.index)
		m.Label(loop)
		m.CMPQ(s.index, whole)
		m.JEQ(operand.LabelRef(tail))
		body(&s)
		m.ADDQ(operand.U8(m.lanes), s.index)
		m.JMP(operand.LabelRef(loop))
		m.Label(tail)
		m.CMPQ(s.index, n)
		m.JEQ(operand.LabelRef(next))
		part := s
		part.low, part.high, part.half = low, high, half
		body(&part)
		m.Label(next)
		for range 2 {
			for _, array := range elements {
				m.LEAQ(operand.Mem{Base: array, Index: n, Scale: 8}, array)
			}
		}
		for _, array := range perSquare {
			m.LEAQ(operand.Mem{Base: array, Index: n, Scale: 4}, array)
		}
	})
}

// row is where two vectors of elements lie in the upper or the lower row.
func (s *squares) row(array reg.GPVirtual, lower bool) (low, high operand.Mem) {
	if lower {
		next := s.m.GP64()
		s.m.MOVQ(s.m.address(s.m.Param("n")), next)
		s.m.LEAQ(operand.Mem{Base: array, Index: next, Scale: 8}, next)
		array = next
	}
	low = operand.Mem{Base: array, Index: s.index, Scale: 8}
	high = low
	high.Disp = 4 * s.m.lanes
	return low, high
}

// load reads the four elements of squares.
func (s *squares) load(array reg.GPVirtual) (list []vec) {
	for _, lower := range []bool{false, true} {
		low, high := s.row(array, lower)
		even, odd := s.apart(s.m.part(low, s.low), s.m.part(high, s.high))
		list = append(list, even, odd)
	}
	return list
}

// store writes two elements of squares.
func (s *squares) store(even, odd vec, array reg.GPVirtual, lower bool) {
	atLow, atHigh := s.row(array, lower)
	low, high := s.together(even, odd)
	s.put(low, s.low, atLow)
	s.put(high, s.high, atHigh)
}

func (s *squares) put(v vec, mask operand.Op, to operand.Mem) {
	if mem, ok := mask.(operand.Mem); ok {
		mask = s.m.copy(mem)
	}
	s.m.putPart(v, mask, to)
}

func squareMax(m *machine) {
	m.begin("squareMax", "func(y, x *float32, rows, n int)", "is poolLoops.squareMax.")
	y, x := m.integer("y"), m.integer("x")
	m.squares([]reg.GPVirtual{x}, []reg.GPVirtual{y}, func(s *squares) {
		v := s.load(x)
		for _, w := range v[1:] {
			m.raise(v[0], w)
		}
		s.put(v[0], s.half, operand.Mem{Base: y, Index: s.index, Scale: 4})
	})
}

// Once a later element is above those before it, none of these gets anything: so
// the gradients are handed out from the last element to the first.
func squareMaxGrad(m *machine) {
	m.begin("squareMaxGrad", "func(dx, x, dy *float32, rows, n int)", "is poolLoops.squareMaxGrad.")
	dx, x, dy := m.integer("dx"), m.integer("x"), m.integer("dy")
	m.squares([]reg.GPVirtual{x, dx}, []reg.GPVirtual{dy}, func(s *squares) {
		v := s.load(x)
		above := make([]operand.Op, len(v))
		for i, w := range v[1:] {
			above[i+1] = m.above(w, v[0])
			if i+2 < len(v) {
				m.replace(above[i+1], w, v[0])
			}
		}
		left := m.part(operand.Mem{Base: dy, Index: s.index, Scale: 4}, s.half)
		grads := make([]vec, len(v))
		for i := len(v) - 1; i > 0; i-- {
			grads[i] = m.keep(above[i], left)
			m.VXORPS(grads[i], left, left)
		}
		s.store(left, grads[1], dx, false)
		s.store(grads[2], grads[3], dx, true)
	})
}
