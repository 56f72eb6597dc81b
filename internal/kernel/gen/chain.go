package main

import "github.com/mmcloughlin/avo/operand"

func init() { vectors("chain", chain) }

// chain writes the links of optimizers. They round after each operation, as
// generic code does, so that all instruction sets train alike.
func chain(m *machine) {
	m.point("addScaled", "out = x + p·g", "xg", 4, func() formula {
		p := m.scalar("p")
		return func(in []vec) vec { return m.add(in[0], m.mul(in[1], p)) }
	})
	m.point("addSigns", "out = x + p·sign(g) for p >= 0", "xg", 4, func() formula {
		p, sign := m.scalar("p"), m.copy(m.pattern(signBit))
		positive := m.copy(m.pattern(signBit - 1))
		return func(in []vec) vec {
			step := m.or(p, m.and(in[1], sign))
			return m.add(in[0], m.keepWhereBits(m.and(in[1], positive), step))
		}
	})
	m.point("shrink", "out = sign(x)·max(|x| - p, 0)", "x", 4, func() formula {
		p, sign := m.scalar("p"), m.copy(m.pattern(signBit))
		positive, zero := m.copy(m.pattern(signBit-1)), m.zero()
		return func(in []vec) vec {
			left := m.sub(m.and(in[0], positive), p)
			return m.keep(m.where(notAtMost, left, zero), m.or(left, m.and(in[0], sign)))
		}
	})
	m.point("average", "out = p·x + q·g", "xg", 4, func() formula {
		p, q := m.scalar("p"), m.scalar("q")
		return func(in []vec) vec { return m.add(m.mul(in[0], p), m.mul(in[1], q)) }
	})
	m.point("averageSquares", "out = p·x + q·g·g", "xg", 4, func() formula {
		p, q := m.scalar("p"), m.scalar("q")
		return func(in []vec) vec {
			return m.add(m.mul(in[0], p), m.mul(m.mul(in[1], q), in[1]))
		}
	})
	m.point("normalized", "out = x/(√g/p + q)", "xg", 2, func() formula {
		p, q := m.scalar("p"), m.scalar("q")
		return func(in []vec) vec { return m.div(in[0], m.add(m.div(m.sqrt(in[1]), p), q)) }
	})

	m.begin("clearDropped", "func(x []float32, keep []bool)", "sets x to 0 where keep is false.")
	x, keep := m.base("x"), m.base("keep")
	all := m.span(m.length("x"))
	if m.wide() {
		all.each(4, func(at cursor) {
			bytes := m.XMM()
			if at.rest == nil {
				m.VMOVDQU(at.at(keep, 1), bytes)
			} else {
				m.VMOVDQU8_Z(at.at(keep, 1), at.rest, bytes)
			}
			at.store(m.keep(m.mask(m.VPTESTMB, bytes, bytes), at.load(x)), x)
		})
		m.end()
		return
	}
	index := all.whole(4, func(at cursor) {
		flags := m.vec()
		m.VPMOVZXBD(at.at(keep, 1), flags)
		at.store(m.keepWhereBits(flags, at.load(x)), x)
	})
	rest, kept, done := m.label("rest"), m.label("kept"), m.label("done")
	m.Label(rest)
	m.CMPQ(index, all.n)
	m.JEQ(operand.LabelRef(done))
	m.CMPB(operand.Mem{Base: keep, Index: index, Scale: 1}, operand.U8(0))
	m.JNE(operand.LabelRef(kept))
	m.MOVL(operand.U32(0), operand.Mem{Base: x, Index: index, Scale: 4})
	m.Label(kept)
	m.INCQ(index)
	m.JMP(operand.LabelRef(rest))
	m.Label(done)
	m.end()
}
