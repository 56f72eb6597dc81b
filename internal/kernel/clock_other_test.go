//go:build !linux

package kernel

import "time"

var started = time.Now()

// threadTime stands for the time that the current thread has had a processor.
func threadTime() time.Duration { return time.Since(started) }
