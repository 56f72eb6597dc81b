package kernel

// tileEdge is the side of the square that a transposing read holds in cache.
const tileEdge = 32

// strips is how many pieces of tileEdge indices of the tile axis, by all of the
// last axis, the view has, and the elements in one.
func (v *View) strips() (n, size int) {
	last, edge := len(v.Shape)-1, v.Shape[v.tile]
	perPlane := blocks(edge, tileEdge)
	return v.size / (edge * v.Shape[last]) * perPlane, min(edge, tileEdge) * v.Shape[last]
}

// readStrips reads a plane whose contiguous axis is not the last: both sides
// are touched a square at a time, or each element would cost a cache line.
func readStrips[T Number](a *viewArgs[T], lo, hi int) {
	v := a.v
	last, edge, cols := len(v.Shape)-1, v.Shape[v.tile], v.Shape[len(v.Shape)-1]
	perPlane := blocks(edge, tileEdge)
	between := product(v.Shape[v.tile+1:])
	for s := lo; s < hi; s++ {
		// The plane's position: every axis but the two of the tile.
		plane, src, dst, step := s/perPlane, v.Offset, 0, cols
		for k := last - 1; k >= 0; k-- {
			if k == v.tile {
				step = between * edge
				continue
			}
			i := plane % v.Shape[k]
			plane /= v.Shape[k]
			src += i * v.Strides[k]
			dst += i * step
			step *= v.Shape[k]
		}
		r0 := s % perPlane * tileEdge
		r1 := min(r0+tileEdge, edge)
		for c0 := 0; c0 < cols; c0 += tileEdge {
			c1 := min(c0+tileEdge, cols)
			transposeTile(a.out[dst+r0*between+c0:], a.x, src+r0+c0*v.Strides[last], r1-r0, c1-c0, between, v.Strides[last])
		}
	}
}

// transposeTile sets out[r*outStride+c] to x[from+c*stride+r].
func transposeTile[T Number](out, x []T, from, rows, cols, outStride, stride int) {
	wholeRows, wholeCols := 0, 0
	if out, ok := any(out).([]float32); ok && rows >= 8 && cols >= 8 && stride > 0 {
		wholeRows, wholeCols = rows&^7, cols&^7
		active.view.transpose(out, any(x).([]float32)[from:], wholeRows, wholeCols, outStride, stride)
	}
	for r := range rows {
		done := 0
		if r < wholeRows {
			done = wholeCols
		}
		for c := done; c < cols; c++ {
			out[r*outStride+c] = x[from+c*stride+r]
		}
	}
}
