//go:build !purego

package kernel

func packColumnsWithAVX2(dst, src []float32, k, cols, stride, pitch int) {
	for y := 0; y < cols; y += 8 {
		packColumnsAVX2(dst[y/panelCols*pitch+y%panelCols:], src[y*stride:], k, min(8, cols-y), stride)
	}
}

func packColumnsWithAVX512(dst, src []float32, k, cols, stride, pitch int) {
	for y := 0; y < cols; y += 16 {
		packColumnsAVX512(dst[y/panelCols*pitch+y%panelCols:], src[y*stride:], k, min(16, cols-y), stride)
	}
}
