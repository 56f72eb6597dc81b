//go:build !purego

package kernel

var winogradAVX2 = winogradLoops{
	lanes:          8,
	source:         winogradSourceAVX2,
	weights:        winogradWeightsAVX2,
	result:         winogradResultAVX2,
	gradient:       winogradGradientAVX2,
	weightGradient: winogradWeightGradientAVX2,
	copy:           copyPatchesAVX2,
}

var winogradAVX512 = winogradLoops{
	lanes:          16,
	source:         winogradSourceAVX512,
	weights:        winogradWeightsAVX512,
	result:         winogradResultAVX512,
	gradient:       winogradGradientAVX512,
	weightGradient: winogradWeightGradientAVX512,
	copy:           copyPatchesAVX512,
}
