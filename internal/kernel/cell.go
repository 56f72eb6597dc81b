package kernel

// cellLoops compute a row of a recurrent cell with the usual gates: sigmoid for
// the gates proper, tanh for the others, and no peepholes.
type cellLoops struct {
	// lstm adds to the linear forms of the gates those of the input, turns them into
	// gates, and computes state and cell from them and the cell before; see lstmStep.
	lstm func(gates, xw, h, c, prev []float32)

	// lstmGrad computes the gradients of the linear forms from those of the state,
	// dh, and of the cell, dc, and makes dc that of the cell before.
	lstmGrad func(dg, gates, c, prev, dh, dc []float32)
}

var cellGeneric = cellLoops{
	lstm: func(gates, xw, h, c, prev []float32) {
		n := len(h)
		for j, v := range xw {
			gates[j] += v
		}
		pointGeneric.sigmoid(gates[:3*n], gates[:3*n], nil, 0, 0)
		pointGeneric.tanh(gates[3*n:], gates[3*n:], nil, 0, 0)
		in, out, forget, cell := gates[:n], gates[n:2*n], gates[2*n:3*n], gates[3*n:]
		for j := range c {
			c[j] = forget[j]*prev[j] + in[j]*cell[j]
		}
		pointGeneric.tanh(h, c, nil, 0, 0)
		multiply(h, h, out)
	},
	lstmGrad: func(dg, gates, c, prev, dh, dc []float32) {
		n := len(dh)
		in, out, forget, cell := gates[:n], gates[n:2*n], gates[2*n:3*n], gates[3*n:]
		din, dout, dforget, dcell := dg[:n], dg[n:2*n], dg[2*n:3*n], dg[3*n:]
		pointGeneric.tanh(dout, c, nil, 0, 0)
		for j, g := range dh {
			t := dout[j]
			d := dc[j] + g*out[j]*(1-t*t)
			dout[j] = g * t * out[j] * (1 - out[j])
			din[j] = d * cell[j] * in[j] * (1 - in[j])
			dforget[j] = d * prev[j] * forget[j] * (1 - forget[j])
			dcell[j] = d * in[j] * (1 - cell[j]*cell[j])
			dc[j] = d * forget[j]
		}
	},
}
