//go:build !purego

package kernel

var layerNormAVX2 = layerNormLoops{
	forward:  layerNormRowsAVX2,
	backward: layerNormGradRowsAVX2,
}

var layerNormAVX512 = layerNormLoops{
	forward:  layerNormRowsAVX512,
	backward: layerNormGradRowsAVX512,
}
