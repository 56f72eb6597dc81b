package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func init() { vectors("stencil", stencils) }

// stencils are the inner loops of convolutions of a channel by itself. They work
// on a block of columns, a vector wide, from row to row, and read images as they
// are: masks keep them off the columns, and comparisons off the rows, that are
// not there.
func stencils(m *machine) {
	for _, k := range []int{3, 5} {
		for _, stride := range []int{1, 2} {
			if m.wide() && stride == 2 {
				continue // vectors of eight are as fast
			}
			s := stencil{machine: m, kernel: k, stride: stride}
			s.slide()
			s.correlate()
		}
		spread(m, (k+1)/2)
	}
	m.begin("totals", "func(out, sums *float32, n, add int)", "is stencilTotals.")
	out, sums, n := m.integer("out"), m.integer("sums"), m.integer("n")
	m.Label("loop")
	m.addTotals([]vec{m.copy(operand.Mem{Base: sums})}, operand.Mem{Base: out})
	m.ADDQ(operand.U8(4), out)
	m.ADDQ(operand.U8(4*m.lanes), sums)
	m.DECQ(n)
	m.JNZ(operand.LabelRef("loop"))
	m.end()
}

type stencil struct {
	*machine
	kernel, stride int

	masks []operand.Op // of the loads for a row
	ahead reg.GPVirtual
}

const stencilArgs = "y *float32, rowY int, x *float32, col, rowX, first, height, rows, frames, frameX, frameY, aheadX, aheadY int"

// splat fills a vector with element i of an array.
func (m *machine) splat(array reg.Register, i int) vec {
	v := m.vec()
	m.VBROADCASTSS(operand.Mem{Base: array, Disp: 4 * i}, v)
	return v
}

// loads is the number of masks for a row.
func (s *stencil) loads() int {
	if s.stride == 1 {
		return s.kernel
	}
	return (s.kernel + 1) / 2 * 2
}

// row calls f for each tap of a row of inputs with what the columns read, unless
// there is no such row. What is seen for the first time, it looks for ahead too.
func (s *stencil) row(at reg.Register, number reg.Register, seen bool, f func(tap int, x vec)) {
	skip := s.label("skip")
	s.CMPQ(number, s.address(s.Param("height")))
	s.JCC(operand.LabelRef(skip)) // unsigned: negative numbers are large
	if !seen {                    // at most a line for each row
		s.PREFETCHT1(operand.Mem{Base: at, Index: s.ahead, Scale: 1})
	}
	if s.stride == 1 {
		for tap := range s.kernel {
			f(tap, s.part(operand.Mem{Base: at, Disp: 4 * tap}, s.masks[tap]))
		}
	} else {
		for tap := 0; tap < s.kernel; tap += 2 {
			low := s.part(operand.Mem{Base: at, Disp: 4 * tap}, s.masks[tap])
			high := s.part(operand.Mem{Base: at, Disp: 4 * (tap + s.lanes)}, s.masks[tap+1])
			even, odd := s.weave().apart(low, high)
			f(tap, even)
			if tap+1 < s.kernel {
				f(tap+1, odd)
			}
		}
	}
	s.Label(skip)
}

// blocks writes a loop over blocks of several rows of results and one over those
// left. body gets the number of rows, and must step over them.
func (m *machine) blocks(most int, body func(rows int)) {
	left := m.integer("rows")
	for _, rows := range []int{most, 1} {
		loop, done := m.label("rows"), m.label("done")
		m.Label(loop)
		m.CMPQ(left, operand.U8(rows))
		m.JLT(operand.LabelRef(done))
		body(rows)
		m.SUBQ(operand.U8(rows), left)
		m.JMP(operand.LabelRef(loop))
		m.Label(done)
	}
}

// readMasks reads those of the loads for a row, and returns that of the columns of
// y.
func (s *stencil) readMasks() operand.Op {
	table := s.integer("masks")
	s.masks = s.masksAt(table, 0, s.loads())
	return s.masksAt(table, s.loads(), 1)[0]
}

// frames writes a loop over frames and, in each, over blocks of at most so many
// rows of y. body gets where such a block begins, where the row of x does that it
// meets first, and the number of that.
func (s *stencil) frames(most int, body func(rows int, y, x, number reg.GPVirtual)) {
	x, y := s.integer("x"), s.integer("y")
	s.ADDQ(s.address(s.Param("col")), x)
	frames := s.integer("frames")
	s.Label("frame")
	to, from, number := s.GP64(), s.GP64(), s.integer("first")
	s.MOVQ(y, to)
	s.MOVQ(s.address(s.Param("rowX")), from)
	s.IMULQ(number, from)
	s.ADDQ(x, from)
	s.ahead = s.integer("aheadX")
	s.blocks(most, func(rows int) { body(rows, to, from, number) })
	s.ADDQ(s.address(s.Param("frameX")), x)
	s.ADDQ(s.address(s.Param("frameY")), y)
	s.DECQ(frames)
	s.JNZ(operand.LabelRef("frame"))
}

// slide computes results: a block of them takes each row of inputs once.
func (s *stencil) slide() {
	k := s.kernel
	s.begin(fmt.Sprintf("slide%ds%d", k, s.stride), "func("+stencilArgs+", weights *float32, masks *uint32, whole int)",
		"is stencilSlide for kernels of %d by %d and a stride of %d.", k, k, s.stride)
	store := s.readMasks()
	weights := s.integer("weights")
	w := make([]vec, k*k) // nil if there are not enough registers
	for i := range w {
		if s.wide() || k == 3 {
			w[i] = s.splat(weights, i)
		}
	}
	s.frames(4, func(rows int, to, from, number reg.GPVirtual) {
		sum := make([]vec, rows)
		for r := range sum {
			sum[r] = s.splat(weights, k*k)
		}
		for i := range (rows-1)*s.stride + k {
			s.row(from, number, i >= rows*s.stride, func(tap int, x vec) {
				for r := range sum {
					if kh := i - r*s.stride; kh >= 0 && kh < k {
						weight := w[kh*k+tap]
						if weight == nil {
							weight = s.splat(weights, kh*k+tap)
						}
						s.VFMADD231PS(weight, x, sum[r])
					}
				}
			})
			s.ADDQ(s.address(s.Param("rowX")), from)
			s.INCQ(number)
		}
		// The next block begins stride rows behind the start of the last one.
		back := s.GP64()
		s.MOVQ(s.address(s.Param("rowX")), back)
		if k > s.stride {
			s.IMUL3Q(operand.I8(k-s.stride), back, back)
			s.SUBQ(back, from)
			s.SUBQ(operand.U8(k-s.stride), number)
		}
		aheadY := s.integer("aheadY")
		for r := range sum {
			s.PREFETCHT1(operand.Mem{Base: to, Index: aheadY, Scale: 1})
			s.putWhole(sum[r], store, operand.Mem{Base: to})
			s.ADDQ(s.address(s.Param("rowY")), to)
		}
	})
	s.end()
}

// correlate computes gradients of weights. AVX2 has not enough registers for
// those of a large kernel: it does a row of the kernel at a time.
func (s *stencil) correlate() {
	k, height := s.kernel, s.kernel
	if !s.wide() && k > 3 {
		height = 1
	}
	s.begin(fmt.Sprintf("correlate%ds%d", k, s.stride), "func("+stencilArgs+", sums *float32, masks *uint32)",
		"is stencilCorrelate for kernels of %d by %d and a stride of %d.", height, k, s.stride)
	part := s.readMasks()
	sum := make([]vec, height*k)
	for i := range sum {
		sum[i] = s.zero()
	}
	most := 4
	if k > 3 {
		most = 2
	}
	s.frames(most, func(rows int, at, from, number reg.GPVirtual) {
		dy := make([]vec, rows)
		aheadY := s.integer("aheadY")
		for r := range dy {
			s.PREFETCHT1(operand.Mem{Base: at, Index: aheadY, Scale: 1})
			dy[r] = s.part(operand.Mem{Base: at}, part)
			s.ADDQ(s.address(s.Param("rowY")), at)
		}
		for i := range (rows-1)*s.stride + height {
			used := false
			for r := range dy {
				kh := i - r*s.stride
				used = used || kh >= 0 && kh < height
			}
			if used {
				s.row(from, number, i >= rows*s.stride, func(tap int, x vec) {
					for r := range dy {
						if kh := i - r*s.stride; kh >= 0 && kh < height {
							s.VFMADD231PS(dy[r], x, sum[kh*k+tap])
						}
					}
				})
			}
			s.ADDQ(s.address(s.Param("rowX")), from)
			s.INCQ(number)
		}
		step := s.GP64()
		s.MOVQ(s.address(s.Param("rowX")), step)
		s.IMUL3Q(operand.I8(s.stride-height), step, step)
		s.ADDQ(step, from)
		s.ADDQ(operand.I8(s.stride-height), number)
	})
	to := s.integer("sums")
	for i, v := range sum {
		old := s.copy(operand.Mem{Base: to, Disp: 4 * s.lanes * i})
		s.VADDPS(old, v, v)
		s.VMOVUPS(v, operand.Mem{Base: to, Disp: 4 * s.lanes * i})
	}
	s.end()
}
