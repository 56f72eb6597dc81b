package main

import (
	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func init() {
	register("peak", "avx2", func(c *build.Context) {
		peak(c, "peakAVX2", 12, func() reg.VecVirtual { return c.YMM() })
	})
	register("peak", "avx512", func(c *build.Context) {
		peak(c, "peakAVX512", 24, func() reg.VecVirtual { return c.ZMM() })
	})
}

// peak is a loop of multiply-adds to several sums, which need not wait for each
// other.
func peak(c *build.Context, name string, sums int, vector func() reg.VecVirtual) {
	function(c, name, "func(rounds int)", name+" does rounds times %d vector multiply-adds.", sums)
	rounds := c.Load(c.Param("rounds"), c.GP64())
	x := vector()
	c.VXORPS(x, x, x)
	sum := make([]reg.VecVirtual, sums)
	for i := range sum {
		sum[i] = vector()
		c.VXORPS(sum[i], sum[i], sum[i])
	}
	c.Label("loop")
	for _, s := range sum {
		c.VFMADD231PS(x, x, s)
	}
	c.DECQ(rounds)
	c.JNZ(operand.LabelRef("loop"))
	c.VZEROUPPER()
	c.RET()
}
