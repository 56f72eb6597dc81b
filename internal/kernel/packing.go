package kernel

// lines is a matrix that can be read in pieces of its rows.
type lines interface {
	// line is elements from to from+n of row i. It may use buf, which is long
	// enough, to hold them.
	line(i, from, n int, buf []float32) []float32
}

// operand is op(A) or op(B) of a product.
type operand struct {
	lines
	along bool // lines run along the inner dimension, rather than across it
}

// dense is a matrix stored row by row.
type dense struct {
	data   []float32
	stride int
}

func (d *dense) line(i, from, n int, _ []float32) []float32 {
	at := i*d.stride + from
	return d.data[at : at+n]
}

// pack copies count rows or columns of an operand, from first on, and elements
// k0 to k0+kc of its inner dimension, into panels of the given width.
func (w *workspace) pack(dst []float32, width int, o operand, first, count, k0, kc int) {
	full := blocks(kc, unroll) * unroll
	stride := full*width + panelPad
	for p, at := 0, 0; p < count; p, at = p+width, at+stride {
		panel := dst[at:][:full*width]
		clear(panel[kc*width:])
		if p+width > count {
			clear(panel)
		}
	}
	if !o.along {
		for k := range kc {
			line := o.line(k0+k, first, count, w.line[0])
			at := k * width
			for ; len(line) >= width; line = line[width:] {
				if width == tileN {
					*(*[tileN]float32)(dst[at:]) = [tileN]float32(line)
				} else {
					*(*[tileM]float32)(dst[at:]) = [tileM]float32(line)
				}
				at += stride
			}
			if len(line) > 0 {
				copy(dst[at:], line)
			}
		}
		return
	}
	for p, at := 0, 0; p < count; p, at = p+width, at+stride {
		panel := dst[at:][:kc*width]
		if width == tileN && p+tileN <= count {
			l0 := o.line(first+p, k0, kc, w.line[0])[:kc]
			l1 := o.line(first+p+1, k0, kc, w.line[1])[:kc]
			l2 := o.line(first+p+2, k0, kc, w.line[2])[:kc]
			l3 := o.line(first+p+3, k0, kc, w.line[3])[:kc]
			for k := range kc {
				*(*[tileN]float32)(panel[k*tileN:]) = [tileN]float32{l0[k], l1[k], l2[k], l3[k]}
			}
			continue
		}
		for x := range min(width, count-p) {
			line := o.line(first+p+x, k0, kc, w.line[0])
			for k, v := range line {
				panel[k*width+x] = v
			}
		}
	}
}
