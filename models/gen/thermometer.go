package main

// thermometer is the line t_c = weight·t_u + bias, with weight 1 and bias 0.
func thermometer() ([]byte, error) {
	n := start("thermometer", "t_u", -1, 1)
	n.add("MatMul", "scale", []tensor{{"weight", []int64{1, 1}, []float32{1}}})
	n.add("Add", "offset", []tensor{{"bias", []int64{1}, []float32{0}}})
	return n.finish("Degrees Celsius from a thermometer of unknown scale. Not trained yet.", "t_c", -1, 1)
}
