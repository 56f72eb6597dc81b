//go:build !purego

package kernel

var sumsAVX2 = sumLoops{
	sum:         sumAVX2,
	sizes:       sumSizesAVX2,
	squares:     sumSquaresAVX2,
	distances:   sumDistancesAVX2,
	squaresKept: sumSquaresKeptAVX2,
	columns:     sumColumnsAVX2,
	rows:        sumRowsAVX2,
}

var sumsAVX512 = sumLoops{
	sum:         sumAVX512,
	sizes:       sumSizesAVX512,
	squares:     sumSquaresAVX512,
	distances:   sumDistancesAVX512,
	squaresKept: sumSquaresKeptAVX512,
	columns:     sumColumnsAVX512,
	rows:        sumRowsAVX512,
}
