//go:build !purego

package kernel

var planesAVX2 = planeLoops{
	sum:     planesSumAVX2,
	moments: planesMomentsAVX2,
	normalize: [2][2]normalizeFunc{
		{planesNormalizeAVX2, planesNormalizeAddedAVX2},
		{planesNormalizeLimitedAVX2, planesNormalizeLimitedAddedAVX2},
	},
	gradSums: [gates]gradSumsFunc{
		planesGradSumsAVX2, planesGradSumsGatedXAVX2, planesGradSumsGatedYAVX2,
	},
	grad: [gates]inputGradFunc{
		planesGradAVX2, planesGradGatedXAVX2, planesGradGatedYAVX2,
	},
	trainGrad: [gates]inputGradFunc{
		planesTrainGradAVX2, planesTrainGradGatedXAVX2, planesTrainGradGatedYAVX2,
	},
}

var planesAVX512 = planeLoops{
	sum:     planesSumAVX512,
	moments: planesMomentsAVX512,
	normalize: [2][2]normalizeFunc{
		{planesNormalizeAVX512, planesNormalizeAddedAVX512},
		{planesNormalizeLimitedAVX512, planesNormalizeLimitedAddedAVX512},
	},
	gradSums: [gates]gradSumsFunc{
		planesGradSumsAVX512, planesGradSumsGatedXAVX512, planesGradSumsGatedYAVX512,
	},
	grad: [gates]inputGradFunc{
		planesGradAVX512, planesGradGatedXAVX512, planesGradGatedYAVX512,
	},
	trainGrad: [gates]inputGradFunc{
		planesTrainGradAVX512, planesTrainGradGatedXAVX512, planesTrainGradGatedYAVX512,
	},
}
