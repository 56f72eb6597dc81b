package kernel

// memory is what a task works in.
type memory struct {
	floats []float32
	used   int
}

var memories freeList[memory]

// getMemory returns memory with room for n elements.
func getMemory(n int) *memory {
	m := memories.get()
	if len(m.floats) < n {
		m.floats = make([]float32, n)
	}
	m.used = 0
	return m
}

// take returns n elements that hold anything.
func (m *memory) take(n int) []float32 {
	m.used += n
	return m.floats[m.used-n : m.used : m.used]
}

func (m *memory) put() { memories.put(m) }
