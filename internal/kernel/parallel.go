package kernel

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// spinTime is how long a worker without work keeps looking for some before it
// sleeps. Waking a sleeping thread can take longer than a whole kernel call on
// a virtual machine, and the kernels of a training step follow each other
// within microseconds.
const spinTime = 500 * time.Microsecond

// crew is a set of workers that runs one loop at a time.
type crew struct {
	threads int
	caller  sync.Mutex // held by the goroutine whose loop is running
	started bool       // the workers exist; guarded by caller

	// The loop that is running. Written by the caller while left is 0 and no
	// task is unfinished; read by whoever has claimed a task.
	body func(task int)
	n    int

	left   atomic.Int64 // tasks that nobody has claimed
	undone atomic.Int64 // tasks that are not finished
	closed atomic.Bool
	failed atomic.Pointer[failure]

	asleep atomic.Int64
	mu     sync.Mutex
	wake   *sync.Cond
}

// failure holds what a task panicked with.
type failure struct{ value any }

var current atomic.Pointer[crew]

func init() { current.Store(newCrew(runtime.GOMAXPROCS(0))) }

func newCrew(threads int) *crew {
	c := &crew{threads: threads}
	c.wake = sync.NewCond(&c.mu)
	return c
}

// Threads is the number of goroutines that share the work of Parallel, the
// caller included.
func Threads() int { return current.Load().threads }

// SetThreads sets the number of goroutines that share the work of Parallel, the
// caller included. The default, and the meaning of n < 1, is GOMAXPROCS. No
// result depends on it.
func SetThreads(n int) {
	if n < 1 {
		n = runtime.GOMAXPROCS(0)
	}
	old := current.Swap(newCrew(n))
	old.closed.Store(true)
	old.mu.Lock()
	old.wake.Broadcast()
	old.mu.Unlock()
}

// Parallel calls f(0) to f(n-1), in any order and several at a time, and returns
// when all have returned. A call from inside a task, or while another
// goroutine's loop is running, does its tasks by itself. If a task panics,
// Parallel panics with the same value after the others are done.
//
// For results that do not depend on the number of threads, n must follow from
// the problem, and no two tasks may write the same element.
func Parallel(n int, f func(task int)) {
	c := current.Load()
	if n < 2 || c.threads < 2 || !c.caller.TryLock() {
		for i := range n {
			f(i)
		}
		return
	}
	if !c.started {
		c.started = true
		for range c.threads - 1 {
			go c.work()
		}
	}
	c.body, c.n = f, n
	c.undone.Store(int64(n))
	c.left.Store(int64(n))
	if c.asleep.Load() > 0 {
		c.mu.Lock()
		c.wake.Broadcast()
		c.mu.Unlock()
	}
	for c.step() {
	}
	c.wait()
	c.body = nil
	failed := c.failed.Swap(nil)
	c.caller.Unlock()
	if failed != nil {
		panic(failed.value)
	}
}

// wait blocks until no task is unfinished.
func (c *crew) wait() {
	if c.undone.Load() == 0 {
		return
	}
	for start := time.Now(); ; {
		for range 200 {
			if c.undone.Load() == 0 {
				return
			}
		}
		if time.Since(start) < spinTime {
			runtime.Gosched()
		} else {
			// A worker may be waiting for the very core that this loop heats.
			time.Sleep(spinTime / 10)
		}
	}
}

// step claims a task and runs it. It returns false if none is left.
func (c *crew) step() bool {
	left := c.left.Load()
	for left > 0 && !c.left.CompareAndSwap(left, left-1) {
		left = c.left.Load()
	}
	if left <= 0 {
		return false
	}
	defer c.undone.Add(-1)
	defer func() {
		if v := recover(); v != nil {
			c.failed.CompareAndSwap(nil, &failure{v})
		}
	}()
	c.body(c.n - int(left))
	return true
}

// work is the life of a worker.
func (c *crew) work() {
	for idle := time.Now(); !c.closed.Load(); {
		switch {
		case c.step():
			for c.step() {
			}
			idle = time.Now()
		case time.Since(idle) < spinTime:
			for i := 0; i < 200 && c.left.Load() == 0; i++ {
			}
			runtime.Gosched()
		default:
			c.sleep()
			idle = time.Now()
		}
	}
}

// sleep blocks until there is a task to claim.
func (c *crew) sleep() {
	c.mu.Lock()
	defer c.mu.Unlock()
	// Parallel stores left before it reads asleep, and here the order is the
	// reverse: one of the two sees the other.
	c.asleep.Add(1)
	for c.left.Load() <= 0 && !c.closed.Load() {
		c.wake.Wait()
	}
	c.asleep.Add(-1)
}

// blocks is the number of parts of at most size elements that n falls into.
func blocks(n, size int) int { return (n + size - 1) / size }

// block is the range of part i when n is cut into the given number of parts
// whose boundaries are multiples of unit.
func block(n, parts, unit, i int) (from, to int) {
	units := blocks(n, unit)
	return min(n, units*i/parts*unit), min(n, units*(i+1)/parts*unit)
}
