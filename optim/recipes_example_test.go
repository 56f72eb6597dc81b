package optim_test

import (
	"fmt"

	"finetune/optim"
)

// The ways to regularise that training scripts have, each with what it is here.
// Where the scripts mean every parameter, the setting says so: "*=".

// settings reads what a flag would be given.
func settings(texts ...string) optim.Settings {
	list, err := optim.ParseSettings(texts...)
	if err != nil {
		panic(err)
	}
	return list
}

// steps makes some steps with the gradients as they are, and prints the weights.
func steps(n int, params []*optim.Param, cfg optim.Config) {
	opt, err := optim.New(params, cfg)
	if err != nil {
		fmt.Println(err)
		return
	}
	for range n {
		opt.Step(1)
	}
	for _, p := range params {
		fmt.Printf("%-12s", p.Name)
		for _, w := range p.Value {
			fmt.Printf(" %.6f", w)
		}
		fmt.Println()
	}
}

// torch.optim.SGD(params, lr=0.1, momentum=0.9, weight_decay=0.01): the decay joins
// the gradient, so it is an L2 penalty, of all parameters.
func Example_sgdWeightDecay() {
	cfg := optim.Default("sgd")
	cfg.LR, cfg.Momentum, cfg.L2 = settings("0.1"), settings("0.9"), settings("*=0.01")
	steps(2, classifier(), cfg)
	// Output:
	// fc1.weight   0.498551 -0.249275 0.000499 0.997101
	// fc1.bias     0.498551 -0.000499
	// head.weight  0.707201 -1.287001
}

// The same SGD with d_p.add_(weight_decay * torch.sign(p)) in place of
// d_p.add_(weight_decay * p): L1.
func Example_sgdSign() {
	cfg := optim.Default("sgd")
	cfg.LR, cfg.Momentum, cfg.L1 = settings("0.1"), settings("0.9"), settings("*=0.01")
	steps(2, classifier(), cfg)
	// Output:
	// fc1.weight   0.497100 -0.247100 -0.000400 0.997100
	// fc1.bias     0.497100 0.000400
	// head.weight  0.707100 -1.287100
}

// One SGD with weight_decay1 (L1) and weight_decay2 (L2), five parameter groups,
// and a learning rate of its own for one of them.
func Example_sgdFiveGroups() {
	var params []*optim.Param
	for _, name := range []string{"conv1.weight", "conv1.bias", "conv2.weight", "fc.weight", "fc.bias"} {
		params = append(params, &optim.Param{Name: name, Role: optim.Weight, Shape: []int{2}, Trainable: true,
			Value: []float32{1, -0.5}, Grad: []float32{0.5, 0}})
	}
	cfg := optim.Default("sgd")
	cfg.LR = settings("0.1", "fc.weight=0.01")
	cfg.L1 = settings("conv1.weight=0.1", "fc.weight=0.3")
	cfg.L2 = settings("conv2.weight=0.2", "fc.weight=0.4", "fc.bias=0.5")
	steps(1, params, cfg)
	opt, err := optim.New(params, cfg)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, g := range opt.Groups() {
		fmt.Printf("lr %g, l1 %g, l2 %g: %s\n", g.Hyper.LR, g.Hyper.L1, g.Hyper.L2, g.Params[0].Name)
	}
	// Output:
	// conv1.weight 0.940000 -0.490000
	// conv1.bias   0.950000 -0.500000
	// conv2.weight 0.930000 -0.490000
	// fc.weight    0.988000 -0.495000
	// fc.bias      0.900000 -0.475000
	// lr 0.1, l1 0.1, l2 0: conv1.weight
	// lr 0.1, l1 0, l2 0: conv1.bias
	// lr 0.1, l1 0, l2 0.2: conv2.weight
	// lr 0.01, l1 0.3, l2 0.4: fc.weight
	// lr 0.1, l1 0, l2 0.5: fc.bias
}

// torchlayers.L1(layer, weight_decay=0.01, name="weight") around single layers: a
// penalty per layer, of its weights only. (torchlayers fills gradients that are
// zero and leaves others alone; here the penalty joins them all.)
func Example_l1PerLayer() {
	cfg := optim.Default("sgd")
	cfg.LR = settings("1")
	cfg.L1 = settings("layer:fc1/*=0.01", "layer:head/*=0.1")
	steps(1, classifier(), cfg)
	// Output:
	// fc1.weight   0.490000 -0.240000 -0.009500 0.990000
	// fc1.bias     0.500000 -0.000500
	// head.weight  -0.100000 -1.900000
}

// torch.optim.Adam and torch.optim.Adagrad with weight_decay=0.1: an L2 penalty
// again, which the rule scales with the gradient.
func Example_adaptiveWeightDecay() {
	for _, rule := range []string{"adam", "adagrad"} {
		cfg := optim.Default(rule)
		cfg.LR, cfg.L2 = settings("0.1"), settings("*=0.1")
		fmt.Println(rule)
		steps(2, classifier(), cfg)
	}
	// Output:
	// adam
	// fc1.weight   0.301187 -0.054251 -0.025404 0.800412
	// fc1.bias     0.301187 0.025404
	// head.weight  0.800025 -1.199969
	// adagrad
	// fc1.weight   0.337530 -0.098550 0.000499 0.833103
	// fc1.bias     0.337530 -0.000499
	// head.weight  0.829613 -1.170315
}

// lr *= 0.9 after every epoch: the schedule exponential, a little at each step, or
// step, at the end of each epoch. Here an epoch has 10 steps.
func Example_learningRate() {
	for _, text := range []string{"exponential:gamma=0.9", "step:gamma=0.9"} {
		course, err := optim.ParseCourse(text)
		if err != nil {
			fmt.Println(err)
			return
		}
		run := optim.Run{Steps: 30, PerEpoch: 10}
		factor := course.Schedule(run, 0)
		fmt.Print(text)
		for _, step := range []int{0, 5, 10, 20, 29} {
			fmt.Printf(" %.4f", factor(step, run.Steps))
		}
		fmt.Println()
	}
	// Output:
	// exponential:gamma=0.9 1.0000 0.9487 0.9000 0.8100 0.7367
	// step:gamma=0.9 1.0000 1.0000 0.9000 0.8100 0.8100
}

// A generic adaptive optimizer takes weight decay as a part, in one of three ways:
// coupled joins the gradient, decoupled follows the learning rate, absolute does
// not. labml calls them weight_decouple=False, True, and absolute=True.
func Example_weightDecay() {
	for _, mode := range []optim.DecayMode{optim.Coupled, optim.Decoupled, optim.Absolute} {
		cfg := optim.Default("adam")
		cfg.LR, cfg.WeightDecay, cfg.DecayMode = settings("0.1"), settings("0.01"), mode
		fmt.Println(mode)
		steps(2, classifier()[2:], cfg)
	}
	// Output:
	// coupled
	// head.weight  0.800003 -1.199997
	// decoupled
	// head.weight  0.798301 -1.197701
	// absolute
	// head.weight  0.783090 -1.177110
}
