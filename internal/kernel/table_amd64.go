//go:build !purego

package kernel

import "golang.org/x/sys/cpu"

// tables has what this processor supports, best last. The flags of package cpu
// include that the operating system saves the registers.
func tables() []*table {
	list := []*table{&generic}
	x := &cpu.X86
	if !x.HasAVX2 || !x.HasFMA {
		return list
	}
	avx2 := generic
	avx2.name = "avx2"
	avx2.peak = func(rounds int) int { peakAVX2(rounds); return rounds * 12 * 8 * 2 }
	avx2.arithmetic, avx2.point = arithmeticAVX2, pointAVX2
	avx2.softmax, avx2.layerNorm, avx2.view = softmaxAVX2, layerNormAVX2, viewAVX2
	avx2.sums, avx2.planes, avx2.chain, avx2.rank = sumsAVX2, planesAVX2, chainAVX2, rankAVX2
	avx2.multiply, avx2.dots, avx2.lanes, avx2.tall = multiplyAVX2, dotsWithAVX2, 8, 6
	avx2.cell, avx2.attention = cellAVX2, attentionAVX2
	avx2.packRows, avx2.packColumns = packRowsAVX2, packColumnsWithAVX2
	avx2.sweep, avx2.stencil, avx2.pool = sweepAVX2, stencilAVX2, poolAVX2
	avx2.winograd = winogradAVX2
	avx2.sparse = sparseAVX2
	list = append(list, &avx2)

	if !x.HasAVX512F || !x.HasAVX512BW || !x.HasAVX512DQ || !x.HasAVX512VL {
		return list
	}
	avx512 := avx2
	avx512.name = "avx512"
	avx512.peak = func(rounds int) int { peakAVX512(rounds); return rounds * 24 * 16 * 2 }
	avx512.arithmetic, avx512.point = arithmeticAVX512, pointAVX512
	avx512.softmax, avx512.layerNorm, avx512.view = softmaxAVX512, layerNormAVX512, viewAVX512
	avx512.sums, avx512.planes, avx512.chain, avx512.rank = sumsAVX512, planesAVX512, chainAVX512, rankAVX512
	avx512.multiply, avx512.dots, avx512.lanes = multiplyAVX512, dotsWithAVX512, 16
	avx512.tall = 14
	avx512.cell, avx512.attention = cellAVX512, attentionAVX512
	avx512.packRows, avx512.packColumns = packRowsAVX512, packColumnsWithAVX512
	avx512.sweep, avx512.stencil, avx512.pool = sweepAVX512, stencilAVX512, poolAVX512
	avx512.winograd = winogradAVX512
	avx512.sparse = sparseAVX512
	return append(list, &avx512)
}
