// Package kernel is the number crunching below the graph: matrix products,
// convolution, pooling, normalisation, element-wise functions and reductions on
// slices of float32 in row-major order.
//
// Nothing here knows of graphs, nodes or files. A function checks the lengths
// of its arguments once and panics with the prefix "kernel:" where they do not
// fit: shapes are the business of package op, which has checked them before.
//
// A call takes its temporary memory from free lists that fill during the first
// calls, so that a training step allocates nothing. It spreads its work over
// the threads of Parallel; how the work is cut, and in which order partial
// results are added, depends on the shape of the problem alone, so the result
// has the same bits for any number of threads.
//
// The inner loops exist in plain Go and in assembly, see table. The folder gen
// writes the assembly; the build tag purego leaves it out.
package kernel

//go:generate go run -C gen . -out ..
