package kernel

import "math"

var softmaxGeneric = softmaxLoops{
	rows: func(out, x []float32, n int, p float32) {
		for ; len(out) > 0; out, x = out[n:], x[n:] {
			out := out[:n]
			top, sum := maximum(x[:n]), 0.0
			for i := range out {
				out[i] = exp(x[i] - top)
				sum += float64(out[i])
			}
			f := float32(float64(p) / sum)
			for i := range out {
				out[i] *= f
			}
		}
	},
	logRows: func(out, x []float32, n int, _ float32) {
		for ; len(out) > 0; out, x = out[n:], x[n:] {
			top := maximum(x[:n])
			lse := float64(top) + math.Log(sumExp(x[:n], top))
			for i := range n {
				out[i] = float32(float64(x[i]) - lse)
			}
		}
	},
	gradRows: func(out, y, g []float32, n int) {
		for ; len(out) > 0; out, y, g = out[n:], y[n:], g[n:] {
			sum := 0.0
			for i := range n {
				sum += float64(g[i]) * float64(y[i])
			}
			for i := range n {
				out[i] = y[i] * (g[i] - float32(sum))
			}
		}
	},
	logGradRows: func(out, y, g []float32, n int) {
		for ; len(out) > 0; out, y, g = out[n:], y[n:], g[n:] {
			sum := float32(sumGeneric(g[:n]))
			for i := range n {
				out[i] = g[i] - exp(y[i])*sum
			}
		}
	},
	columns: func(out, x []float32, n, inner, width int, p float32) {
		tops, sums := sumExpColumns(x, n, inner, width)
		for i := range width {
			sums[i] = float64(p) / sums[i]
		}
		for k := range n {
			out, x := out[k*inner:][:width], x[k*inner:][:width]
			for i := range out {
				out[i] = exp(x[i]-tops[i]) * float32(sums[i])
			}
		}
	},
	logColumns: func(out, x []float32, n, inner, width int, _ float32) {
		tops, sums := sumExpColumns(x, n, inner, width)
		for i := range width {
			sums[i] = float64(tops[i]) + math.Log(sums[i])
		}
		for k := range n {
			out, x := out[k*inner:][:width], x[k*inner:][:width]
			for i := range out {
				out[i] = float32(float64(x[i]) - sums[i])
			}
		}
	},
	gradColumns: func(out, y, g []float32, n, inner, width int) {
		var sums [softmaxWidth]float64
		for k := range n {
			y, g := y[k*inner:][:width], g[k*inner:][:width]
			for i := range y {
				sums[i] += float64(g[i]) * float64(y[i])
			}
		}
		for k := range n {
			out, y, g := out[k*inner:][:width], y[k*inner:][:width], g[k*inner:][:width]
			for i := range out {
				out[i] = y[i] * (g[i] - float32(sums[i]))
			}
		}
	},
	logGradColumns: func(out, y, g []float32, n, inner, width int) {
		var sums [softmaxWidth]float64
		for k := range n {
			for i, v := range g[k*inner:][:width] {
				sums[i] += float64(v)
			}
		}
		for k := range n {
			out, y, g := out[k*inner:][:width], y[k*inner:][:width], g[k*inner:][:width]
			for i := range out {
				out[i] = g[i] - exp(y[i])*float32(sums[i])
			}
		}
	},
	sumExp: func(tops, sums, x []float32, n int) {
		for r := range tops {
			row := x[r*n : (r+1)*n]
			tops[r] = maximum(row)
			sums[r] = float32(sumExp(row, tops[r]))
		}
	},
}

// sumExpColumns finds the largest x and Σexp(x - top) of some columns.
func sumExpColumns(x []float32, n, inner, width int) (tops [softmaxWidth]float32, sums [softmaxWidth]float64) {
	copy(tops[:width], x)
	for k := 1; k < n; k++ {
		for i, v := range x[k*inner:][:width] {
			tops[i] = max(tops[i], v)
		}
	}
	for k := range n {
		for i, v := range x[k*inner:][:width] {
			sums[i] += float64(exp(v - tops[i]))
		}
	}
	return tops, sums
}

// maximum keeps four candidates, so comparisons need not wait for one another.
func maximum(x []float32) float32 {
	a, b, c, d := x[0], x[0], x[0], x[0]
	for ; len(x) >= 4; x = x[4:] {
		a, b, c, d = max(a, x[0]), max(b, x[1]), max(c, x[2]), max(d, x[3])
	}
	for _, v := range x {
		a = max(a, v)
	}
	return max(max(a, b), max(c, d))
}

// sumExp is Σexp(x - top).
func sumExp(x []float32, top float32) float64 {
	sum := 0.0
	for _, v := range x {
		sum += float64(exp(v - top))
	}
	return sum
}
