package kernel

// partialSums is how tasks share the sums that make a gradient of so many weights:
// each adds up one of the parts of the terms, and the sums of the parts are added
// up at the end, in order.
type partialSums struct{ parts, weights int }

// scratch is how many elements the sums of the parts need.
func (p partialSums) scratch() int {
	if p.parts == 1 {
		return 0
	}
	return p.parts * p.weights
}

// of is where the parts have their sums, one behind the other: the gradient itself
// if there is only one.
func (p partialSums) of(dw, scratch []float32) []float32 {
	if p.parts == 1 {
		return dw
	}
	return scratch[:p.scratch()]
}

type partialSumsArgs struct{ sums, dw []float32 }

var partialSumsAdded = split(addPartialSums)

// addTo makes the gradient of the sums of the parts.
func (p partialSums) addTo(dw, sums []float32) {
	if p.parts > 1 {
		partialSumsAdded.do(len(dw), chunk, partialSumsArgs{sums, dw})
	}
}

func addPartialSums(a *partialSumsArgs, lo, hi int) {
	n, dw := len(a.dw), a.dw[lo:hi]
	copy(dw, a.sums[lo:])
	for part := n; part < len(a.sums); part += n {
		for i, v := range a.sums[part+lo:][:len(dw)] {
			dw[i] += v
		}
	}
}
