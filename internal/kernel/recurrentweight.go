package kernel

// recurrentWeight is R as the products of a pass read it, packed, since it is the
// same at every step. The part of the GRU's candidate is apart.
type recurrentWeight struct{ gates, candidate packed }

// gateRows are the rows of R that belong to all gates but the GRU's candidate.
func (r *Recurrent) gateRows() int {
	if r.Kind == GRU {
		return 2 * r.Hidden
	}
	return r.Kind.Gates() * r.Hidden
}

// weightSize is the room for the weight of the forward or of the backward pass.
func (r *Recurrent) weightSize(forward bool) int {
	size := func(rows int) int {
		if forward {
			return packedSize(r.Hidden, rows)
		}
		return packedSize(rows, r.Hidden)
	}
	if r.Kind == GRU {
		return size(r.gateRows()) + size(r.Hidden)
	}
	return size(r.gateRows())
}

// pack packs the weight: transposed for the forward pass.
func (r *Recurrent) pack(room, weight []float32, forward bool) (w recurrentWeight, rest []float32) {
	part := func(weight []float32, rows int) (p packed) {
		k, n := rows, r.Hidden
		if forward {
			k, n = n, k
		}
		p, room = packWhole(room, forward, k, n, weight, r.Hidden)
		return p
	}
	rows := r.gateRows()
	w.gates = part(weight, rows)
	if r.Kind == GRU {
		w.candidate = part(weight[rows*r.Hidden:], r.Hidden)
	}
	return w, room
}
