package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func init() { vectors("chain", chain) }

// links has the kinds of link in the order of package kernel.
var links = []string{"End", "AddWeights", "AddSigns", "Multiply", "Average", "AverageSquares",
	"GatherSquares", "TakeAverage", "AddAverage", "Normalize", "Divide", "Descend", "Shrink", "Drop", "Store"}

// chain writes the interpreter of optimizer chains. A round takes some vectors
// through all links. The code of the links lies in the order in which chains
// have them, each behind a comparison with the next link of the chain, so that
// one sweep over the code does a chain of that order; another takes several
// sweeps.
func chain(m *machine) {
	const size = 12 // of a link: kind, A, B
	vectors := 2    // in a round
	if m.wide() {
		vectors = 4
	}
	r := readRecord("Update", "../link.go")
	p := r.function(m.Context, "update"+m.isa, "update%s does Update.Run for the first elements, Update.whole of them, a multiple of %d and not 0.", m.isa, vectors*m.lanes)
	field := func(name string) reg.GPVirtual {
		v := m.GP64()
		m.MOVQ(operand.Mem{Base: p, Disp: r.at[name]}, v)
		return v
	}
	first, w, grad, s, t, keep, n := field("Links"), field("W"), field("Grad"), field("S"), field("T"), field("Keep"), field("whole")
	out := field("Out")
	sign, positive := m.hold(m.pattern(signBit)), m.hold(m.pattern(signBit-1))
	index, link, kind := m.GP64(), m.GP64(), m.GP32()
	m.XORQ(index, index)

	each := func(f func(i int)) {
		for i := range vectors {
			f(i)
		}
	}
	at := func(i int) cursor { return cursor{m: m, index: index, off: i} }
	registers := func() []vec {
		list := make([]vec, vectors)
		each(func(i int) { list[i] = m.vec() })
		return list
	}
	W, U, S, T := registers(), registers(), registers(), registers()
	// unless skips f where an array is missing.
	unless := func(array reg.GPVirtual, f func()) {
		skip := m.label("skip")
		m.TESTQ(array, array)
		m.JZ(operand.LabelRef(skip))
		f()
		m.Label(skip)
	}
	move := func(registers []vec, array reg.GPVirtual, store bool) {
		each(func(i int) {
			if store {
				m.VMOVUPS(registers[i], at(i).at(array, 4))
			} else {
				m.VMOVUPS(at(i).at(array, 4), registers[i])
			}
		})
	}
	a := func() vec { v := m.vec(); m.VBROADCASTSS(operand.Mem{Base: link, Disp: 4}, v); return v }
	b := func() vec { v := m.vec(); m.VBROADCASTSS(operand.Mem{Base: link, Disp: 8}, v); return v }
	// when does f if the next link is of a kind, and goes on to the one after it.
	when := func(name string, f func()) {
		skip := m.label("not" + name)
		m.CMPL(kind, operand.U8(indexOf(links, name)))
		m.JNE(operand.LabelRef(skip))
		f()
		m.ADDQ(operand.U8(size), link)
		m.MOVL(operand.Mem{Base: link}, kind)
		m.Label(skip)
	}
	multiply := func() {
		a := a()
		each(func(i int) { m.VMULPS(a, W[i], W[i]) })
	}

	m.Label("round")
	move(W, w, false)
	unless(grad, func() { move(U, grad, false) })
	unless(s, func() { move(S, s, false) })
	unless(t, func() { move(T, t, false) })
	m.MOVQ(first, link)
	m.MOVL(operand.Mem{Base: link}, kind)

	m.Label("sweep")
	when("AddWeights", func() {
		a := a()
		each(func(i int) { m.VADDPS(m.mul(W[i], a), U[i], U[i]) })
	})
	when("AddSigns", func() {
		a := a()
		each(func(i int) {
			step := m.or(a, m.and(W[i], sign))
			m.VADDPS(m.keepWhereBits(m.and(W[i], positive), step), U[i], U[i])
		})
	})
	when("Multiply", multiply)
	when("Average", func() {
		a, b := a(), b()
		each(func(i int) {
			m.VMULPS(a, S[i], S[i])
			m.VADDPS(m.mul(U[i], b), S[i], S[i])
		})
	})
	squares := func(moment []vec) {
		a, b := a(), b()
		each(func(i int) {
			m.VMULPS(a, moment[i], moment[i])
			m.VADDPS(m.mul(m.mul(U[i], b), U[i]), moment[i], moment[i])
		})
	}
	when("AverageSquares", func() { squares(T) })
	when("GatherSquares", func() { squares(S) })
	when("TakeAverage", func() { each(func(i int) { m.VMOVAPS(S[i], U[i]) }) })
	when("AddAverage", func() {
		a := a()
		each(func(i int) { m.VADDPS(m.mul(S[i], a), U[i], U[i]) })
	})
	when("Normalize", func() {
		a := a()
		each(func(i int) { m.VDIVPS(m.add(m.sqrt(T[i]), a), S[i], U[i]) })
	})
	when("Divide", func() {
		a := a()
		each(func(i int) { m.VDIVPS(m.add(m.sqrt(S[i]), a), U[i], U[i]) })
	})
	when("Descend", func() {
		a := a()
		each(func(i int) { m.VSUBPS(m.mul(U[i], a), W[i], W[i]) })
	})
	when("Multiply", multiply)
	when("Shrink", func() {
		a := a()
		each(func(i int) {
			left := m.sub(m.and(W[i], positive), a)
			m.VMOVAPS(m.keep(m.where(notAtMost, left, m.pattern(0)), m.or(left, m.and(W[i], sign))), W[i])
		})
	})
	when("Drop", func() {
		unless(keep, func() {
			each(func(i int) {
				flags := m.flags(at(i), keep)
				for _, v := range []vec{W[i], S[i], T[i]} {
					m.VMOVAPS(m.keep(flags, v), v)
				}
			})
		})
	})
	when("Store", func() { move(U, out, true) })
	m.CMPL(kind, operand.U8(indexOf(links, "End")))
	m.JNE(operand.LabelRef("sweep"))

	move(W, w, true)
	unless(s, func() { move(S, s, true) })
	unless(t, func() { move(T, t, true) })
	m.ADDQ(operand.U32(vectors*m.lanes), index)
	m.CMPQ(index, n)
	m.JNE(operand.LabelRef("round"))
	m.end()
}

// flags is the mask of a vector of booleans.
func (m *machine) flags(at cursor, array reg.Register) operand.Op {
	if m.wide() {
		bytes := m.XMM()
		m.VMOVDQU8(at.at(array, 1), bytes) // VMOVDQU does not reach X16 to X31
		return m.mask(m.VPTESTMB, bytes, bytes)
	}
	wide := m.vec()
	m.VPMOVZXBD(at.at(array, 1), wide)
	return m.mask(m.VPCMPGTD, m.pattern(0), wide)
}

func indexOf(list []string, s string) int {
	for i, v := range list {
		if v == s {
			return i
		}
	}
	panic(s)
}
