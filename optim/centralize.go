package optim

// Centralize takes the mean out of the gradient of each unit, all weights of an
// output. Vectors stay as they are, and pruned weights do not count.
//
// Yong, Huang, Hua and Zhang, "Gradient Centralization: A New Optimization
// Technique for Deep Neural Networks", ECCV 2020,
// https://arxiv.org/abs/2004.01461.
func Centralize(params []*Param) {
	for _, p := range params {
		if !p.Trainable || p.Rank() < 2 {
			continue
		}
		units := Grouping("filters").tiling(p)
		sums, counts := make([]float64, units.groups()), make([]int, units.groups())
		units.each(func(unit, lo, hi int) {
			sum, count := 0.0, hi-lo
			for i, g := range p.Grad[lo:hi] {
				if p.kept(lo + i) {
					sum += float64(g)
				} else {
					count--
				}
			}
			sums[unit] += sum
			counts[unit] += count
		})
		units.each(func(unit, lo, hi int) {
			run, mean := p.Grad[lo:hi], float32(sums[unit]/float64(max(counts[unit], 1)))
			for i := range run {
				run[i] -= mean
			}
		})
	}
}
