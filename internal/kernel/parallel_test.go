package kernel

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// withThreads runs f under each of the thread counts, and sets the default again.
func withThreads(t *testing.T, f func(t *testing.T, threads int), counts ...int) {
	t.Helper()
	defer SetThreads(0)
	for _, n := range counts {
		SetThreads(n)
		f(t, n)
	}
}

func TestParallelRunsEachTaskOnce(t *testing.T) {
	withThreads(t, func(t *testing.T, threads int) {
		for _, n := range []int{0, 1, 2, 3, 17, 1000} {
			counts := make([]int32, n)
			Parallel(n, func(task int) { atomic.AddInt32(&counts[task], 1) })
			for task, got := range counts {
				if got != 1 {
					t.Errorf("%d threads, %d tasks: task %d ran: got %d times, want 1", threads, n, task, got)
				}
			}
		}
	}, 1, 2, 5)
}

func TestParallelWritesAreSeenByTheCaller(t *testing.T) {
	withThreads(t, func(t *testing.T, threads int) {
		x := make([]int, 64)
		for round := range 300 {
			Parallel(len(x), func(task int) { x[task] += task })
			for i, got := range x {
				if want := i * (round + 1); got != want {
					t.Fatalf("round %d: element %d: got %d, want %d", round, i, got, want)
				}
			}
		}
	}, 2, 4)
}

func TestParallelNested(t *testing.T) {
	withThreads(t, func(t *testing.T, threads int) {
		var total atomic.Int64
		Parallel(8, func(int) {
			Parallel(8, func(task int) { total.Add(int64(task)) })
		})
		if got, want := total.Load(), int64(8*28); got != want {
			t.Errorf("sum over nested tasks: got %d, want %d", got, want)
		}
	}, 3)
}

func TestParallelFromManyGoroutines(t *testing.T) {
	withThreads(t, func(t *testing.T, threads int) {
		var total atomic.Int64
		var callers sync.WaitGroup
		for range 8 {
			callers.Go(func() {
				for range 50 {
					Parallel(10, func(task int) { total.Add(int64(task)) })
				}
			})
		}
		callers.Wait()
		if got, want := total.Load(), int64(8*50*45); got != want {
			t.Errorf("sum over tasks: got %d, want %d", got, want)
		}
	}, 2)
}

func TestParallelPanicReachesTheCaller(t *testing.T) {
	withThreads(t, func(t *testing.T, threads int) {
		for _, bad := range []int{0, 5, 9} {
			var ran atomic.Int64
			func() {
				defer func() {
					if got := recover(); got != bad {
						t.Errorf("%d threads: recovered: got %v, want %v", threads, got, bad)
					}
				}()
				Parallel(10, func(task int) {
					ran.Add(1)
					if task == bad {
						panic(task)
					}
				})
				t.Errorf("%d threads: Parallel returned in spite of a panic", threads)
			}()
		}
		// The workers must have survived.
		var ran atomic.Int64
		Parallel(10, func(int) { ran.Add(1) })
		if got := ran.Load(); got != 10 {
			t.Errorf("tasks after a panic: got %d, want 10", got)
		}
	}, 1, 2)
}

func TestParallelAfterSleep(t *testing.T) {
	withThreads(t, func(t *testing.T, threads int) {
		for range 3 {
			time.Sleep(4 * spinTime)
			var ran atomic.Int64
			Parallel(4, func(int) { ran.Add(1) })
			if got := ran.Load(); got != 4 {
				t.Errorf("tasks after a pause: got %d, want 4", got)
			}
		}
	}, 2)
}

func TestSetThreads(t *testing.T) {
	defer SetThreads(0)
	SetThreads(3)
	if got := Threads(); got != 3 {
		t.Errorf("threads: got %d, want 3", got)
	}
	SetThreads(0)
	if got, want := Threads(), runtime.GOMAXPROCS(0); got != want {
		t.Errorf("threads by default: got %d, want %d", got, want)
	}
}

func TestSetThreadsEndsWorkers(t *testing.T) {
	SetThreads(1)
	defer SetThreads(0)
	before := runtime.NumGoroutine()
	for range 20 {
		SetThreads(9)
		Parallel(2, func(int) {})
	}
	SetThreads(1)
	deadline := time.Now().Add(5 * time.Second)
	for runtime.NumGoroutine() > before {
		if time.Now().After(deadline) {
			t.Fatalf("goroutines: got %d, want %d", runtime.NumGoroutine(), before)
		}
		time.Sleep(time.Millisecond)
	}
}

func BenchmarkParallelEmpty(b *testing.B) {
	f := func(int) {}
	for b.Loop() {
		Parallel(2, f)
	}
}
