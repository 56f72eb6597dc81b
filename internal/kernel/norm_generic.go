package kernel

import "math"

var planesGeneric = planeLoops{
	sum: func(x []float32, n, stride, size int) float64 {
		sum := 0.0
		for i := range n {
			sum += sumGeneric(x[i*stride:][:size])
		}
		return sum
	},
	moments: func(x []float32, n, stride, size int, around float32) (sum, squares float64) {
		for i := range n {
			for _, v := range x[i*stride:][:size] {
				d := float64(v - around)
				sum += d
				squares += d * d
			}
		}
		return sum, squares
	},
	normalize: [2][2]normalizeFunc{
		{normalizeGeneric(false, false), normalizeGeneric(false, true)},
		{normalizeGeneric(true, false), normalizeGeneric(true, true)},
	},
	gradSums: [gates]gradSumsFunc{
		gradSumsGeneric(gateNone), gradSumsGeneric(gateX), gradSumsGeneric(gateY),
	},
	grad: [gates]inputGradFunc{
		inputGradGeneric(gateNone, false), inputGradGeneric(gateX, false), inputGradGeneric(gateY, false),
	},
	trainGrad: [gates]inputGradFunc{
		inputGradGeneric(gateNone, true), inputGradGeneric(gateX, true), inputGradGeneric(gateY, true),
	},
}

func normalizeGeneric(limited, added bool) normalizeFunc {
	return func(y, x, add []float32, n, stride, size int, mean, factor, shift, low, high float32, _ bool) {
		for i := range n {
			y, x := y[i*stride:][:size], x[i*stride:][:size]
			for j, v := range x {
				y[j] = (v-mean)*factor + shift
			}
			if added {
				for j, v := range add[i*stride:][:size] {
					y[j] += v
				}
			}
			if limited {
				for j, v := range y {
					y[j] = min(max(v, low), high)
				}
			}
		}
	}
}

// gateBlock is how many gradients are gated at a time.
const gateBlock = 256

// gated is dy, 0 where the limits hold the result. It may use buf.
func (g gate) gated(buf, x, y, dy []float32, mean, factor, shift, low, high float32) []float32 {
	if g == gateNone {
		return dy
	}
	for i, v := range dy {
		var result float32
		if g == gateY {
			result = y[i]
		} else {
			result = (x[i]-mean)*factor + shift
		}
		b := math.Float32bits(v)
		if !(result > low) { // no branch to mispredict
			b = 0
		}
		if !(result < high) {
			b = 0
		}
		buf[i] = math.Float32frombits(b)
	}
	return buf[:len(dy)]
}

func gradSumsGeneric(g gate) gradSumsFunc {
	return func(x, y, dy []float32, n, stride, size int, mean, factor, shift, low, high float32) (sum, product float64) {
		var buf [gateBlock]float32
		for plane := range n {
			for lo := plane * stride; lo < plane*stride+size; lo += gateBlock {
				hi := min(lo+gateBlock, plane*stride+size)
				x := x[lo:hi]
				for i, v := range g.gated(buf[:], x, part(y, lo, hi), dy[lo:hi], mean, factor, shift, low, high) {
					sum += float64(v)
					product += float64(v) * float64(x[i]-mean)
				}
			}
		}
		return sum, product
	}
}

func inputGradGeneric(g gate, train bool) inputGradFunc {
	return func(dx, dadd, x, y, dy []float32, n, stride, size int, mean, factor, shift, low, high, offset, slope float32, _ bool) {
		var buf [gateBlock]float32
		for plane := range n {
			for lo := plane * stride; lo < plane*stride+size; lo += gateBlock {
				hi := min(lo+gateBlock, plane*stride+size)
				x, dx := part(x, lo, hi), dx[lo:hi]
				v := g.gated(buf[:], x, part(y, lo, hi), dy[lo:hi], mean, factor, shift, low, high)
				if g == gateY && dadd != nil {
					copy(dadd[lo:hi], v)
				}
				if train {
					for i, v := range v {
						dx[i] = factor * (v - offset - (x[i]-mean)*slope)
					}
					continue
				}
				for i, v := range v {
					dx[i] = factor * v
				}
			}
		}
	}
}

// part is x[lo:hi], nil if x is.
func part(x []float32, lo, hi int) []float32 {
	if x == nil {
		return nil
	}
	return x[lo:hi]
}
