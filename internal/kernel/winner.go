package kernel

import "fmt"

// Winners finds where in x the maximum under the window is, for each output: the
// first of equals, as an index into all of x; or, by columns, one that counts the
// elements of a plane along its first axis first. A window that sees only
// padding gives the index of the plane's first element.
func (p *Pool) Winners(x []float32, out []int64, byColumns bool) {
	if len(x) != p.Planes*p.pixels() || len(out) != p.Planes*p.outputs() {
		panic(fmt.Sprintf("kernel: Winners of %d planes %v to %v: got %d inputs, %d outputs", p.Planes, p.In, p.Out, len(x), len(out)))
	}
	i := 0
	for plane := range p.Planes {
		base := plane * p.pixels()
		for d := range p.Out[0] {
			for h := range p.Out[1] {
				for w := range p.Out[2] {
					at := p.winner(x[base:base+p.pixels()], [3]int{d, h, w})
					if byColumns {
						at = p.byColumns(at)
					}
					out[i] = int64(base + at)
					i++
				}
			}
		}
	}
}

// winner is the first of the largest elements that an output sees.
func (p *Pool) winner(x []float32, out [3]int) int {
	best, found := 0, false
	for d := range p.Kernel[0] {
		for h := range p.Kernel[1] {
			for w := range p.Kernel[2] {
				at, inside := 0, true
				for axis, k := range [3]int{d, h, w} {
					c := out[axis]*p.Stride[axis] - p.Pad[axis] + k*p.Dilation[axis]
					inside = inside && c >= 0 && c < p.In[axis]
					at = at*p.In[axis] + c
				}
				if inside && (!found || x[at] > x[best]) {
					best, found = at, true
				}
			}
		}
	}
	return best
}

// byColumns is the number of an element of a plane when its first axis is
// counted first.
func (p *Pool) byColumns(at int) int {
	w := at % p.In[2]
	h := at / p.In[2] % p.In[1]
	d := at / p.In[2] / p.In[1]
	return (w*p.In[1]+h)*p.In[0] + d
}
