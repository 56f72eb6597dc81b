package kernel

// panelCols is the number of columns of B that are packed together. A panel
// holds them row behind row, so that element (p, y) is at p*panelCols+y.
const panelCols = 32

// panelPitch is the distance between the starts of panels of k rows. Without the
// gap, panels of many sizes would compete for the same few sets of the caches.
func panelPitch(k int) int { return k*panelCols + 16 }

// packRowsGeneric packs k rows of cols elements, stride apart, into panels that
// are pitch apart. Columns that a last panel lacks get any values.
func packRowsGeneric(dst, src []float32, k, cols, stride, pitch int) {
	for p := range k {
		row := src[p*stride:][:cols]
		for at := p * panelCols; len(row) > 0; at += pitch {
			row = row[copy(dst[at:][:panelCols], row):]
		}
	}
}

// packColumnsGeneric packs cols columns of k elements, stride apart, into panels
// that are pitch apart. Columns that a last panel lacks get any values.
func packColumnsGeneric(dst, src []float32, k, cols, stride, pitch int) {
	for y := range cols {
		panel := dst[y/panelCols*pitch+y%panelCols:]
		for p, v := range src[y*stride:][:k] {
			panel[p*panelCols] = v
		}
	}
}
