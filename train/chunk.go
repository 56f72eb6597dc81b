package train

import (
	"fmt"
	"slices"
)

// A batch runs in chunks: at once if it can, in the micro-batches that were asked
// for, or as many examples at a time as the model's file insists on. Most files
// that declare a batch do not insist: onnxload lifts it and CheckLift proves it,
// for each number of examples that comes up.

// chooseChunk sets n.chunk and returns the numbers of examples to compile for,
// n.chunk among them.
func (n *network) chooseChunk() ([]int, error) {
	batches := n.batches()
	n.chunk = batches[0]
	if n.cfg.MicroBatch > 0 {
		n.chunk = min(n.chunk, n.cfg.MicroBatch)
	}
	if !n.training {
		batches = []int{n.loader.Len()} // there is nothing to be done between them
	}
	sizes := chunks(n.chunk, batches)
	err := n.checkLift(sizes)
	if err == nil {
		return sizes, nil
	}
	declared := n.model.BatchDim()
	for _, b := range batches {
		if b%declared != 0 {
			return nil, fmt.Errorf("the model takes exactly %d examples at a time, and %d are to be run: use a batch and a number of examples that it divides (%w)",
				declared, b, err)
		}
	}
	if _, bad := n.model.Lower(n.lowering(declared)); bad != nil {
		return nil, bad // no matter the batch
	}
	n.cfg.note("the model's batch of %d cannot be changed (%v): examples run %d at a time, and their gradients are added up", declared, err, declared)
	n.chunk, n.insists = declared, true
	return []int{declared}, nil
}

// batches are the numbers of examples in a batch: Config.Batch, and what is left
// for the last one.
func (n *network) batches() []int {
	if n.loader.Len() <= n.cfg.Batch {
		return []int{n.loader.Len()}
	}
	if rest := n.loader.Len() % n.cfg.Batch; rest > 0 {
		return []int{n.cfg.Batch, rest}
	}
	return []int{n.cfg.Batch}
}

// chunks are the sizes that batches are cut into, at most limit examples each.
func chunks(limit int, batches []int) []int {
	var sizes []int
	for _, b := range batches {
		for _, size := range []int{min(b, limit), b % limit} {
			if size > 0 && !slices.Contains(sizes, size) {
				sizes = append(sizes, size)
			}
		}
	}
	return sizes
}

// checkLift says why the model cannot run one of the numbers of examples.
func (n *network) checkLift(sizes []int) error {
	if n.model.BatchDim() < 1 {
		return nil
	}
	for _, size := range sizes {
		if err := n.model.CheckLift(n.lowering(size)); err != nil {
			return err
		}
	}
	return nil
}
