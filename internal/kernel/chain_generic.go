package kernel

import "math"

// linkBlock is the number of elements in a block: w, u, s, t and the mask take 17
// bytes each, and 1024 of them fill about half of a 32 KiB L1 cache.
const linkBlock = 1024

// finish takes the elements from lo on through the chain.
func (u *Update) finish(lo int) {
	var own [linkBlock]float32 // u, once a link has changed it
	for n := len(u.W); lo < n; lo += linkBlock {
		b := Update{Links: u.Links}
		hi := min(lo+linkBlock, n)
		b.W = u.W[lo:hi]
		if u.Grad != nil {
			b.Grad = u.Grad[lo:hi]
		}
		if u.S != nil {
			b.S = u.S[lo:hi]
		}
		if u.T != nil {
			b.T = u.T[lo:hi]
		}
		if u.Keep != nil {
			b.Keep = u.Keep[lo:hi]
		}
		if u.Out != nil {
			b.Out = u.Out[lo:hi]
		}
		b.links(own[:hi-lo])
	}
}

// links takes a block through the chain. Products are rounded explicitly, or
// some compilers would fuse them with the sum.
func (u *Update) links(own []float32) {
	w, s, t := u.W, u.S, u.T
	grad := u.Grad
	for _, l := range u.Links {
		switch l.Kind {
		case AddWeights:
			for i := range own {
				own[i] = grad[i] + float32(l.A*w[i])
			}
			grad = own
		case AddSigns:
			addSigns(own, grad, w, l.A)
			grad = own
		case Multiply:
			for i := range w {
				w[i] *= l.A
			}
		case Average:
			for i := range s {
				s[i] = float32(l.A*s[i]) + float32(l.B*grad[i])
			}
		case AverageSquares:
			for i := range t {
				t[i] = float32(l.A*t[i]) + float32(float32(l.B*grad[i])*grad[i])
			}
		case TakeAverage:
			copy(own, s)
			grad = own
		case AddAverage:
			for i := range own {
				own[i] = grad[i] + float32(l.A*s[i])
			}
			grad = own
		case Normalize:
			for i := range own {
				own[i] = s[i] / (float32(math.Sqrt(float64(t[i]))) + l.A)
			}
			grad = own
		case Descend:
			for i := range w {
				w[i] -= float32(l.A * grad[i])
			}
		case Shrink:
			shrink(w, l.A)
		case Drop:
			if u.Keep != nil {
				clearDropped(w, u.Keep)
				clearDropped(s, u.Keep)
				clearDropped(t, u.Keep)
			}
		case Store:
			copy(u.Out, grad)
		}
	}
}

// The sign of a weight is as good as random, and a branch on it is mispredicted
// half of the time; so the following do without.

// addSigns computes out = u + a·sign(w).
func addSigns(out, u, w []float32, a float32) {
	size := math.Float32bits(a)
	u, w = u[:len(out)], w[:len(out)]
	for i := range out {
		bits := math.Float32bits(w[i])
		step := size | bits&negZero
		if bits&^negZero == 0 {
			step = 0
		}
		out[i] = u[i] + math.Float32frombits(step)
	}
}

// shrink pulls w towards 0 by a, and stops there.
func shrink(w []float32, a float32) {
	for i := range w {
		bits := math.Float32bits(w[i])
		left := math.Float32bits(math.Float32frombits(bits&^negZero) - a)
		left &^= uint32(int32(left) >> 31) // 0 where negative
		if left != 0 {
			left |= bits & negZero
		}
		w[i] = math.Float32frombits(left)
	}
}

// clearDropped sets x, which may be empty, to 0 where it is not kept.
func clearDropped(x []float32, keep []bool) {
	for i, v := range x {
		bits := math.Float32bits(v)
		if !keep[i] {
			bits = 0
		}
		x[i] = math.Float32frombits(bits)
	}
}
