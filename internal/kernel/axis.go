package kernel

// axis relates the results of a convolution to what they read, along one axis.
// Elements of the source that are step apart form a plane; results that are as
// far apart as their first ones form a phase. Within a phase, a result reads a
// plane for each tap of the kernel, at its own number plus a shift: strides are
// gone.
//
// To compute outputs, the inputs are the source, in a plane for each residue of
// the stride. To compute gradients of inputs, gradients of outputs are the
// source, and inputs of equal residue use the same taps.
type axis struct {
	source int   // elements
	result int   // elements
	step   int   // between the elements of a plane
	planes []int // number of the first element of each; negative in the padding
	ahead  int   // largest shift
	stride int   // between the results of a phase
	phases []phase
}

// phase is every stride-th result of an axis.
type phase struct {
	first, count int
	taps         []axisTap
}

// axisTap says that result i reads element i+shift of a plane.
type axisTap struct{ tap, plane, shift int }

// axes are those of a window, with outputs or, backward, with inputs as results.
func (w *Window) axes(backward bool) (a [3]axis) {
	for i := range a {
		if backward {
			a[i] = w.backwardAxis(i)
		} else {
			a[i] = w.forwardAxis(i)
		}
	}
	return a
}

// forwardAxis is axis i of a window, for outputs as results.
func (w *Window) forwardAxis(i int) axis {
	a := axis{source: w.In[i], result: w.Out[i], step: w.Stride[i], stride: 1}
	p := phase{count: w.Out[i]}
	number := map[int]int{} // of the plane of each residue
	for t := range w.Kernel[i] {
		at := t * w.Dilation[i]
		residue := at % a.step
		plane, ok := number[residue]
		if !ok {
			plane = len(a.planes)
			number[residue] = plane
			a.planes = append(a.planes, residue-w.Pad[i])
		}
		p.taps = append(p.taps, axisTap{t, plane, at / a.step})
		a.ahead = max(a.ahead, at/a.step)
	}
	a.phases = []phase{p}
	return a
}

// backwardAxis is axis i of a window, for gradients of inputs as results.
func (w *Window) backwardAxis(i int) axis {
	stride := w.Stride[i]
	a := axis{source: w.Out[i], result: w.In[i], step: 1, stride: min(stride, w.In[i])}
	lowest, highest := w.Out[i], -w.Out[i]
	for first := range a.stride {
		p := phase{first: first, count: blocks(a.result-first, stride)}
		for t := range w.Kernel[i] {
			if at := first + w.Pad[i] - t*w.Dilation[i]; at%stride == 0 {
				shift := at / stride
				p.taps = append(p.taps, axisTap{t, 0, shift})
				lowest, highest = min(lowest, shift), max(highest, shift)
			}
		}
		a.phases = append(a.phases, p)
	}
	lowest = min(lowest, highest) // without taps both are arbitrary
	a.planes, a.ahead = []int{lowest}, highest-lowest
	for _, p := range a.phases {
		for i := range p.taps {
			p.taps[i].shift -= lowest
		}
	}
	return a
}

// count is the number of results of the longest phase, which is the first.
func (a *axis) count() int { return a.phases[0].count }

// shared is how many elements of the padding behind the last result may also be
// those before the first one of the next row.
func (a *axis) shared() int {
	if a.step > 1 || len(a.planes) > 1 {
		return 0
	}
	behind := a.count() + a.ahead + a.planes[0] - a.source
	return max(0, min(-a.planes[0], behind))
}

// inside is the range of elements from to to-1 of a plane that are in the
// source, relative to from, and the place in the source of the first of them.
func (a *axis) inside(plane, from, to int) (lo, hi, at int) {
	start := a.planes[plane] + from*a.step // may be in the padding
	if start < 0 {
		lo = blocks(-start, a.step)
	}
	if start < a.source {
		hi = blocks(a.source-start, a.step)
	}
	hi = min(hi, to-from)
	lo = min(lo, hi)
	return lo, hi, start + lo*a.step
}
