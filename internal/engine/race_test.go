//go:build race

package engine

// Under the race detector the runtime itself allocates, and sync.Pool forgets
// at random.
const raceDetector = true
