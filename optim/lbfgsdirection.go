package optim

// What L-BFGS remembers of the function, and the direction that follows from it.

// remember takes the last step and what it did to the gradient into account,
// unless the function was not convex there.
func (o *LBFGS) remember(g []float32) {
	s := &o.state
	change, step := make([]float32, len(g)), scaled(s.Direction, float32(s.Length))
	for i := range g {
		change[i] = g[i] - s.Grad[i]
	}
	if dot(change, step) <= 1e-10 {
		return
	}
	if len(s.Steps) == o.cfg.History {
		s.Changes, s.Steps = s.Changes[1:], s.Steps[1:]
	}
	s.Changes, s.Steps = append(s.Changes, change), append(s.Steps, step)
}

// direction is −H·g.
func (o *LBFGS) direction(g []float32) []float32 {
	s := &o.state
	r := scaled(g, -1)
	a := make([]float64, len(s.Steps))
	for i := len(a) - 1; i >= 0; i-- {
		a[i] = dot(s.Steps[i], r) / dot(s.Changes[i], s.Steps[i])
		addScaled(r, s.Changes[i], -a[i])
	}
	if n := len(a); n > 0 {
		y := s.Changes[n-1]
		r = scaled(r, float32(dot(y, s.Steps[n-1])/dot(y, y)))
	}
	for i := range a {
		b := dot(s.Changes[i], r) / dot(s.Changes[i], s.Steps[i])
		addScaled(r, s.Steps[i], a[i]-b)
	}
	return r
}

// dot is Σ a·b, in float64.
func dot(a, b []float32) float64 {
	sum := 0.0
	for i, v := range a {
		sum += float64(float64(v) * float64(b[i]))
	}
	return sum
}

func scaled(x []float32, by float32) []float32 {
	out := make([]float32, len(x))
	for i, v := range x {
		out[i] = v * by
	}
	return out
}

// addScaled adds by·y to x.
func addScaled(x, y []float32, by float64) {
	for i, v := range y {
		x[i] += float32(float32(by) * v)
	}
}

// largest is max |x|; NaN if any is.
func largest(x []float32) float64 {
	var most float32
	for _, v := range x {
		most = max(most, size(v))
	}
	return float64(most)
}
