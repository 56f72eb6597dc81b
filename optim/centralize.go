package optim

// Centralize takes the mean out of the gradient of each row of a matrix, that of
// a filter of a filter bank. Vectors stay as they are, and pruned weights do not
// count.
//
// Yong, Huang, Hua and Zhang, "Gradient Centralization: A New Optimization
// Technique for Deep Neural Networks", ECCV 2020,
// https://arxiv.org/abs/2004.01461.
func Centralize(params []*Param) {
	for _, p := range params {
		if !p.Trainable || p.Rank() < 2 {
			continue
		}
		p.eachRow(func(_, g []float32, kept []bool) {
			sum, n := 0.0, 0
			for i, v := range g {
				if kept == nil || kept[i] {
					sum += float64(v)
					n++
				}
			}
			mean := float32(sum / float64(max(n, 1)))
			for i := range g {
				g[i] -= mean
			}
		})
	}
}
