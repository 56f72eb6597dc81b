//go:build !purego

package kernel

var stencilAVX2 = stencilLoops{
	lanes:     8,
	slide:     [2][2]stencilSlide{{slide3s1AVX2, slide3s2AVX2}, {slide5s1AVX2, slide5s2AVX2}},
	spread:    [2]stencilSlide{spread2AVX2, spread3AVX2},
	correlate: [2][2]stencilCorrelate{{correlate3s1AVX2, correlate3s2AVX2}, {correlate5s1AVX2, correlate5s2AVX2}},
	height:    [2]int{3, 1},
	totals:    totalsAVX2,
}

var stencilAVX512 = stencilLoops{
	lanes:     16,
	slide:     [2][2]stencilSlide{{slide3s1AVX512}, {slide5s1AVX512}},
	spread:    [2]stencilSlide{spread2AVX512, spread3AVX512},
	correlate: [2][2]stencilCorrelate{{correlate3s1AVX512}, {correlate5s1AVX512}},
	height:    [2]int{3, 5},
	narrow:    &stencilAVX2,
	totals:    totalsAVX512,
}
