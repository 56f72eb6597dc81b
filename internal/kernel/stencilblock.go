package kernel

// stencilBlock is a vector of columns of results or, with a stride of 2 and
// gradients of inputs as results, of pairs of them.
type stencilBlock struct {
	at    int      // first column
	col   int      // of what it reads first; may be in the padding
	masks []uint32 // of loads, then of stores
	whole int      // 1 if all lanes are stored
}

// slideBlocks are blocks of columns from images of width in to results of width
// out. Where stores of parts of vectors are slow, blocks may overlap instead.
func (l *stencilLoops) slideBlocks(kernel, stride, pad, in, out int, overlap bool) []stencilBlock {
	var list []stencilBlock
	for at := 0; at < out; at += l.lanes {
		if overlap && l.lanes == 8 && out >= l.lanes {
			at = min(at, out-l.lanes)
		}
		b := stencilBlock{at: at, col: at*stride - pad}
		for tap := 0; tap < kernel; tap += stride {
			for v := range stride {
				from := b.col + tap + v*l.lanes
				b.masks = l.mask(b.masks, -from, in-from)
			}
		}
		b.masks = l.mask(b.masks, 0, out-at)
		if at+l.lanes <= out {
			b.whole = 1
		}
		list = append(list, b)
	}
	return list
}

// spreadBlocks are blocks of columns from gradients of width out to those of
// inputs of width in. Column 0 meets first the one at the given place.
func (l *stencilLoops) spreadBlocks(side, first, out, in int) []stencilBlock {
	var list []stencilBlock
	for at := 0; at < in; at += 2 * l.lanes {
		if l.lanes == 8 && in >= 2*l.lanes && in%2 == 0 {
			at = min(at, in-2*l.lanes)
		}
		b := stencilBlock{at: at, col: at/2 + first}
		for tap := range side {
			b.masks = l.mask(b.masks, -b.col-tap, out-b.col-tap)
		}
		b.masks = l.mask(b.masks, 0, in-at)
		b.masks = l.mask(b.masks, 0, in-at-l.lanes)
		if at+2*l.lanes <= in {
			b.whole = 1
		}
		list = append(list, b)
	}
	return list
}

// mask appends a mask of lanes from to to-1.
func (l *stencilLoops) mask(list []uint32, from, to int) []uint32 {
	bits := uint32(0)
	for i := max(0, from); i < min(l.lanes, to); i++ {
		bits |= 1 << i
	}
	if l.lanes == 16 {
		return append(list, bits)
	}
	for i := range l.lanes {
		list = append(list, -(bits >> i & 1))
	}
	return list
}
