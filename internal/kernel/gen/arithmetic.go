package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func init() { vectors("arithmetic", arithmetic) }

func arithmetic(m *machine) {
	for _, o := range []struct {
		name, sign string
		do         func(a, b operand.Op) vec
	}{{"add", "+", m.add}, {"sub", "-", m.sub}, {"mul", "·", m.mul}, {"div", "/", m.div}} {
		m.combine(o.name+"Both", "out = a "+o.sign+" b", true, true, o.do)
		m.combine(o.name+"Left", "out = a[0] "+o.sign+" b", false, true, o.do)
		m.combine(o.name+"Right", "out = a "+o.sign+" b[0]", true, false, o.do)
	}
}

// combine writes an operation on rows of two operands, of which one may be a
// single number in each row.
func (m *machine) combine(name, formula string, rowA, rowB bool, do func(a, b operand.Op) vec) {
	m.begin(name, "func(out, a, b []float32, n, strideA, strideB int)",
		"computes rows of n elements, %s. Rows of a and b are so many elements apart.", formula)
	out, a, b := m.base("out"), m.base("a"), m.base("b")
	end := m.length("out")
	m.LEAQ(operand.Mem{Base: out, Index: end, Scale: 4}, end)
	n := m.integer("n")
	row := m.span(n)
	skipA, skipB := m.integer("strideA"), m.integer("strideB")
	loop, done := m.label("row"), m.label("done")
	m.Label(loop)
	m.CMPQ(out, end)
	m.JEQ(operand.LabelRef(done))
	operandOf := func(array reg.GPVirtual, moves bool) func(at cursor) vec {
		if moves {
			return func(at cursor) vec { return at.load(array) }
		}
		v := m.vec()
		m.VBROADCASTSS(operand.Mem{Base: array}, v)
		return func(cursor) vec { return v }
	}
	loadA, loadB := operandOf(a, rowA), operandOf(b, rowB)
	row.each(4, func(at cursor) { at.store(do(loadA(at), loadB(at)), out) })
	m.LEAQ(operand.Mem{Base: out, Index: n, Scale: 4}, out)
	m.LEAQ(operand.Mem{Base: a, Index: skipA, Scale: 4}, a)
	m.LEAQ(operand.Mem{Base: b, Index: skipB, Scale: 4}, b)
	m.JMP(operand.LabelRef(loop))
	m.Label(done)
	m.end()
}
