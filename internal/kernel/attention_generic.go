package kernel

// attentionLoops go over the rows, n elements each, of a block of scores, and over
// a number for each of them. There is one row at least.
type attentionLoops struct {
	// shares computes exp(x-top) and its sum; top is the largest of x and of the
	// top before.
	shares func(x, tops, sums []float32, n int)

	again  func(x, logs []float32, n int)     // x = exp(x-log)
	slopes func(p, g, means []float32, n int) // p = p·(g-mean)
}

var attentionGeneric = attentionLoops{
	shares: func(x, tops, sums []float32, n int) {
		for r := range tops {
			x := x[r*n:][:n]
			top, sum := max(tops[r], maximum(x)), 0.0
			for i, v := range x {
				x[i] = exp(v - top)
				sum += float64(x[i])
			}
			tops[r], sums[r] = top, float32(sum)
		}
	},
	again: func(x, logs []float32, n int) {
		for r, log := range logs {
			x := x[r*n:][:n]
			for i, v := range x {
				x[i] = exp(v - log)
			}
		}
	},
	slopes: func(p, g, means []float32, n int) {
		for r, mean := range means {
			p, g := p[r*n:][:n], g[r*n:][:n]
			for i := range p {
				p[i] *= g[i] - mean
			}
		}
	},
}
