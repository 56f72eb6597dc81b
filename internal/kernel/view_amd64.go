//go:build !purego

package kernel

var viewAVX2 = viewLoops{repeat: repeatAVX2, transpose: transposeAVX2}

var viewAVX512 = viewLoops{repeat: repeatAVX512, transpose: transposeAVX512}
