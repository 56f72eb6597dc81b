package data

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
)

// Subset is the source that consists of the examples of src with the given
// numbers, in this order.
func Subset(src Source, indices []int) Source {
	for _, i := range indices {
		if i < 0 || i >= src.Len() {
			panic(fmt.Sprintf("data: example %d of %d in a subset", i, src.Len()))
		}
	}
	return &subset{src, slices.Clone(indices)}
}

// subset takes its fields and its target, classes included, from the whole.
type subset struct {
	Source
	indices []int
}

func (s *subset) Len() int           { return len(s.indices) }
func (s *subset) Where(i int) string { return s.Source.Where(s.indices[i]) }
func (s *subset) Example(i int, in [][]float32, target []float32) error {
	return s.Source.Example(s.indices[i], in, target)
}

// Split holds round(n·fraction) of the n examples back, drawn by seed. Where
// targets are single labels, every class gives the same fraction, up to one
// example: each gives the whole part of its share, and the examples that are
// still missing come from the classes with the largest remainders, the lower
// class first. Both parts keep the order of the source. It is an error if
// either would be empty.
func Split(src Source, fraction float64, seed uint64) (rest, held Source, err error) {
	n := src.Len()
	want := 0
	if fraction > 0 && fraction < 1 {
		want = int(math.Round(float64(n) * fraction))
	}
	if want <= 0 || want >= n {
		return nil, nil, fmt.Errorf("%s: holding back a fraction of %v of %d examples leaves one part empty", src.Where(0), fraction, n)
	}
	classes, err := byClass(src)
	if err != nil {
		return nil, nil, err
	}

	quota := make([]int, len(classes))
	remainder := make([]float64, len(classes))
	most := make([]int, len(classes))
	missing := want
	for c, members := range classes {
		share := float64(len(members)) * float64(want) / float64(n)
		quota[c] = int(share)
		remainder[c] = share - math.Floor(share)
		most[c] = c
		missing -= quota[c]
	}
	slices.SortStableFunc(most, func(a, b int) int {
		switch {
		case remainder[a] > remainder[b]:
			return -1
		case remainder[a] < remainder[b]:
			return 1
		}
		return 0
	})
	for i := 0; missing > 0; i = (i + 1) % len(most) {
		if c := most[i]; quota[c] < len(classes[c]) {
			quota[c]++
			missing--
		}
	}

	random := rand.New(rand.NewPCG(seed, 0x5eed))
	isHeld := make([]bool, n)
	for c, members := range classes {
		random.Shuffle(len(members), func(a, b int) { members[a], members[b] = members[b], members[a] })
		for _, i := range members[:quota[c]] {
			isHeld[i] = true
		}
	}
	var kept, back []int
	for i := range n {
		if isHeld[i] {
			back = append(back, i)
		} else {
			kept = append(kept, i)
		}
	}
	return Subset(src, kept), Subset(src, back), nil
}

// byClass lists the examples of each class that has any, the lower class first;
// all of them in one list where the targets are not single labels.
func byClass(src Source) ([][]int, error) {
	target := src.Target()
	if !target.Labels || target.Size() != 1 {
		all := make([]int, src.Len())
		for i := range all {
			all[i] = i
		}
		return [][]int{all}, nil
	}
	members := map[int][]int{}
	var value [1]float32
	for i := range src.Len() {
		if err := src.Example(i, nil, value[:]); err != nil {
			return nil, err
		}
		c := int(value[0])
		members[c] = append(members[c], i)
	}
	var labels []int
	for c := range members {
		labels = append(labels, c)
	}
	slices.Sort(labels)
	classes := make([][]int, len(labels))
	for k, c := range labels {
		classes[k] = members[c]
	}
	return classes, nil
}
