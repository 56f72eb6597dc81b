package optim_test

import (
	"fmt"

	"finetune/optim"
)

// classifier is a two-layer network as a loader would describe it, with
// gradients as backpropagation would leave them.
func classifier() []*optim.Param {
	return []*optim.Param{
		{
			Name: "fc1.weight", Role: optim.Weight, Op: "Gemm", Layer: "/fc1/Gemm", Shape: []int{2, 2}, Trainable: true,
			Value: []float32{0.5, -0.25, 0.0005, 1}, Grad: []float32{0, 0, 0, 0},
		},
		{
			Name: "fc1.bias", Role: optim.Bias, Op: "Gemm", Layer: "/fc1/Gemm", Shape: []int{2}, Trainable: true,
			Value: []float32{0.5, -0.0005}, Grad: []float32{0, 0},
		},
		{
			Name: "head.weight", Role: optim.Weight, Op: "Gemm", Layer: "/head/Gemm", Shape: []int{1, 2}, Trainable: true,
			Value: []float32{1, -1}, Grad: []float32{1, 1},
		},
	}
}

func show(params []*optim.Param) {
	for _, p := range params {
		fmt.Printf("%-12s %v\n", p.Name, p.Value)
	}
}

// L1 on weights only, once by their role and once by their name. The gradients
// of fc1 are zero, so what moves there is moved by the penalty. A zero would stay
// zero: sign(0) = 0.
func Example_l1OnWeights() {
	for _, selector := range []string{"role:weight", "*weight*"} {
		params := classifier()
		cfg := optim.Default("sgd")
		cfg.LR = optim.Set(1)
		cfg.L1 = optim.Settings{{Select: optim.MustSelector(selector), Value: 0.125}}
		opt, err := optim.New(params, cfg)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%s: penalty %.4f\n", selector, opt.Penalty().L1)
		opt.Step(1)
		show(params)
	}
	// Output:
	// role:weight: penalty 0.4688
	// fc1.weight   [0.375 -0.125 -0.1245 0.875]
	// fc1.bias     [0.5 -0.0005]
	// head.weight  [-0.125 -1.875]
	// *weight*: penalty 0.4688
	// fc1.weight   [0.375 -0.125 -0.1245 0.875]
	// fc1.bias     [0.5 -0.0005]
	// head.weight  [-0.125 -1.875]
}

// Proximal L1 stops at zero instead of overshooting it.
func Example_proximalL1() {
	params := classifier()
	cfg := optim.Default("sgd")
	cfg.LR = optim.Set(1)
	cfg.L1 = optim.Set(0.25)
	cfg.L1Mode = optim.Proximal
	opt, err := optim.New(params, cfg)
	if err != nil {
		fmt.Println(err)
		return
	}
	opt.Step(1)
	show(params)
	fmt.Printf("sparsity %.3f\n", optim.Sparsity(params))
	// Output:
	// fc1.weight   [0.25 0 0 0.75]
	// fc1.bias     [0.5 -0.0005]
	// head.weight  [0 -1.75]
	// sparsity 0.375
}

// Groups are made from settings: the head learns ten times as fast, weights
// decay, biases do not. Plans tell which setting decided what.
func Example_groups() {
	cfg := optim.Default("sgd")
	cfg.Momentum = optim.Set(0.9)
	var err error
	if cfg.LR, err = optim.ParseSettings("0.01", "layer:head*=0.1"); err != nil {
		fmt.Println(err)
		return
	}
	if cfg.L2, err = optim.ParseSettings("1e-4"); err != nil {
		fmt.Println(err)
		return
	}
	opt, err := optim.New(classifier(), cfg)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, g := range opt.Groups() {
		fmt.Printf("lr %g, momentum %g, l2 %g:", g.Hyper.LR, g.Hyper.Momentum, g.Hyper.L2)
		for _, p := range g.Params {
			fmt.Printf(" %s", p.Name)
		}
		fmt.Println()
	}
	head := opt.Plans()[2]
	fmt.Printf("%s: %s is %g because of %s\n", head.Param.Name, head.Why[0].Field, head.Why[0].Value, head.Why[0].From)
	// Output:
	// lr 0.01, momentum 0.9, l2 0.0001: fc1.weight
	// lr 0.01, momentum 0.9, l2 0: fc1.bias
	// lr 0.1, momentum 0.9, l2 0.0001: head.weight
	// head.weight: lr is 0.1 because of layer:head*=0.1
}

// Weights below 1e-3 are set to zero and stay there; the bias, though smaller,
// is no weight.
func Example_threshold() {
	params := classifier()
	pruner, err := optim.NewPruner(params, optim.Pruning{Threshold: optim.Set(1e-3)})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := pruner.Step(0); err != nil {
		fmt.Println(err)
		return
	}
	show(params)
	// Output:
	// fc1.weight   [0.5 -0.25 0 1]
	// fc1.bias     [0.5 -0.0005]
	// head.weight  [1 -1]
}

// Half of all weights go, ranked over both layers, along a cubic ramp: fast at
// first, slowly towards the end.
func Example_ramp() {
	params := classifier()
	pruner, err := optim.NewPruner(params, optim.Pruning{
		Sparsity: optim.Set(0.5),
		Global:   true,
		Floor:    optim.DefaultFloor,
		Ramp:     optim.Ramp{End: 100, Every: 25},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for step := 0; step <= 100; step++ {
		if !pruner.Due(step) {
			continue
		}
		if err := pruner.Step(step); err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(step, params[0].Value, params[2].Value)
	}
	// Output:
	// 0 [0.5 -0.25 0.0005 1] [1 -1]
	// 25 [0.5 0 0 1] [1 -1]
	// 50 [0 0 0 1] [1 -1]
	// 75 [0 0 0 1] [1 -1]
	// 100 [0 0 0 1] [1 -1]
}

// A mistyped selector is an error that names what is near.
func ExampleSelector_Check() {
	s, err := optim.ParseSelector("layer:haed*,!role:bias")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(s.Check(classifier()))
	// Output:
	// selector "layer:haed*,!role:bias" selects none of the 3 parameters; nearest: "layer:/head/Gemm", "layer:/fc1/Gemm"
}
