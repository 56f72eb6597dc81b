package data

import "math/rand/v2"

// Order is the order of n examples in an epoch: a permutation that depends on
// the three numbers alone.
func Order(n int, seed uint64, epoch int) []int {
	return rand.New(rand.NewPCG(seed, uint64(epoch))).Perm(n)
}
