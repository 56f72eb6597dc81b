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
//	ClipValue, ClipNorm     gradients are kept small              clip.go
//	Centralize              and without a mean                    centralize.go
//	Optimizer.Step          the chain below, in one pass          step.go, chain.go
//	    addL2, addL1        penalties join the gradient           l2.go, l1.go
//	    startLoop           and what pulls back to the start      start.go
//	    sgd, adam, …        the update rule, a file for each      rule.go
//	    shrink              decoupled or absolute decay           decay.go
//	    softThreshold       proximal L1: exact zeros              l1.go
//	    applyMask           pruned weights stay zero              mask.go
//	    shrinkGroups        group lasso: groups of zeros          lasso.go
//	Pruner.Step             when due, more weights are pruned     prune.go
//	Pruner.Regrow           and others come back                  regrow.go
//	Average.Step            the mean of the weights moves         average.go
//
// Some rules decay before their update, as PyTorch has them, or within it; all
// else keeps this order. Hyperparameters change with the steps by a [Course], by
// which all schedules have names.
//
// # How a step runs
//
// State is plain data: slices by the name of what they are and of the parameter,
// [State]. Behaviour is a chain of small links, built anew for each parameter and
// step, because it too is data: which formulas, with which coefficients. To step is
// to take all elements through it, a block at a time.
//
//	Step          has the chain of each parameter built, and runs tasks    step.go
//	    build     puts penalties before the rule and the mask behind       step.go
//	    task      takes 16384 elements of a parameter through it           task.go
//	    block     is 1024 of these, which stay in the fastest cache        task.go
//	    link      does one thing to every element of a block               chain.go, entry.go
//
// A rule is a row in a list, rule.go, and a file: what it remembers, its coefficients
// at this step, and its formula. That of Lion is
//
//	func lionLoop(b *block, k *factors) {
//		w, u, m, keep := b.w, b.gradient(), b.slot(0), b.mask()
//		for i := range w {
//			x, g := k.enter(w[i], u[i]) // penalties are in g, decay is in x
//			live := all(keep[i])
//			x -= k.lr * sign(k.beta1*m[i]+k.rest1*g)
//			mi := k.beta2*m[i] + k.rest2*g
//			w[i], m[i] = only(x, live), only(mi, live)
//		}
//	}
//
// Rules that are used most are written without a loop, as lists of operations that
// package kernel has in vector code. This is Adagrad:
//
//	c.add(gatherSquares(1, 1), divide(eps), descend(lr))
//
// A rule that has to see a tensor as a whole, as LAMB its norm, is several such
// stages: see stage in rule.go.
//
// What is decided before the first step is plain data too: [Resolve] says for
// each parameter what its hyperparameters are and which setting decided them,
// and [Optimizer.Groups] which parameters share them.
//
// Results are those of PyTorch's optimizers, or of the papers, to the last digits
// of a float32, and the same bits for any number of threads: the work is cut by the
// shapes of the parameters alone. Products are rounded to float32 explicitly, so that
// a compiler that fuses multiplication and addition cannot change them.
package optim
