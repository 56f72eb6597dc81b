package onnxload

import (
	"runtime"
	"sync"
)

// inParts calls f for parts of the range from 0 to n, several at a time, and
// returns when all is done. What it is for here, reading files and widening
// weights, is mostly the first touch of fresh memory, which no library shares out.
func inParts(n int, f func(from, to int)) {
	const least = 1 << 18 // that is worth a goroutine
	parts := min(runtime.GOMAXPROCS(0), n/least)
	if parts < 2 {
		f(0, n)
		return
	}
	var all sync.WaitGroup
	for i := range parts {
		all.Go(func() { f(n*i/parts, n*(i+1)/parts) })
	}
	all.Wait()
}
