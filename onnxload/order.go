package onnxload

import (
	"container/heap"
	"slices"
	"strings"

	"finetune/internal/onnxpb"
)

// executionOrder is the order to run nodes in: that of the file wherever it is
// possible, because ONNX demands a sorted file and most are. Nodes that wait
// for each other are an error that names them.
func executionOrder(nodes []*onnxpb.NodeProto) ([]int, error) {
	producer := make(map[string]int)
	for i, p := range nodes {
		for _, name := range p.Output {
			if name != "" {
				producer[name] = i
			}
		}
	}
	needs := make([][]int, len(nodes)) // producers of the inputs of each node
	users := make([][]int, len(nodes))
	waits := make([]int, len(nodes)) // how many of needs have not run
	var ready indexHeap
	for i, p := range nodes {
		for _, names := range [][]string{p.Input, captures(p)} {
			for _, name := range names {
				if j, ok := producer[name]; ok {
					needs[i] = append(needs[i], j)
					users[j] = append(users[j], i)
				}
			}
		}
		if waits[i] = len(needs[i]); waits[i] == 0 {
			ready = append(ready, i)
		}
	}
	order := make([]int, 0, len(nodes))
	for len(ready) > 0 {
		i := heap.Pop(&ready).(int)
		order = append(order, i)
		for _, j := range users[i] {
			if waits[j]--; waits[j] == 0 {
				heap.Push(&ready, j)
			}
		}
	}
	if len(order) == len(nodes) {
		return order, nil
	}
	for i := range nodes {
		if waits[i] > 0 {
			return nil, cycle(nodes, needs, waits, i)
		}
	}
	panic("onnxload: no node waits, and not all have run")
}

// cycle is the error for nodes that wait for each other. Every node that waits
// has an input that waits, so walking back from one ends in a circle.
func cycle(nodes []*onnxpb.NodeProto, needs [][]int, waits []int, i int) error {
	var path []int
	seen := make(map[int]int) // position in path
	for {
		if start, ok := seen[i]; ok {
			path = path[start:]
			break
		}
		seen[i] = len(path)
		path = append(path, i)
		for _, j := range needs[i] {
			if waits[j] > 0 {
				i = j
				break
			}
		}
	}
	// Against the direction of the walk, from the node that comes first in the file.
	slices.Reverse(path)
	first := slices.Index(path, slices.Min(path))
	path = append(path[first:], path[:first]...)
	path = append(path, path[0])
	var names []string
	for _, j := range path {
		names = append(names, nodeName(nodes[j], j))
	}
	if len(names) > 10 {
		names = append(names[:9:9], "…")
	}
	return formatError("", "nodes wait for each other in a cycle: %s", strings.Join(names, " → "))
}

// indexHeap has the smallest index on top.
type indexHeap []int

func (h indexHeap) Len() int           { return len(h) }
func (h indexHeap) Less(i, j int) bool { return h[i] < h[j] }
func (h indexHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *indexHeap) Push(x any)        { *h = append(*h, x.(int)) }
func (h *indexHeap) Pop() any {
	last := len(*h) - 1
	x := (*h)[last]
	*h = (*h)[:last]
	return x
}
