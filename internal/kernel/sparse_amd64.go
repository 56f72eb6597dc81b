//go:build !purego

package kernel

var sparseAVX2 = sparseLoops{
	lanes: 8,
	rows: []func(counts, terms []int32, a, b, start, c []float32, rowC, add int){
		sparseRows1AVX2, sparseRows2AVX2, sparseRows3AVX2, sparseRows4AVX2,
		sparseRows5AVX2, sparseRows6AVX2, sparseRows7AVX2, sparseRows8AVX2,
	},
	dots:    sparseDotsAVX2,
	rowsPay: 0.35, dotsPay: 0.28, convPays: 0.42, correlationPays: 0.3,
}

var sparseAVX512 = sparseLoops{
	lanes: 16,
	rows: []func(counts, terms []int32, a, b, start, c []float32, rowC, add int){
		sparseRows1AVX512, sparseRows2AVX512, sparseRows3AVX512, sparseRows4AVX512,
		sparseRows5AVX512, sparseRows6AVX512, sparseRows7AVX512, sparseRows8AVX512,
	},
	dots:    sparseDotsAVX512,
	rowsPay: 0.28, dotsPay: 0.16, convPays: 0.28, correlationPays: 0.17,
}
