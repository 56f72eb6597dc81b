package optim

import "math"

// Deviation is the standard deviation of the weights of p, pruned ones included;
// 0 without any.
func (p *Param) Deviation() float64 {
	sum, squares := 0.0, 0.0
	n := float64(max(1, len(p.Value)))
	for _, w := range p.Value {
		sum += float64(w)
	}
	for _, w := range p.Value {
		d := float64(w) - sum/n
		squares += d * d
	}
	return math.Sqrt(squares / n)
}

// KeepZeros masks the weights of p that are zero: they are pruned from now on.
func KeepZeros(p *Param) {
	if p.Zeros() == p.Pruned() {
		return
	}
	p.needMask()
	for i, w := range p.Value {
		p.Mask[i] = p.Mask[i] && w != 0
	}
}
