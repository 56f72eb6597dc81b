package engine

import "runtime"

// A Space is room for the values of a run that nobody needs after it. Machines
// that never run at the same time may share one, which is as large as the largest
// of them needs: the passes over whole and smaller batches, in training and in
// evaluation. It takes its memory when a machine first runs. The zero value is
// ready.
type Space struct {
	floats               []float32
	ints                 []int64
	needFloats, needInts int // elements
	state                int // changes whenever values have to lie elsewhere
}

// reserve asks for room. It is there after take.
func (s *Space) reserve(floats, ints int) {
	s.needFloats, s.needInts = max(s.needFloats, floats), max(s.needInts, ints)
}

// take makes the room that was asked for, and reports whether it moved.
func (s *Space) take() bool {
	if len(s.floats) >= s.needFloats && len(s.ints) >= s.needInts {
		return false
	}
	if s.state > 0 {
		s.floats, s.ints = nil, nil
		runtime.GC() // rather than have both at a time
	}
	s.floats, s.ints = make([]float32, s.needFloats), make([]int64, s.needInts)
	s.state++
	return true
}
