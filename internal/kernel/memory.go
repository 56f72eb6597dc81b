package kernel

// memory is what a task works in, or what the tasks of a call share.
type memory struct {
	floats []float32
	used   int
	home   *freeList[memory]
}

// Calls need more than tasks, and few at a time: they have a list of their own.
var taskMemories, callMemories freeList[memory]

// getMemory returns memory of a task with room for n elements.
func getMemory(n int) *memory { return memoryOf(&taskMemories, n) }

// getShared is getMemory for a call.
func getShared(n int) *memory { return memoryOf(&callMemories, n) }

func memoryOf(home *freeList[memory], n int) *memory {
	m := home.get()
	if len(m.floats) < n {
		m.floats = make([]float32, n)
	}
	m.used, m.home = 0, home
	return m
}

// take returns n elements that hold anything.
func (m *memory) take(n int) []float32 {
	m.used += n
	return m.floats[m.used-n : m.used : m.used]
}

func (m *memory) put() { m.home.put(m) }
