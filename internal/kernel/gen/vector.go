package main

import (
	"fmt"
	"math"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/gotypes"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// machine writes vector code that is the same, but for its width, for AVX2 and
// AVX-512. Its operations put their result into a new register and leave their
// operands alone, unless they say otherwise.
type machine struct {
	*build.Context
	isa    string // as in names of functions: AVX2 or AVX512
	lanes  int    // float32 in a vector
	held   int    // constants in registers, in this function
	labels int
	consts map[uint32]operand.Mem
}

type vec = reg.VecVirtual

// vectors registers a family whose functions machine writes.
func vectors(family string, write func(m *machine)) {
	register(family, "avx2", func(c *build.Context) {
		write(&machine{Context: c, isa: "AVX2", lanes: 8, consts: map[uint32]operand.Mem{}})
	})
	register(family, "avx512", func(c *build.Context) {
		write(&machine{Context: c, isa: "AVX512", lanes: 16, consts: map[uint32]operand.Mem{}})
	})
}

// wide tells AVX-512, with its mask registers, from AVX2.
func (m *machine) wide() bool { return m.lanes == 16 }

// begin starts the version of a function for this instruction set.
func (m *machine) begin(name, signature, doc string, args ...any) {
	m.held = 0
	function(m.Context, name+m.isa, signature, name+m.isa+" "+doc, args...)
}

func (m *machine) end() {
	m.VZEROUPPER()
	m.RET()
}

// base and length are those of a slice among the arguments.
func (m *machine) base(slice string) reg.GPVirtual {
	return m.Load(m.Param(slice).Base(), m.GP64()).(reg.GPVirtual)
}

func (m *machine) length(slice string) reg.GPVirtual {
	return m.Load(m.Param(slice).Len(), m.GP64()).(reg.GPVirtual)
}

// integer is an argument of type int.
func (m *machine) integer(name string) reg.GPVirtual {
	return m.Load(m.Param(name), m.GP64()).(reg.GPVirtual)
}

// scalar fills a vector with an argument of four bytes.
func (m *machine) scalar(name string) vec {
	v := m.vec()
	m.VBROADCASTSS(m.address(m.Param(name)), v)
	return v
}

// address is where an argument or result lies on the stack.
func (m *machine) address(c gotypes.Component) operand.Mem {
	b, err := c.Resolve()
	if err != nil {
		panic(err)
	}
	return b.Addr
}

func (m *machine) vec() vec {
	if m.wide() {
		return m.ZMM()
	}
	return m.YMM()
}

// half is a register of half the width of a vector.
func (m *machine) half(v vec) reg.Register {
	if m.wide() {
		return v.AsY()
	}
	return v.AsX()
}

func (m *machine) label(of string) string {
	m.labels++
	return fmt.Sprint(of, m.labels)
}

// constant is a vector of f in memory.
func (m *machine) constant(f float64) operand.Mem {
	return m.pattern(math.Float32bits(float32(f)))
}

// pattern is a vector in memory with the given bits in each lane.
func (m *machine) pattern(bits uint32) operand.Mem {
	if mem, ok := m.consts[bits]; ok {
		return mem
	}
	mem := m.StaticGlobal(fmt.Sprintf("lanes_%08x", bits))
	m.DataAttributes(attr.RODATA | attr.NOPTR)
	for range m.lanes {
		m.AppendDatum(operand.U32(bits))
	}
	m.consts[bits] = mem
	return mem
}

// hold keeps a constant in a register while there are enough of them.
func (m *machine) hold(c operand.Mem) operand.Op {
	if !m.wide() || m.held == 20 {
		return c
	}
	m.held++
	return m.copy(c)
}

// holdAll holds a constant for each number.
func (m *machine) holdAll(fs ...float64) []operand.Op {
	list := make([]operand.Op, len(fs))
	for i, f := range fs {
		list[i] = m.hold(m.constant(f))
	}
	return list
}

func (m *machine) copy(a operand.Op) vec {
	v := m.vec()
	m.VMOVUPS(a, v)
	return v
}

func (m *machine) zero() vec {
	v := m.vec()
	m.VXORPS(v, v, v)
	return v
}

// The second operand of these may be in memory; of add and mul, either.

func (m *machine) add(a, b operand.Op) vec { return m.commute(m.VADDPS, a, b) }
func (m *machine) mul(a, b operand.Op) vec { return m.commute(m.VMULPS, a, b) }
func (m *machine) sub(a, b operand.Op) vec { return m.binary(m.VSUBPS, a, b) }
func (m *machine) div(a, b operand.Op) vec { return m.binary(m.VDIVPS, a, b) }
func (m *machine) and(a, b operand.Op) vec { return m.commute(m.VANDPS, a, b) }
func (m *machine) or(a, b operand.Op) vec  { return m.commute(m.VORPS, a, b) }
func (m *machine) xor(a, b operand.Op) vec { return m.commute(m.VXORPS, a, b) }

// max and min return b where either is NaN, and where both are zero.
func (m *machine) max(a, b operand.Op) vec { return m.binary(m.VMAXPS, a, b) }
func (m *machine) min(a, b operand.Op) vec { return m.binary(m.VMINPS, a, b) }

func (m *machine) sqrt(a operand.Op) vec {
	v := m.vec()
	m.VSQRTPS(a, v)
	return v
}

func (m *machine) binary(f func(...operand.Op), a, b operand.Op) vec {
	if _, ok := a.(operand.Mem); ok {
		a = m.copy(a)
	}
	v := m.vec()
	f(b, a, v)
	return v
}

func (m *machine) commute(f func(...operand.Op), a, b operand.Op) vec {
	if _, ok := a.(operand.Mem); ok {
		a, b = b, a
	}
	return m.binary(f, a, b)
}

// gather adds a·b to sum, in place. b may be in memory.
func (m *machine) gather(sum vec, a vec, b operand.Op) { m.VFMADD231PS(b, a, sum) }

// horner is the polynomial c[0] + c[1]·x + c[2]·x² + …, with fused rounding.
func (m *machine) horner(x vec, c []operand.Op) vec {
	p := m.copy(c[len(c)-1])
	for i := len(c) - 2; i >= 0; i-- {
		m.VFMADD213PS(c[i], x, p)
	}
	return p
}

// Predicates of comparisons, false for NaN but for the negated ones.
const (
	less       = 0x11
	greater    = 0x1E
	notAtLeast = 0x19
	notAtMost  = 0x16
)

// where compares lane by lane: a mask register, or a vector of all or no bits.
func (m *machine) where(predicate int, a vec, b operand.Op) operand.Op {
	return m.mask(m.VCMPPS, operand.U8(predicate), b, a)
}

// mask is the result of a comparison.
func (m *machine) mask(f func(...operand.Op), args ...operand.Op) operand.Op {
	if m.wide() {
		k := m.K()
		f(append(args, k)...)
		return k
	}
	v := m.vec()
	f(append(args, v)...)
	return v
}

// both is where two masks hold.
func (m *machine) both(a, b operand.Op) operand.Op {
	if m.wide() {
		k := m.K()
		m.KANDW(b, a, k)
		return k
	}
	return m.and(a, b)
}

// keep is a where the mask holds, 0 elsewhere.
func (m *machine) keep(mask operand.Op, a vec) vec {
	if m.wide() {
		v := m.vec()
		m.VMOVAPS_Z(a, mask, v)
		return v
	}
	return m.and(mask, a)
}

// keepWhereBits is a where b has any bit set, 0 elsewhere.
func (m *machine) keepWhereBits(b, a vec) vec {
	if m.wide() {
		return m.keep(m.mask(m.VPTESTMD, b, b), a)
	}
	return m.binary(m.VANDNPS, m.mask(m.VPCMPEQD, m.zero(), b), a)
}

// choose is a where the mask holds, b elsewhere. a may be in memory.
func (m *machine) choose(mask operand.Op, a operand.Op, b vec) vec {
	v := m.vec()
	if m.wide() {
		m.VBLENDMPS(a, b, mask, v)
	} else {
		m.VBLENDVPS(mask, a, b, v)
	}
	return v
}

// signed is a where the sign bit of s is set, b elsewhere. a may be in memory.
func (m *machine) signed(s vec, a operand.Op, b vec) vec {
	if m.wide() {
		k := m.K()
		m.VPMOVD2M(s, k)
		return m.choose(k, a, b)
	}
	return m.choose(s, a, b)
}

// lanesOf is a vector of integers in memory.
func (m *machine) lanesOf(name string, f func(lane int) int) operand.Mem {
	mem := m.StaticGlobal(name)
	m.DataAttributes(attr.RODATA | attr.NOPTR)
	for i := range m.lanes {
		m.AppendDatum(operand.U32(f(i)))
	}
	return mem
}
