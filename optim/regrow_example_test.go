package optim_test

import (
	"fmt"

	"finetune/optim"
)

// RigL at half of the weights: all that are pruned go at step 0, and at steps 0, 10
// and 20 some of the others are exchanged, fewer each time. Where the second weight
// is the smallest that is left and the third has the largest gradient, they change
// places; the one that grew starts at zero, and the next step of the optimizer moves
// it.
func ExampleRegrowth() {
	p := &optim.Param{
		Name: "fc.weight", Role: optim.Weight, Shape: []int{2, 4}, Trainable: true,
		Value: []float32{0.9, -0.3, 0.1, 0.2, -0.7, 0.1, 0.8, -0.2},
		Grad:  []float32{0, 0.1, -0.5, 0.2, 0.1, 0.3, 0, -0.1},
	}
	atOnce, err := optim.ParseCourse("linear:from=0")
	if err != nil {
		fmt.Println(err)
		return
	}
	pruner, err := optim.NewPruner([]*optim.Param{p}, optim.Pruning{
		Sparsity: optim.Set(0.5),
		Regrow:   optim.RigL,
		Ramp:     optim.Ramp{End: 30, Every: 10, Shape: atOnce},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	cfg := optim.Default("sgd")
	cfg.LR = optim.Set(1)
	opt, err := optim.New([]*optim.Param{p}, cfg)
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := pruner.Step(0); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("pruned:   ", p.Value)
	pruner.Regrow(0, opt) // Grad is of all weights
	fmt.Println("exchanged:", p.Value)
	opt.Step(1)
	fmt.Println("trained:  ", p.Value)
	fmt.Println(p.Pruned(), "are pruned")
	// Output:
	// pruned:    [0.9 -0.3 0 0 -0.7 0 0.8 0]
	// exchanged: [0.9 0 0 0 -0.7 0 0.8 0]
	// trained:   [0.9 0 0.5 0 -0.8 0 0.8 0]
	// 4 are pruned
}
