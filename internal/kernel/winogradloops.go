package kernel

// winogradLoops move patches. All but copy transform them: they multiply each by a
// matrix from the left and by its transpose from the right.
type winogradLoops struct {
	lanes int // of a vector

	source         patchMap // of sources, patchEdge by patchEdge, to as many
	weights        patchMap // of kernels, 3 by 3, to patchEdge by patchEdge
	result         patchMap // of patchEdge by patchEdge to results, patchStep by patchStep
	gradient       patchMap // of gradients of results to patchEdge by patchEdge
	weightGradient patchMap // of patchEdge by patchEdge to gradients of kernels

	// copy is a patchMap that changes nothing, for any number of points.
	copy func(dst *float32, dstAt *int32, dstItem, dstMore int, src *float32, srcAt *int32, srcItem, srcMore int, points, vectors, items int)
}

// patchMap transforms items, each of so many vectors of patches. Element i of
// patches is at src, srcAt[i] bytes on; element i of the outcome goes to dst,
// dstAt[i] on. From item to item, src and dst move by srcItem and dstItem bytes,
// srcAt and dstAt by srcMore and dstMore. In room, patchEdge·patchEdge vectors
// are spoilt.
type patchMap func(dst *float32, dstAt *int32, dstItem, dstMore int, src *float32, srcAt *int32, srcItem, srcMore int, room *float32, vectors, items int)
