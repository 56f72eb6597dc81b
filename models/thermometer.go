package models

// Thermometer is eleven readings of a thermometer whose scale nobody remembers,
// unknown, and what another showed in degrees Celsius at the same time. The line
// of least squares is celsius = 0.5368·unknown − 17.3048, with a mean squared
// error of 2.9276: the scale was Fahrenheit, read carelessly.
//
// The figures are those of Stevens, Antiga, Viehmann: Deep Learning with PyTorch
// (2020), chapter 5.
func Thermometer() (celsius, unknown []float32) {
	return []float32{0.5, 14, 15, 28, 11, 8, 3, -4, 6, 13, 21},
		[]float32{35.7, 55.9, 58.2, 81.9, 56.3, 48.9, 33.9, 21.8, 48.4, 60.4, 68.4}
}
