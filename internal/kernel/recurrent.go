package kernel

import "fmt"

// CellKind is the kind of a recurrent cell.
type CellKind int

// The kinds: Hochreiter and Schmidhuber, Long Short-Term Memory, 1997; Cho et
// al., Learning Phrase Representations using RNN Encoder-Decoder, 2014; Elman,
// Finding Structure in Time, 1990.
const (
	LSTM CellKind = iota
	GRU
	RNN
)

// Gates is the number of linear forms that a cell computes.
func (k CellKind) Gates() int { return [...]int{LSTM: 4, GRU: 3, RNN: 1}[k] }

// Recurrent describes a recurrent layer in one direction. Its input has been
// through the weights already: XW holds the linear forms of all steps, and what
// is left to do is to add those of the state, step by step.
//
// Matrices are stored by rows, those of all steps behind each other. The order
// of the gates is that of ONNX: input, output, forget, cell for the LSTM; update,
// reset, candidate for the GRU.
type Recurrent struct {
	Kind                 CellKind
	Steps, Batch, Hidden int
	Reverse              bool // from the last step to the first

	// F is the gates' activation, G that of the cell or candidate, H that of the
	// LSTM's output. The RNN has F only.
	F, G, H Gate

	InputForget       bool // LSTM: the forget gate is one less the input gate
	LinearBeforeReset bool // GRU: reset applies to the linear form of the state, not to the state
}

// RecurrentArgs are the arrays of a layer. Those that are not given are nil.
type RecurrentArgs struct {
	XW      []float32 // (Steps, Batch, Gates·Hidden)
	R       []float32 // recurrent weight (Gates·Hidden, Hidden)
	RB      []float32 // bias of the candidate's recurrent form (Hidden): GRU with LinearBeforeReset
	P       []float32 // peepholes (3·Hidden), of the input, output and forget gate: LSTM
	H0, C0  []float32 // state before the first step (Batch, Hidden); 0 if not given
	Lengths []int64   // steps of each row; later ones leave the state as it is
}

// The memory of a layer holds what the backward pass needs: the state after each
// step, the gates, and for the LSTM the cell, for the GRU the linear form of the
// state.
type past struct{ h, gates, c []float32 }

// MemorySize is the number of elements that Forward fills for Backward.
func (r *Recurrent) MemorySize() int {
	n := r.Steps * r.Batch * r.Hidden
	if r.Kind == RNN {
		return n
	}
	return n * (r.Kind.Gates() + 2)
}

func (r *Recurrent) past(m []float32) past {
	if len(m) != r.MemorySize() {
		panic(fmt.Sprintf("kernel: got %d elements of past, want %d", len(m), r.MemorySize()))
	}
	n := r.Steps * r.Batch * r.Hidden
	if r.Kind == RNN {
		return past{h: m, gates: m}
	}
	return past{h: m[:n], c: m[n : 2*n], gates: m[2*n:]}
}

// ForwardScratch and BackwardScratch are how many elements of scratch the two
// passes need.
func (r *Recurrent) ForwardScratch() int {
	return r.weightSize(true) + r.Batch*r.Hidden
}

// BackwardScratch is the scratch of Backward and WeightGrad.
func (r *Recurrent) BackwardScratch() int {
	return max(r.weightSize(false)+2*r.Batch*r.Hidden, r.Steps*r.Batch*r.Hidden)
}

// step is the i-th step that is computed.
func (r *Recurrent) step(i int) int {
	if r.Reverse {
		return r.Steps - 1 - i
	}
	return i
}

// at is the part of an array by steps that belongs to step t.
func (r *Recurrent) at(x []float32, t, width int) []float32 {
	n := r.Batch * width
	return x[t*n : (t+1)*n]
}

// before is the state of x before the i-th step computed, nil if it is zero.
func (r *Recurrent) before(x, initial []float32, i int) []float32 {
	if i == 0 {
		return initial
	}
	return r.at(x, r.step(i-1), r.Hidden)
}

func running(lengths []int64, row, t int) bool { return lengths == nil || int64(t) < lengths[row] }

// Forward computes the states of all steps. scratch holds anything.
func (r *Recurrent) Forward(mem []float32, a *RecurrentArgs, scratch []float32) {
	m := r.past(mem)
	w, spare := r.pack(scratch, a.R, true)
	spare = spare[:r.Batch*r.Hidden]
	for i := range r.Steps {
		switch r.Kind {
		case LSTM:
			r.lstmStep(i, m, a, &w, spare)
		case GRU:
			r.gruStep(i, m, a, &w, spare)
		case RNN:
			r.rnnStep(i, m, a, &w)
		}
	}
}

// addState adds the linear forms of a state to those of all gates but the GRU's
// candidate.
func (r *Recurrent) addState(gates, state []float32, w *recurrentWeight) {
	if state != nil {
		w.gates.multiply(r.Batch, state, r.Hidden, 1, gates, r.Kind.Gates()*r.Hidden)
	}
}

func (r *Recurrent) rnnStep(i int, m past, a *RecurrentArgs, w *recurrentWeight) {
	t := r.step(i)
	h, prev := r.at(m.h, t, r.Hidden), r.before(m.h, a.H0, i)
	copy(h, r.at(a.XW, t, r.Hidden))
	r.addState(h, prev, w)
	r.F.Of(h, h)
	r.hold(h, prev, a.Lengths, t)
}

// hold keeps the state of the rows that have ended.
func (r *Recurrent) hold(state, prev []float32, lengths []int64, t int) {
	if lengths == nil {
		return
	}
	for n := range r.Batch {
		if !running(lengths, n, t) {
			row := state[n*r.Hidden : (n+1)*r.Hidden]
			if clear(row); prev != nil {
				copy(row, prev[n*r.Hidden:])
			}
		}
	}
}

// Output copies the states of all steps to y (Steps, Batch, Hidden), zeros for
// rows that have ended.
func (r *Recurrent) Output(y, mem []float32, lengths []int64) {
	copy(y, r.past(mem).h)
	if lengths == nil {
		return
	}
	for t := range r.Steps {
		r.hold(r.at(y, t, r.Hidden), nil, lengths, t)
	}
}

// Last copies the state after the last step computed, and the LSTM's cell, both
// (Batch, Hidden).
func (r *Recurrent) Last(h, c, mem []float32) {
	m, t := r.past(mem), r.step(r.Steps-1)
	copy(h, r.at(m.h, t, r.Hidden))
	if c != nil {
		copy(c, r.at(m.c, t, r.Hidden))
	}
}

// Backward computes the gradient dxw of the linear forms, which is that of XW,
// from the gradients of the output, dy (Steps, Batch, Hidden), and of the last
// state and cell. dh and dc (Batch, Hidden) hold the latter on entry, and on
// return the gradients of H0 and C0. RNN and GRU have no dc. This is
// backpropagation through time (Werbos, 1990).
func (r *Recurrent) Backward(dxw, dy, dh, dc, mem []float32, a *RecurrentArgs, scratch []float32) {
	m := r.past(mem)
	w, scratch := r.pack(scratch, a.R, false)
	size := r.Batch * r.Hidden
	next, spare := scratch[:size], scratch[size:2*size]
	width := r.Kind.Gates() * r.Hidden
	for i := r.Steps - 1; i >= 0; i-- {
		t := r.step(i)
		dg := r.at(dxw, t, width)
		for n := range r.Batch {
			if running(a.Lengths, n, t) {
				add(dh[n*r.Hidden:(n+1)*r.Hidden], r.at(dy, t, r.Hidden)[n*r.Hidden:])
			}
		}
		switch r.Kind {
		case LSTM:
			r.lstmStepBack(i, dg, dh, dc, m, a, spare)
			r.clearEnded(dg, width, a.Lengths, t)
			w.gates.multiply(r.Batch, dg, width, 0, next, r.Hidden)
		case GRU:
			r.gruStepBack(i, dg, dh, next, m, a, &w, spare)
		case RNN:
			r.F.Grad(dg, r.at(m.h, t, r.Hidden), dh)
			r.clearEnded(dg, width, a.Lengths, t)
			w.gates.multiply(r.Batch, dg, width, 0, next, r.Hidden)
		}
		// Rows that have ended keep the gradient of their state.
		r.keep(next, dh, a.Lengths, t)
		copy(dh, next)
	}
}

// keep copies the rows that have ended.
func (r *Recurrent) keep(out, x []float32, lengths []int64, t int) {
	if lengths == nil {
		return
	}
	for n := range r.Batch {
		if !running(lengths, n, t) {
			copy(out[n*r.Hidden:(n+1)*r.Hidden], x[n*r.Hidden:])
		}
	}
}

// clearEnded sets the gates' gradients of rows that have ended to zero.
func (r *Recurrent) clearEnded(dg []float32, width int, lengths []int64, t int) {
	if lengths == nil {
		return
	}
	for n := range r.Batch {
		if !running(lengths, n, t) {
			clear(dg[n*width : (n+1)*width])
		}
	}
}

// WeightGrad computes the gradient of R from that of the linear forms.
func (r *Recurrent) WeightGrad(dr, dxw, mem []float32, a *RecurrentArgs, scratch []float32) {
	m := r.past(mem)
	width := r.Kind.Gates() * r.Hidden
	clear(dr)
	if r.Kind != GRU {
		r.outer(dr, dxw, 0, width, width, m.h, a.H0)
		return
	}
	r.outer(dr, dxw, 0, 2*r.Hidden, width, m.h, a.H0)
	r.candidateGrad(dr[2*r.Hidden*r.Hidden:], dxw, m, a, scratch)
}

// outer adds to dr the products of the gates' gradients, columns from to to of
// width, and the states before each step: one product over all steps but the
// first, and one over that.
func (r *Recurrent) outer(dr, dg []float32, from, to, width int, states, initial []float32) {
	rows := (r.Steps - 1) * r.Batch
	later, earlier := dg[r.Batch*width:], states
	first := dg[:r.Batch*width]
	if r.Reverse {
		later, earlier = dg, states[r.Batch*r.Hidden:]
		first = dg[rows*width:]
	}
	if rows > 0 {
		Gemm(true, false, to-from, r.Hidden, rows, 1, later[from:], width, earlier, r.Hidden, 1, dr, r.Hidden)
	}
	if initial != nil {
		Gemm(true, false, to-from, r.Hidden, r.Batch, 1, first[from:], width, initial, r.Hidden, 1, dr, r.Hidden)
	}
}
