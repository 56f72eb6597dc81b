//go:build !purego

package kernel

var poolAVX2 = poolLoops{
	max: poolMaxAVX2, place: poolPlaceAVX2, pick: poolPickAVX2, scaled: poolScaledAVX2, sum: poolSumAVX2, spread: spreadMeansAVX2,
	squareMax: squareMaxAVX2, squareMaxGrad: squareMaxGradAVX2,
}

var poolAVX512 = poolLoops{
	max: poolMaxAVX512, place: poolPlaceAVX512, pick: poolPickAVX512, scaled: poolScaledAVX512, sum: poolSumAVX512, spread: spreadMeansAVX512,
	squareMax: squareMaxAVX512, squareMaxGrad: squareMaxGradAVX512,
}
