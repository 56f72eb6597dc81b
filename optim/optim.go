// Package optim selects, regularises, updates and prunes parameters. It is the
// part of fine-tuning that knows nothing of graphs or files: it sees named
// slices of float32, their gradients, and their roles.
//
// A configuration says what to do to which parameters, by selectors:
//
//	cfg := optim.Default("adamw")
//	cfg.LR, err = optim.ParseSettings("1e-4", "layer:head*=1e-3")
//	cfg.L1, err = optim.ParseSettings("1e-5")
//	opt, err := optim.New(params, cfg)
//
// and each training step runs these phases, in this order:
//
//	ClipValue, ClipNorm     gradients are kept small             clip.go
//	Optimizer.Step          the chain below, in one pass         step.go
//	    addL2, addL1        coupled penalties join the gradient  l2.go, l1.go
//	    momentum, adam      the update rule                      sgd.go, adam.go
//	    shrink              decoupled or absolute decay          decay.go
//	    softThreshold       proximal L1: exact zeros             l1.go
//	    applyMask           pruned weights stay zero             mask.go
//	Pruner.Step             when due, more weights are pruned    prune.go
//
// AdamW decays before its update, as PyTorch does; all else keeps this order.
//
// What is decided before the first step is plain data too: [Resolve] says for
// each parameter what its hyperparameters are and which setting decided them,
// and [Optimizer.Groups] which parameters share them.
//
// Results are those of PyTorch's optimizers to the last digits of a float32,
// and the same bits for any number of threads: the work is cut by the shapes of
// the parameters alone. Products are rounded to float32 explicitly, so that a
// compiler that fuses multiplication and addition cannot change them.
package optim
