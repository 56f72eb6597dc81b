//go:build !purego

package kernel

var (
	cellAVX2   = cellLoops{lstm: lstmAVX2, lstmGrad: lstmGradAVX2}
	cellAVX512 = cellLoops{lstm: lstmAVX512, lstmGrad: lstmGradAVX512}
)
