//go:build race

package kernel

// raceDetector tells that allocations cannot be counted: under the detector,
// sync.Pool drops a part of what it is given.
const raceDetector = true
