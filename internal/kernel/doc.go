// Package kernel is the number crunching below the graph: matrix products,
// convolution, pooling, normalisation, element-wise functions and reductions on
// slices of float32 in row-major order.
//
// Nothing here knows of graphs, nodes or files. Shapes are the business of package
// op, which has checked them before; what does not fit here is a mistake in a
// program, and panics with the prefix "kernel:".
//
// # The way of a call
//
//  1. Plan. What follows from the shape alone is worked out once, where that is
//     costly: NewConv, NewPool, NewReduction, NewZip and others make plans, which
//     are then used at every step.
//  2. Check. The lengths of the slices, once for each call.
//  3. Cut. The work falls into tasks, which the threads of Parallel share (split.go,
//     parallel.go). How it is cut, and in which order partial results are added,
//     depends on the shape alone, so the result has the same bits for any number of
//     threads.
//  4. Compute. A task works in memory from free lists (memory.go, freelist.go), which
//     fill during the first calls: a training step allocates nothing. It calls inner
//     loops of the table of the instruction set in use (table.go, isa.go).
//
// Inner loops exist in plain Go, which is the specification, in the files
// *_generic.go or beside their type, and in assembly, zz_*.s, which the program in
// the folder gen writes: go generate. Files like sweeploops.go say what each of them
// computes. The build tag purego leaves the assembly out.
//
// # Where to read on
//
// Products: gemm.go cuts them, gemmtask.go does a part, tile.go is what the inner
// loops compute. pack.go and packed.go copy operands; epilogue.go is what follows in
// the same go: bias, residual, activation.
//
// Convolutions: conv.go has the list of ways to compute them. Each has a plan that
// begins with how it works: stencil.go, mixing.go, patching.go with winograd.go,
// sweep.go with correlation.go for gradients of weights, and plain.go. window.go,
// axis.go and planes.go are the geometry.
//
// Weights that are zero: pruned.go knows which; sparse.go and sparseconv.go have
// lists of the others, compact.go and compactconv.go leave out rows and channels.
//
// Element by element: activation.go and map.go; arithmetic.go and zip.go, which pair
// the elements of arrays that need not have the same shape, zip.go for the functions
// in bits.go, compare.go, extreme.go, power.go, prelu.go and remainder.go. link.go
// and chain.go are the step of an optimizer.
//
// Along axes: view.go copies what lies at strides; reduce.go, fold.go, softmax.go,
// scan.go and order.go take axes apart; position.go and gather.go go by index.
//
// Layers: pooling.go with maxpool.go, averagepool.go and, for vectors, poolplan.go;
// norm.go with channels.go; layernorm.go; attention.go; recurrent.go with lstm.go and
// gru.go; loss.go; random.go; and for images region.go, sample.go and taps.go.
package kernel

//go:generate go run -C gen . -out ..
