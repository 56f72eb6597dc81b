package export

import (
	"cmp"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
)

// edit replaces a stretch of the file. in is the innermost message around it,
// whose length changes with it.
type edit struct {
	in         *message
	start, end int
	with       []byte
}

// apply returns a copy of file with the edits made, which must not overlap, and
// with the lengths of the messages around them put right. Where no length
// changes nothing else moves.
func apply(file []byte, edits []edit) []byte {
	edits = append(slices.Clone(edits), lengthEdits(edits)...)
	slices.SortStableFunc(edits, func(a, b edit) int { return cmp.Compare(a.start, b.start) })
	size := len(file)
	for _, e := range edits {
		size += len(e.with) - (e.end - e.start)
	}
	out := make([]byte, 0, size)
	at := 0
	for _, e := range edits {
		out = append(out, file[at:e.start]...)
		out = append(out, e.with...)
		at = e.end
	}
	return append(out, file[at:]...)
}

// lengthEdits are the edits of the length prefixes that edits entail.
func lengthEdits(edits []edit) []edit {
	grown := map[*message]int{}
	var touched []*message
	for _, e := range edits {
		for m := e.in; m != nil; m = m.parent {
			if _, ok := grown[m]; ok {
				break
			}
			grown[m] = 0
			touched = append(touched, m)
		}
		grown[e.in] += len(e.with) - (e.end - e.start)
	}
	// The length of an inner message may itself grow, so they come first.
	slices.SortStableFunc(touched, func(a, b *message) int { return cmp.Compare(b.depth(), a.depth()) })
	var lengths []edit
	for _, m := range touched {
		if m.parent == nil || grown[m] == 0 {
			continue
		}
		l := protowire.AppendVarint(nil, uint64(m.end-m.start+grown[m]))
		lengths = append(lengths, edit{m.parent, m.lenAt, m.start, l})
		grown[m.parent] += grown[m] + len(l) - (m.start - m.lenAt)
	}
	return lengths
}

func (m *message) depth() int {
	d := 0
	for ; m.parent != nil; m = m.parent {
		d++
	}
	return d
}
