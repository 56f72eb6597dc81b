package optim

import (
	"fmt"
	"math"
)

// PruneThreshold prunes the weights of p with |w| < limit and returns how many
// are pruned now. NaN is never below a limit.
func PruneThreshold(p *Param, limit float64) int {
	c := cut{size: math.Float32bits(float32(limit))}
	if n, _ := c.count([]*Param{p}); n[0] > p.Pruned() {
		p.pruneTo(c)
	}
	return p.Pruned()
}

// PruneMagnitude prunes the smallest weights of p until a share sparsity of them,
// in [0, 1), is pruned: exactly round(n·sparsity) of n, halves away from zero,
// but never the last one. Of equal weights the first go first; zeros, being
// smallest, go before all, and what is pruned stays so: where more is pruned
// already, nothing changes.
//
// Han, Pool, Tran and Dally, "Learning both Weights and Connections for
// Efficient Neural Networks", NIPS 2015.
func PruneMagnitude(p *Param, sparsity float64) {
	if k := pruneCount(len(p.Value), sparsity); k > p.Pruned() {
		p.pruneSmallest(k)
	}
}

// pruneCount is how many of n weights a sparsity asks for.
func pruneCount(n int, sparsity float64) int {
	k := int(math.Round(float64(n) * sparsity))
	return max(0, min(k, n-1))
}

// PruneGlobal prunes the smallest weights of all params, ranked together, until
// exactly round(n·sparsity) of their n weights are pruned.
//
// A ranking across layers can empty a layer whose weights are small, and with it
// the network. So each parameter keeps at least a share floor of the density
// that is asked for, max(1, ⌊floor·(1−sparsity)·n⌋) of its n weights: at floor
// 0.2 and sparsity 0.9, two in a hundred. What a parameter keeps by that is taken
// from the others, next in rank. floor 0 keeps one weight in each, floor 1 is
// [PruneMagnitude] up to rounding. Where so few weights are left that the floors
// do not fit, one in each is kept; it is an error if they are fewer than params.
func PruneGlobal(params []*Param, sparsity, floor float64) error {
	limits, err := globalLimits(params, sparsity, floor)
	if err != nil {
		return err
	}
	counts, cuts := share(params, limits, globalCount(params, sparsity))
	for i, p := range params {
		switch {
		case counts[i] <= p.Pruned():
		case cuts[i] != nil:
			p.pruneTo(*cuts[i])
		default:
			p.pruneSmallest(counts[i])
		}
	}
	return nil
}

// globalCount is how many weights of all params a sparsity asks for.
func globalCount(params []*Param, sparsity float64) int {
	total := 0
	for _, p := range params {
		total += len(p.Value)
	}
	return int(math.Round(float64(total) * sparsity))
}

// globalLimits is the most that may be pruned of each parameter.
func globalLimits(params []*Param, sparsity, floor float64) ([]int, error) {
	k := globalCount(params, sparsity)
	for _, f := range []float64{floor, 0} {
		limits := make([]int, len(params))
		room := 0
		for i, p := range params {
			n := len(p.Value)
			least := max(1, int(f*(1-sparsity)*float64(n)))
			limits[i] = max(p.Pruned(), n-least)
			room += limits[i]
		}
		if k <= room {
			return limits, nil
		}
	}
	return nil, fmt.Errorf("sparsity %g asks for %d zeros, which empties one of the %d parameters", sparsity, k, len(params))
}

// share splits k prunings among params by rank, none above its limit: whoever
// would be above gets its limit, and the rest is ranked again without it. For the
// others it returns the cut that prunes so many.
func share(params []*Param, limits []int, k int) (counts []int, cuts []*cut) {
	counts, cuts = make([]int, len(params)), make([]*cut, len(params))
	open := make([]int, len(params))
	for i := range open {
		open[i] = i
	}
	for {
		var ranked []*Param
		pruned := 0
		for _, i := range open {
			ranked = append(ranked, params[i])
			pruned += params[i].Pruned()
		}
		k = max(k, pruned)
		n, own := smallest(ranked, k).count(ranked)
		var under []int
		rest := k
		for j, i := range open {
			if n[j] > limits[i] {
				counts[i], cuts[i] = limits[i], nil
				rest -= limits[i]
			} else {
				counts[i], cuts[i] = n[j], &own[j]
				under = append(under, i)
			}
		}
		if len(under) == len(open) {
			return counts, cuts
		}
		open, k = under, rest
	}
}
