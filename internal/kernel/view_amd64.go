//go:build !purego

package kernel

var viewAVX2 = viewLoops{repeat: repeatAVX2, rows: moveRowsAVX2, transpose: transposeAVX2}

var viewAVX512 = viewLoops{repeat: repeatAVX512, rows: moveRowsAVX512, transpose: transposeAVX512}
