package optim

// Zeros counts the weights of p that are zero, pruned or not.
func (p *Param) Zeros() int {
	n := 0
	for _, w := range p.Value {
		if w == 0 {
			n++
		}
	}
	return n
}

// Pruned counts the weights of p that are pruned: zero for good.
func (p *Param) Pruned() int {
	n := 0
	for _, keep := range p.Mask {
		if !keep {
			n++
		}
	}
	return n
}

// Sparsity is the share of zeros in all params together, 0 if they are empty.
func Sparsity(params []*Param) float64 {
	zeros, total := 0, 0
	for _, p := range params {
		zeros += p.Zeros()
		total += len(p.Value)
	}
	if total == 0 {
		return 0
	}
	return float64(zeros) / float64(total)
}
