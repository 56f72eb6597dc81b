package kernel

// direct tells whether products of matrices would be too thin to pay off, as
// with a convolution of each channel by itself.
func (c *Conv) direct() bool { return c.C == c.Groups && c.M/c.Groups < tileN }

// grain is how many planes of a direct convolution are worth a task.
func (c *Conv) grain() int { return max(1, chunk/(c.taps()*c.outputs()+1)) }

// convForwardPlanes computes output channels tap by tap.
func convForwardPlanes(a *convArgs, lo, hi int) {
	c := a.c
	taps, outputs, pixels, filters := c.taps(), c.outputs(), c.pixels(), c.M/c.Groups
	for plane := lo; plane < hi; plane++ {
		m := plane % c.M
		x := a.x[plane/filters*pixels:][:pixels]
		y := a.y[plane*outputs:][:outputs]
		bias := float32(0)
		if a.b != nil {
			bias = a.b[m]
		}
		fill(y, bias)
		for i := range taps {
			t, w := c.tap(i), a.w[m*taps+i]
			t.each(func(x, y []float32, step int) {
				if step == 1 {
					x = x[:len(y)]
					for j := range y {
						y[j] += w * x[j]
					}
					return
				}
				for j := range y {
					y[j] += w * x[j*step]
				}
			}, x, y)
		}
	}
}

// convBackDataPlanes computes gradients of input channels tap by tap.
func convBackDataPlanes(a *convArgs, lo, hi int) {
	c := a.c
	taps, outputs, pixels, filters := c.taps(), c.outputs(), c.pixels(), c.M/c.Groups
	for plane := lo; plane < hi; plane++ {
		dx := a.x[plane*pixels:][:pixels]
		clear(dx)
		for f := range filters {
			out := plane*filters + f
			dy := a.y[out*outputs:][:outputs]
			for i := range taps {
				t, w := c.tap(i), a.w[out%c.M*taps+i]
				t.each(func(x, y []float32, step int) {
					if step == 1 {
						x = x[:len(y)]
						for j := range y {
							x[j] += w * y[j]
						}
						return
					}
					for j := range y {
						x[j*step] += w * y[j]
					}
				}, dx, dy)
			}
		}
	}
}

// convBackWeightPlanes computes gradients of output channels tap by tap.
func convBackWeightPlanes(a *convArgs, lo, hi int) {
	c := a.c
	taps, outputs, pixels, filters := c.taps(), c.outputs(), c.pixels(), c.M/c.Groups
	for m := lo; m < hi; m++ {
		for i := range taps {
			t, total := c.tap(i), 0.0
			for n := range c.N {
				out := n*c.M + m
				t.each(func(x, y []float32, step int) {
					sum := float32(0)
					for j := range y {
						sum += y[j] * x[j*step]
					}
					total += float64(sum)
				}, a.x[out/filters*pixels:][:pixels], a.y[out*outputs:][:outputs])
			}
			a.w[m*taps+i] = float32(total)
		}
	}
}
