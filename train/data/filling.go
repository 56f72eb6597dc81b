package data

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// parallelValues is the size of a batch from which on it is worth to share it
// among processors.
const parallelValues = 1 << 16

// A filling is a Loader.Fill at work. It is kept for the next one, so that
// reading a batch allocates nothing of its own.
type filling struct {
	loader *Loader
	idx    []int
	in     [][]float32
	target []float32

	workers []func()     // what each goroutine does
	next    atomic.Int64 // the first example nobody has taken
	wait    sync.WaitGroup

	mu     sync.Mutex
	failed int   // the first example that has an error
	err    error // of it
}

// run reads a batch, in several goroutines if it is large.
func (f *filling) run(idx []int, in [][]float32, target []float32) error {
	f.idx, f.in, f.target, f.err = idx, in, target, nil
	f.next.Store(0)
	values := 0
	for k, input := range f.loader.inputs {
		if in[k] != nil {
			values += input.Size() * len(idx)
		}
	}
	workers := min(runtime.GOMAXPROCS(0), len(idx))
	if values < parallelValues {
		workers = 1
	}
	for len(f.workers) < max(workers, 1) {
		rows := make([][]float32, len(in))
		f.workers = append(f.workers, func() {
			defer f.wait.Done()
			f.work(rows)
		})
	}
	f.wait.Add(max(workers, 1))
	for _, work := range f.workers[1:max(workers, 1)] {
		go work()
	}
	f.workers[0]()
	f.wait.Wait()
	f.idx, f.in, f.target = nil, nil, nil
	return f.err
}

// work reads examples until there are none left.
func (f *filling) work(rows [][]float32) {
	for {
		at := int(f.next.Add(1)) - 1
		if at >= len(f.idx) {
			return
		}
		if err := f.loader.fill(f.idx, at, f.in, f.target, rows); err != nil {
			f.next.Store(int64(len(f.idx))) // what came before is under way
			f.fail(at, err)
		}
	}
}

func (f *filling) fail(at int, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err == nil || at < f.failed {
		f.failed, f.err = at, err
	}
}
