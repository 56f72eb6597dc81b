package kernel

import "sync"

// freeList has things that are costly to make. Unlike those of a sync.Pool, they
// survive garbage collections. There are never more than were in use at one time.
type freeList[T any] struct {
	mu   sync.Mutex
	free []*T
}

// get takes one, as it was put back, or a zero one.
func (p *freeList[T]) get() *T {
	p.mu.Lock()
	defer p.mu.Unlock()
	last := len(p.free) - 1
	if last < 0 {
		return new(T)
	}
	x := p.free[last]
	p.free = p.free[:last]
	return x
}

func (p *freeList[T]) put(x *T) {
	p.mu.Lock()
	p.free = append(p.free, x)
	p.mu.Unlock()
}
