package kernel

// Epilogue is what a product does to an element of the result before it stores
// it, in the order of the fields. Empty fields do nothing.
type Epilogue struct {
	Row    []float32 // added: an element for each row
	Col    []float32 // added: an element for each column
	Add    []float32 // added: an element for each element, laid out like the result
	Clamp  bool      // limits it to Lo to Hi; NaN stays NaN, and -0 becomes 0
	Lo, Hi float32
	Gate   []float32 // laid out like the result: makes it 0 where the gate is 0
}

// Empty tells whether the epilogue does nothing.
func (e *Epilogue) Empty() bool {
	return e.Row == nil && e.Col == nil && e.Add == nil && e.Gate == nil && !e.Clamp
}

// from is the part of an epilogue that begins at row i and column j, which is
// element at.
func (e *Epilogue) from(i, j, at int) Epilogue {
	part := *e
	if e.Row != nil {
		part.Row = e.Row[i:]
	}
	if e.Col != nil {
		part.Col = e.Col[j:]
	}
	if e.Add != nil {
		part.Add = e.Add[at:]
	}
	if e.Gate != nil {
		part.Gate = e.Gate[at:]
	}
	return part
}

// apply changes elements c of row x from column y on, which are at index at of
// what is laid out like the result.
func (e *Epilogue) apply(c []float32, x, y, at int) {
	if e.Row != nil {
		for i := range c {
			c[i] += e.Row[x]
		}
	}
	if e.Col != nil {
		for i, v := range e.Col[y:][:len(c)] {
			c[i] += v
		}
	}
	if e.Add != nil {
		for i, v := range e.Add[at:][:len(c)] {
			c[i] += v
		}
	}
	if e.Clamp {
		for i, v := range c {
			if v <= e.Lo {
				v = e.Lo
			}
			if v >= e.Hi {
				v = e.Hi
			}
			c[i] = v + 0 // -0 becomes 0
		}
	}
	if e.Gate != nil {
		for i, v := range e.Gate[at:][:len(c)] {
			if v == 0 {
				c[i] = 0
			}
		}
	}
}

// finish does what an epilogue without Col says to n elements of each of so many
// rows of y, stride elements apart, the first of which begins at element to and is
// row number row.
func (e *Epilogue) finish(row int, y []float32, to, stride, rows, n int) {
	if e.Empty() {
		return
	}
	if active.sweep.lanes == 0 {
		for r := range rows {
			at := to + r*stride
			e.apply(y[at:][:n], row+r, 0, at)
		}
		return
	}
	active.sweep.finish(e, row, y, to, stride, y[to:], stride, rows, n)
}
