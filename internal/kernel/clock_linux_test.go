package kernel

import (
	"time"

	"golang.org/x/sys/unix"
)

// threadTime is how long the current thread has had a processor: unlike the time
// of day, it stands still while others have it.
func threadTime() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t); err != nil {
		panic(err)
	}
	return time.Duration(t.Nano())
}
