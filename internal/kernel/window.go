package kernel

// Window says how a kernel slides over an image of up to three spatial axes:
// depth, height, width. Axes that an image lacks come first and have size 1
// (see NewWindow), so a signal is an image of height 1.
type Window struct {
	In, Out  [3]int // sizes
	Kernel   [3]int // taps along each axis
	Stride   [3]int
	Dilation [3]int
	Pad      [3]int // elements before the first; those behind follow from Out
}

// NewWindow fills up arguments for one to three axes to three.
func NewWindow(in, out, kernel, strides, dilations, pads []int) Window {
	w := Window{
		In: [3]int{1, 1, 1}, Out: [3]int{1, 1, 1}, Kernel: [3]int{1, 1, 1},
		Stride: [3]int{1, 1, 1}, Dilation: [3]int{1, 1, 1},
	}
	first := 3 - len(in)
	copy(w.In[first:], in)
	copy(w.Out[first:], out)
	copy(w.Kernel[first:], kernel)
	copy(w.Stride[first:], strides)
	copy(w.Dilation[first:], dilations)
	copy(w.Pad[first:], pads)
	return w
}

func volume(size [3]int) int { return size[0] * size[1] * size[2] }

// pixels is the number of inputs in a channel.
func (w *Window) pixels() int { return volume(w.In) }

// outputs is the number of outputs in a channel.
func (w *Window) outputs() int { return volume(w.Out) }

// taps is the number of elements of the kernel.
func (w *Window) taps() int { return volume(w.Kernel) }

// rows is the number of rows of outputs in a channel.
func (w *Window) rows() int { return w.Out[0] * w.Out[1] }

// plain tells whether output i reads input i and nothing else.
func (w *Window) plain() bool {
	return w.taps() == 1 && w.In == w.Out && w.Stride == [3]int{1, 1, 1} && w.Pad == [3]int{}
}

// line is a plain window over all inputs as one row.
func (w *Window) line() Window {
	one, n := []int{1}, []int{w.pixels()}
	return NewWindow(n, n, one, one, one, []int{0})
}

// tap is one element of the kernel: it relates each output to one input.
type tap struct {
	w       *Window
	d, h, x int // where output 0 reads, along each axis
	lo, hi  int // columns of the output whose input is not in the padding
}

// tap is element i of the kernel.
func (w *Window) tap(i int) tap {
	kw := i % w.Kernel[2]
	kh := i / w.Kernel[2] % w.Kernel[1]
	kd := i / w.Kernel[2] / w.Kernel[1]
	t := tap{
		w: w,
		d: kd*w.Dilation[0] - w.Pad[0],
		h: kh*w.Dilation[1] - w.Pad[1],
		x: kw*w.Dilation[2] - w.Pad[2],
	}
	step := w.Stride[2]
	if t.x < 0 {
		t.lo = min(blocks(-t.x, step), w.Out[2])
	}
	if t.x < w.In[2] {
		t.hi = min(blocks(w.In[2]-t.x, step), w.Out[2])
	}
	t.hi = max(t.hi, t.lo)
	return t
}

// row tells where output row r reads: column j reads input at + j·Stride[2] for
// lo <= j < hi. It returns false if the whole row reads padding.
func (t *tap) row(r int) (at int, ok bool) {
	w := t.w
	d := r/w.Out[1]*w.Stride[0] + t.d
	h := r%w.Out[1]*w.Stride[1] + t.h
	if d < 0 || d >= w.In[0] || h < 0 || h >= w.In[1] {
		return 0, false
	}
	return (d*w.In[1]+h)*w.In[2] + t.x, true
}

// imageLines is the matrix that makes a convolution a product: a row for each
// channel and tap, a column for each output, each element the input they meet
// at, 0 in the padding. It is never stored as a whole.
type imageLines struct {
	w    *Window
	data []float32 // channels
}

func (v *imageLines) line(i, from, n int, buf []float32) []float32 {
	w := v.w
	taps, pixels := w.taps(), w.pixels()
	channel := v.data[i/taps*pixels:][:pixels]
	if w.plain() {
		return channel[from : from+n]
	}
	t := w.tap(i % taps)
	step := w.Stride[2]
	out := buf[:n]
	row, col := from/w.Out[2], from%w.Out[2]
	for rest := out; len(rest) > 0; row, col = row+1, 0 {
		run := rest[:min(len(rest), w.Out[2]-col)]
		rest = rest[len(run):]
		at, ok := t.row(row)
		if !ok {
			clear(run)
			continue
		}
		lo := min(max(t.lo-col, 0), len(run))
		hi := min(max(t.hi-col, lo), len(run))
		clear(run[:lo])
		clear(run[hi:])
		run = run[lo:hi]
		at += (col + lo) * step
		if step == 1 {
			if len(run) > 0 {
				copy(run, channel[at:])
			}
			continue
		}
		for j := range run {
			run[j] = channel[at]
			at += step
		}
	}
	return out
}

// addLine is the transpose of line: it adds a piece of row i of the matrix to
// the inputs that it was read from.
func (v *imageLines) addLine(i, from int, x []float32) {
	w := v.w
	taps, pixels := w.taps(), w.pixels()
	channel := v.data[i/taps*pixels:][:pixels]
	t := w.tap(i % taps)
	step := w.Stride[2]
	row, col := from/w.Out[2], from%w.Out[2]
	for ; len(x) > 0; row, col = row+1, 0 {
		run := x[:min(len(x), w.Out[2]-col)]
		x = x[len(run):]
		at, ok := t.row(row)
		lo := min(max(t.lo-col, 0), len(run))
		hi := min(max(t.hi-col, lo), len(run))
		if !ok || lo == hi {
			continue
		}
		run = run[lo:hi]
		at += (col + lo) * step
		if step == 1 {
			to := channel[at : at+len(run)]
			for j, g := range run {
				to[j] += g
			}
			continue
		}
		for _, g := range run {
			channel[at] += g
			at += step
		}
	}
}

// each calls f for every row of outputs that the tap reads something for, with
// the outputs y that do and the inputs: y[j] reads x[j·step].
func (t *tap) each(f func(x, y []float32, step int), x, y []float32) {
	w := t.w
	step := w.Stride[2]
	if t.lo == t.hi {
		return
	}
	for r := range w.rows() {
		if at, ok := t.row(r); ok {
			from, to := at+t.lo*step, at+(t.hi-1)*step+1
			f(x[from:to], y[r*w.Out[2]+t.lo:r*w.Out[2]+t.hi], step)
		}
	}
}
