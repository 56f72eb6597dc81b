package kernel

// lstmStep computes, for the i-th step,
//
//	i = F(xi + h'·Ri + pi·c')    f = F(xf + h'·Rf + pf·c')
//	c = f·c' + i·G(xc + h'·Rc)   o = F(xo + h'·Ro + po·c)   h = o·H(c)
//
// where h' and c' are the state and the cell before.
func (r *Recurrent) lstmStep(i int, m past, a *RecurrentArgs, weight []float32) {
	t, size := r.step(i), r.Hidden
	gates := r.at(m.gates, t, 4*size)
	copy(gates, r.at(a.XW, t, 4*size))
	state, cells := r.before(m.h, a.H0, i), r.before(m.c, a.C0, i)
	if state != nil {
		r.addState(gates, state, weight, 0, 4*size)
	}
	h, c := r.at(m.h, t, size), r.at(m.c, t, size)
	for n := range r.Batch {
		if running(a.Lengths, n, t) {
			r.lstmRow(gates[n*4*size:(n+1)*4*size], h[n*size:(n+1)*size], c[n*size:(n+1)*size], rowOf(cells, n, size), a.P)
		}
	}
	r.hold(h, state, a.Lengths, t)
	r.hold(c, cells, a.Lengths, t)
}

// rowOf is row n of a matrix, nil if there is none.
func rowOf(x []float32, n, size int) []float32 {
	if x == nil {
		return nil
	}
	return x[n*size : (n+1)*size]
}

// lstmRow turns the linear forms of one row into gates, and makes its state and
// cell.
func (r *Recurrent) lstmRow(gates, h, c, prev, p []float32) {
	size := len(h)
	in, out, forget, cell := gates[:size], gates[size:2*size], gates[2*size:3*size], gates[3*size:]
	if p == nil {
		r.F.Of(gates[:3*size], gates[:3*size])
	} else {
		if prev != nil {
			addProduct(in, p[:size], prev)
			addProduct(forget, p[2*size:3*size], prev)
		}
		r.F.Of(in, in)
		r.F.Of(forget, forget)
	}
	r.G.Of(cell, cell)
	if r.InputForget {
		for j := range forget {
			forget[j] = 1 - in[j]
		}
	}
	for j := range c {
		c[j] = in[j] * cell[j]
	}
	if prev != nil {
		addProduct(c, forget, prev)
	}
	if p != nil {
		addProduct(out, p[size:2*size], c)
		r.F.Of(out, out)
	}
	r.H.Of(h, c)
	for j := range h {
		h[j] *= out[j]
	}
}

// addProduct adds a·b.
func addProduct(out, a, b []float32) {
	a, b = a[:len(out)], b[:len(out)]
	for j := range out {
		out[j] += a[j] * b[j]
	}
}

// lstmStepBack turns the gradient of the state after the i-th step into that of
// its linear forms, and that of the cell after it into that before.
func (r *Recurrent) lstmStepBack(i int, dg, dh, dc []float32, m past, a *RecurrentArgs, spare []float32) {
	t, size := r.step(i), r.Hidden
	gates, c, cells := r.at(m.gates, t, 4*size), r.at(m.c, t, size), r.before(m.c, a.C0, i)
	for n := range r.Batch {
		if !running(a.Lengths, n, t) {
			continue
		}
		r.lstmRowBack(dg[n*4*size:(n+1)*4*size], dh[n*size:(n+1)*size], dc[n*size:(n+1)*size],
			gates[n*4*size:(n+1)*4*size], c[n*size:(n+1)*size], rowOf(cells, n, size), a.P, spare)
	}
}

func (r *Recurrent) lstmRowBack(dg, dh, dc, gates, c, prev, p, spare []float32) {
	size := len(dh)
	in, out, forget, cell := gates[:size], gates[size:2*size], gates[2*size:3*size], gates[3*size:]
	din, dout, dforget, dcell := dg[:size], dg[size:2*size], dg[2*size:3*size], dg[3*size:]
	squashed, through := spare[:size], spare[size:2*size]
	r.H.Of(squashed, c)
	for j := range dh {
		dout[j] = dh[j] * squashed[j]
		through[j] = dh[j] * out[j]
	}
	r.F.Grad(dout, out, dout)
	r.H.Grad(through, squashed, through)
	add(dc, through)
	if p != nil {
		addProduct(dc, dout, p[size:2*size])
	}
	for j := range dc {
		din[j] = dc[j] * cell[j]
		dcell[j] = dc[j] * in[j]
	}
	clear(dforget)
	if prev != nil {
		addProduct(dforget, dc, prev)
	}
	if r.InputForget {
		for j := range din {
			din[j] -= dforget[j]
		}
		clear(dforget)
	} else {
		r.F.Grad(dforget, forget, dforget)
	}
	r.F.Grad(din, in, din)
	r.G.Grad(dcell, cell, dcell)
	for j := range dc {
		dc[j] *= forget[j]
	}
	if p != nil {
		addProduct(dc, din, p[:size])
		addProduct(dc, dforget, p[2*size:3*size])
	}
}

// PeepholeGrad computes the gradient of P from that of the linear forms.
func (r *Recurrent) PeepholeGrad(dp, dxw, mem []float32, a *RecurrentArgs) {
	m, size := r.past(mem), r.Hidden
	clear(dp)
	for i := range r.Steps {
		t := r.step(i)
		dg, c, cells := r.at(dxw, t, 4*size), r.at(m.c, t, size), r.before(m.c, a.C0, i)
		for n := range r.Batch {
			row := dg[n*4*size : (n+1)*4*size]
			addProduct(dp[size:2*size], row[size:2*size], c[n*size:])
			if cells != nil {
				addProduct(dp[:size], row[:size], cells[n*size:])
				addProduct(dp[2*size:], row[2*size:3*size], cells[n*size:])
			}
		}
	}
}
