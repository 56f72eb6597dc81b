//go:build !purego

package kernel

var chainAVX2 = chainFuncs{
	addScaled:      addScaledAVX2,
	addSigns:       addSignsAVX2,
	shrink:         shrinkAVX2,
	average:        averageAVX2,
	averageSquares: averageSquaresAVX2,
	normalized:     normalizedAVX2,
	clearDropped:   clearDroppedAVX2,
}

var chainAVX512 = chainFuncs{
	addScaled:      addScaledAVX512,
	addSigns:       addSignsAVX512,
	shrink:         shrinkAVX512,
	average:        averageAVX512,
	averageSquares: averageSquaresAVX512,
	normalized:     normalizedAVX512,
	clearDropped:   clearDroppedAVX512,
}
