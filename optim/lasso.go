package optim

import "math"

// Group lasso penalises whole groups of weights by their length, λ√n·‖w_g‖₂ for
// each group g of n weights, so that groups become zero together: a row, a column
// or a filter that can be left out of the network afterwards. After each step the
// proximal operator shortens each group, down to exact zeros:
//
//	w_g ← w_g · max(1 − ηλ√n/‖w_g‖, 0)
//
// Yuan and Lin, "Model selection and estimation in regression with grouped
// variables", Journal of the Royal Statistical Society B 68, 2006; Wen, Wu, Wang,
// Chen and Li, "Learning Structured Sparsity in Deep Neural Networks", NIPS 2016.

// shrinkGroups shortens each group of p by t times the root of its size.
func (p *Param) shrinkGroups(g Grouping, t float64) {
	groups := g.tiling(p)
	keep := groups.norms(p.Value, nil)
	for i, norm := range keep {
		keep[i] = 1 - t*math.Sqrt(float64(groups.size(i)))/norm
	}
	groups.shrink(p.Value, keep)
}

// groupNorms is Σ √n·‖w_g‖ over the groups of p.
func (p *Param) groupNorms(g Grouping) float64 {
	groups, sum := g.tiling(p), 0.0
	for i, norm := range groups.norms(p.Value, nil) {
		sum += math.Sqrt(float64(groups.size(i))) * norm
	}
	return sum
}
