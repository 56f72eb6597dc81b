package kernel

// arithmeticGeneric has the combinations of each operation.
func arithmeticGeneric[T Number]() (list [Div + 1]combination[T]) {
	for op := range list {
		op := Arithmetic(op)
		list[op] = combination[T]{
			both: func(out, a, b []T, n, strideA, strideB int) {
				for i := 0; i*n < len(out); i++ {
					combineBoth(op, out[i*n:][:n], a[i*strideA:][:n], b[i*strideB:][:n])
				}
			},
			left: func(out, a, b []T, n, strideA, strideB int) {
				for i := 0; i*n < len(out); i++ {
					combineLeft(op, out[i*n:][:n], a[i*strideA], b[i*strideB:][:n])
				}
			},
			right: func(out, a, b []T, n, strideA, strideB int) {
				for i := 0; i*n < len(out); i++ {
					combineRight(op, out[i*n:][:n], a[i*strideA:][:n], b[i*strideB])
				}
			},
		}
	}
	return list
}

func combineBoth[T Number](op Arithmetic, out, a, b []T) {
	a, b = a[:len(out)], b[:len(out)]
	switch op {
	case Add:
		for i := range out {
			out[i] = a[i] + b[i]
		}
	case Sub:
		for i := range out {
			out[i] = a[i] - b[i]
		}
	case Mul:
		for i := range out {
			out[i] = a[i] * b[i]
		}
	case Div:
		for i := range out {
			out[i] = a[i] / b[i]
		}
	}
}

func combineLeft[T Number](op Arithmetic, out []T, a T, b []T) {
	b = b[:len(out)]
	switch op {
	case Add:
		for i := range out {
			out[i] = a + b[i]
		}
	case Sub:
		for i := range out {
			out[i] = a - b[i]
		}
	case Mul:
		for i := range out {
			out[i] = a * b[i]
		}
	case Div:
		for i := range out {
			out[i] = a / b[i]
		}
	}
}

func combineRight[T Number](op Arithmetic, out, a []T, b T) {
	a = a[:len(out)]
	switch op {
	case Add:
		for i := range out {
			out[i] = a[i] + b
		}
	case Sub:
		for i := range out {
			out[i] = a[i] - b
		}
	case Mul:
		for i := range out {
			out[i] = a[i] * b
		}
	case Div:
		for i := range out {
			out[i] = a[i] / b
		}
	}
}
