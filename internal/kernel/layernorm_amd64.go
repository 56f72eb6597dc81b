//go:build !purego

package kernel

var layerNormAVX2 = layerNormLoops{
	forward: layerNormRowsAVX2,
	grad:    layerNormGradRowsAVX2,
	sums:    layerNormSumsAVX2,
}

var layerNormAVX512 = layerNormLoops{
	forward: layerNormRowsAVX512,
	grad:    layerNormGradRowsAVX512,
	sums:    layerNormSumsAVX512,
}
