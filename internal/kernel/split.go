package kernel

import "sync"

// A splitter runs one kind of element-wise work in parallel chunks of an index
// range. Its jobs are recycled, so a call allocates nothing once warm.
//
// Chunks depend on the size of the range alone: results are the same for any
// number of threads.
type splitter[A any] struct {
	run func(args *A, lo, hi int)         // does the range [lo, hi)
	sum func(args *A, lo, hi int) float64 // or this: also returns a partial sum

	jobs sync.Pool
}

type job[A any] struct {
	args   A
	n      int
	grain  int
	parts  []float64
	task   func(task int) // one method value for the life of the job
	parent *splitter[A]
}

// chunk is the number of simple element operations that are worth a task.
const chunk = 16 << 10

// split makes a splitter that maps.
func split[A any](run func(args *A, lo, hi int)) *splitter[A] {
	return &splitter[A]{run: run}
}

// splitSum makes a splitter that adds up what the chunks return, in order.
func splitSum[A any](sum func(args *A, lo, hi int) float64) *splitter[A] {
	return &splitter[A]{sum: sum}
}

// do covers [0, n) in chunks of at most grain indices. It returns the total of
// the chunks of a summing splitter, otherwise 0.
func (s *splitter[A]) do(n, grain int, args A) float64 {
	j, _ := s.jobs.Get().(*job[A])
	if j == nil {
		j = &job[A]{parent: s}
		j.task = j.chunk
	}
	j.args, j.n, j.grain = args, n, max(grain, 1)
	tasks := blocks(n, j.grain)
	if cap(j.parts) < tasks {
		j.parts = make([]float64, tasks)
	}
	j.parts = j.parts[:tasks]
	switch {
	case tasks == 1:
		j.chunk(0)
	case tasks > 1:
		Parallel(tasks, j.task)
	}
	total := 0.0
	for _, p := range j.parts {
		total += p
	}
	var none A // a resting job must not keep buffers alive
	j.args = none
	s.jobs.Put(j)
	return total
}

func (j *job[A]) chunk(task int) {
	lo := task * j.grain
	hi := min(lo+j.grain, j.n)
	if j.parent.sum != nil {
		j.parts[task] = j.parent.sum(&j.args, lo, hi)
		return
	}
	j.parts[task] = 0
	j.parent.run(&j.args, lo, hi)
}
