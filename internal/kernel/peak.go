package kernel

import "time"

// Peak measures how many floating point operations one core can do in a second
// with the instruction set in use, counting a multiply-add as two: the yardstick
// for all kernels. It takes about 10 ms.
func Peak() float64 {
	rounds := 1 << 12
	for {
		start := time.Now()
		operations := active.peak(rounds)
		if d := time.Since(start); d >= 5*time.Millisecond {
			return float64(operations) / d.Seconds()
		}
		rounds *= 2
	}
}

func peakGeneric(rounds int) int {
	var a, b, c, d, e, f, g, h float32
	const x, y = 0.5, 1
	for range rounds {
		a = a*x + y
		b = b*x + y
		c = c*x + y
		d = d*x + y
		e = e*x + y
		f = f*x + y
		g = g*x + y
		h = h*x + y
	}
	if a+b+c+d+e+f+g+h < 0 {
		return 0 // never: keeps the sums alive
	}
	return rounds * 8 * 2
}
