package kernel

// lstmStep computes, for the i-th step,
//
//	i = F(xi + h'·Ri + pi·c')    f = F(xf + h'·Rf + pf·c')
//	c = f·c' + i·G(xc + h'·Rc)   o = F(xo + h'·Ro + po·c)   h = o·H(c)
//
// where h' and c' are the state and the cell before.
func (r *Recurrent) lstmStep(i int, m past, a *RecurrentArgs, w *recurrentWeight, zeros []float32) {
	t, size := r.step(i), r.Hidden
	gates, h, c := r.at(m.gates, t, 4*size), r.at(m.h, t, size), r.at(m.c, t, size)
	state, cells := r.before(m.h, a.H0, i), r.before(m.c, a.C0, i)
	if state == nil {
		clear(gates)
	} else {
		w.gates.multiply(r.Batch, state, size, 0, gates, 4*size)
	}
	args := lstmArgs{r: r, t: t, lengths: a.Lengths, p: a.P, xw: r.at(a.XW, t, 4*size), gates: gates, h: h, c: c, prev: cells}
	if cells == nil {
		clear(zeros)
		args.prev = zeros
	}
	lstmRows.do(r.Batch, max(1, lstmGrain/size), args)
	r.hold(h, state, a.Lengths, t)
	r.hold(c, cells, a.Lengths, t)
}

// lstmArgs are a step of all rows; dg, dh and dc are gradients.
type lstmArgs struct {
	r                                 *Recurrent
	t                                 int
	lengths                           []int64
	p                                 []float32
	xw, gates, h, c, prev, dg, dh, dc []float32
}

// lstmGrain is the number of elements of the state that are worth a task.
const lstmGrain = 2 << 10

var lstmRows = split(func(a *lstmArgs, lo, hi int) {
	size := a.r.Hidden
	for n := lo; n < hi; n++ {
		if !running(a.lengths, n, a.t) {
			continue
		}
		gates, xw := a.gates[n*4*size:(n+1)*4*size], a.xw[n*4*size:(n+1)*4*size]
		h := a.h[n*size : (n+1)*size]
		c, prev := a.c[n*size:(n+1)*size], a.prev[n*size:(n+1)*size]
		if a.r.usual(a.p) {
			active.cell.lstm(gates, xw, h, c, prev)
		} else {
			add(gates, xw)
			a.r.lstmRow(gates, h, c, prev, a.p)
		}
	}
})

// usual tells whether the cell is the one there are loops for.
func (r *Recurrent) usual(p []float32) bool {
	return p == nil && !r.InputForget && r.F.name == sigmoidGate && r.G.name == tanhGate && r.H.name == tanhGate
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
		addProduct(in, p[:size], prev)
		addProduct(forget, p[2*size:3*size], prev)
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
	addProduct(c, forget, prev)
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
func (r *Recurrent) lstmStepBack(i int, dg, dh, dc []float32, m past, a *RecurrentArgs, zeros []float32) {
	t, size := r.step(i), r.Hidden
	args := lstmArgs{
		r: r, t: t, lengths: a.Lengths, p: a.P, dg: dg, dh: dh, dc: dc,
		gates: r.at(m.gates, t, 4*size), c: r.at(m.c, t, size), prev: r.before(m.c, a.C0, i),
	}
	if args.prev == nil {
		clear(zeros)
		args.prev = zeros
	}
	lstmRowsBack.do(r.Batch, max(1, lstmGrain/size), args)
}

var lstmRowsBack = split(func(a *lstmArgs, lo, hi int) {
	size := a.r.Hidden
	for n := lo; n < hi; n++ {
		if !running(a.lengths, n, a.t) {
			continue
		}
		gates, dg := a.gates[n*4*size:(n+1)*4*size], a.dg[n*4*size:(n+1)*4*size]
		c, prev := a.c[n*size:(n+1)*size], a.prev[n*size:(n+1)*size]
		dh, dc := a.dh[n*size:(n+1)*size], a.dc[n*size:(n+1)*size]
		if a.r.usual(a.p) {
			active.cell.lstmGrad(dg, gates, c, prev, dh, dc)
		} else {
			a.r.lstmRowBack(dg, dh, dc, gates, c, prev, a.p)
		}
	}
})

func (r *Recurrent) lstmRowBack(dg, dh, dc, gates, c, prev, p []float32) {
	size := len(dh)
	in, out, forget, cell := gates[:size], gates[size:2*size], gates[2*size:3*size], gates[3*size:]
	din, dout, dforget, dcell := dg[:size], dg[size:2*size], dg[2*size:3*size], dg[3*size:]
	squashed, through := dforget, dcell // for now
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
		dforget[j] = dc[j] * prev[j]
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
