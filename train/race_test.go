//go:build race

package train

// Under the race detector the runtime itself allocates, sync.Pool forgets at
// random, and kernels take twenty times as long.
const raceDetector = true
