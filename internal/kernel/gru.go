package kernel

// gruStep computes, for the i-th step,
//
//	z = F(xz + h'·Rz)   r = F(xr + h'·Rr)   h = (1 - z)·n + z·h'
//	n = G(xn + (r·h')·Rn)        or, with LinearBeforeReset,
//	n = G(xn + r·(h'·Rn + rb))
//
// where h' is the state before. With LinearBeforeReset, the linear form of the
// state in the last line is remembered, otherwise r·h'.
func (r *Recurrent) gruStep(i int, m past, a *RecurrentArgs, w *recurrentWeight, zeros []float32) {
	t, size := r.step(i), r.Hidden
	gates, form := r.at(m.gates, t, 3*size), r.at(m.c, t, size)
	copy(gates, r.at(a.XW, t, 3*size))
	prev := r.before(m.h, a.H0, i)
	state := prev
	if state == nil {
		clear(zeros)
		state = zeros
	}
	r.addState(gates, state, w)
	for n := range r.Batch {
		both := gates[n*3*size:][:2*size]
		r.F.Of(both, both)
	}
	if r.LinearBeforeReset {
		r.fillRows(form, a.RB)
		w.candidate.multiply(r.Batch, state, size, 1, form, size)
		for n := range r.Batch {
			row := gates[n*3*size : (n+1)*3*size]
			addProduct(row[2*size:], row[size:2*size], form[n*size:])
		}
	} else {
		for n := range r.Batch {
			multiply(form[n*size:(n+1)*size], gates[n*3*size+size:], state[n*size:])
		}
		w.candidate.multiply(r.Batch, form, size, 1, gates[2*size:], 3*size)
	}
	h := r.at(m.h, t, size)
	for n := range r.Batch {
		row, out, old := gates[n*3*size:(n+1)*3*size], h[n*size:(n+1)*size], state[n*size:]
		z, candidate := row[:size], row[2*size:]
		r.G.Of(candidate, candidate)
		for j := range out {
			out[j] = candidate[j] + z[j]*(old[j]-candidate[j])
		}
	}
	r.hold(h, prev, a.Lengths, t)
}

// fillRows makes every row x, or zeros if it is nil.
func (r *Recurrent) fillRows(out, x []float32) {
	clear(out)
	for n := range r.Batch {
		copy(out[n*r.Hidden:(n+1)*r.Hidden], x)
	}
}

// gruStepBack turns the gradient of the state after the i-th step into that of
// its linear forms, and makes next that of the state before.
func (r *Recurrent) gruStepBack(i int, dg, dh, next []float32, m past, a *RecurrentArgs, w *recurrentWeight, spare []float32) {
	t, size := r.step(i), r.Hidden
	gates, form, prev := r.at(m.gates, t, 3*size), r.at(m.c, t, size), r.before(m.h, a.H0, i)
	// First what the update gate and the candidate get, and the way past both.
	clear(next)
	for n := range r.Batch {
		row, d := gates[n*3*size:(n+1)*3*size], dg[n*3*size:(n+1)*3*size]
		if !running(a.Lengths, n, t) {
			clear(d)
			clear(spare[n*size : (n+1)*size])
			continue
		}
		z, candidate := row[:size], row[2*size:]
		g, out := dh[n*size:(n+1)*size], next[n*size:(n+1)*size]
		old := rowOf(prev, n, size)
		for j, v := range g {
			before := float32(0)
			if old != nil {
				before = old[j]
			}
			d[j] = v * (before - candidate[j])
			d[2*size+j] = v * (1 - z[j])
			out[j] += v * z[j]
		}
		r.F.Grad(d[:size], z, d[:size])
		r.G.Grad(d[2*size:], candidate, d[2*size:])
		if r.LinearBeforeReset {
			multiply(spare[n*size:(n+1)*size], d[2*size:], row[size:2*size])
		}
	}
	if r.LinearBeforeReset {
		// spare is the gradient of the linear form.
		w.candidate.multiply(r.Batch, spare, size, 1, next, size)
	} else {
		// spare is the gradient of r·h'.
		w.candidate.multiply(r.Batch, dg[2*size:], 3*size, 0, spare, size)
	}
	for n := range r.Batch {
		if !running(a.Lengths, n, t) {
			continue
		}
		row, d := gates[n*3*size:(n+1)*3*size], dg[n*3*size:(n+1)*3*size]
		reset, dreset := row[size:2*size], d[size:2*size]
		switch old := rowOf(prev, n, size); {
		case r.LinearBeforeReset:
			multiply(dreset, d[2*size:], form[n*size:])
		case old == nil:
			clear(dreset)
		default:
			multiply(dreset, spare[n*size:], old)
		}
		if !r.LinearBeforeReset {
			addProduct(next[n*size:(n+1)*size], spare[n*size:], reset)
		}
		r.F.Grad(dreset, reset, dreset)
	}
	w.gates.multiply(r.Batch, dg, 3*size, 1, next, size)
}

// candidateGrad computes the gradient of the candidate's part of R. scratch has
// room for a state of every step.
func (r *Recurrent) candidateGrad(dr, dxw []float32, m past, a *RecurrentArgs, scratch []float32) {
	size, rows := r.Hidden, r.Steps*r.Batch
	if !r.LinearBeforeReset {
		Gemm(true, false, size, size, rows, 1, dxw[2*size:], 3*size, m.c, size, 1, dr, size)
		return
	}
	scratch = scratch[:rows*size]
	r.formGrad(scratch, dxw, m)
	r.outer(dr, scratch, 0, size, size, m.h, a.H0)
}

// formGrad computes the gradients of the linear forms of the state that reset
// applies to.
func (r *Recurrent) formGrad(out, dxw []float32, m past) {
	size := r.Hidden
	for n := range r.Steps * r.Batch {
		multiply(out[n*size:(n+1)*size], dxw[n*3*size+2*size:], m.gates[n*3*size+size:])
	}
}

// CandidateBiasGrad computes the gradient of RB from that of the linear forms.
func (r *Recurrent) CandidateBiasGrad(drb, dxw, mem []float32) {
	m, size := r.past(mem), r.Hidden
	clear(drb)
	for n := range r.Steps * r.Batch {
		addProduct(drb, dxw[n*3*size+2*size:], m.gates[n*3*size+size:])
	}
}
