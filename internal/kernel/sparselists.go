package kernel

// sparseCall is how many terms one call of an inner loop is given, at most,
// unless a row has more: calls cannot be interrupted.
const sparseCall = 16 << 10

// lists are the terms of each row of a sparse matrix.
type lists struct {
	isa     *sparseLoops
	version int64   // of the zeros they are made for
	counts  []int32 // of terms of a row
	first   []int   // term of a row
	terms   []int32
}

// start empties the lists.
func (l *lists) start() {
	l.counts, l.first, l.terms = l.counts[:0], l.first[:0], l.terms[:0]
}

func (l *lists) add(to, from int) { l.terms = append(l.terms, int32(4*to), int32(4*from)) }

// end ends a row.
func (l *lists) end() {
	before := 0
	if n := len(l.first); n > 0 {
		before = l.first[n-1] + int(l.counts[n-1])
	}
	l.first = append(l.first, before)
	l.counts = append(l.counts, int32(len(l.terms)/2-before))
}

// close ends the lists.
func (l *lists) close(version int64) {
	for range sparseAhead {
		l.terms = append(l.terms, 0, 0)
	}
	l.version = version
}

// run computes rows lo to hi-1 for columns that fill so many vectors.
func (l *lists) run(lo, hi, vectors int, a, b, start, c []float32, rowC, add int) {
	for lo < hi {
		next, terms := lo+1, int(l.counts[lo])
		for next < hi && terms+int(l.counts[next]) <= sparseCall {
			terms += int(l.counts[next])
			next++
		}
		l.isa.rows[vectors-1](l.counts[lo:next], l.terms[2*l.first[lo]:], a, b, start, c, 4*rowC, add)
		if next == hi {
			return
		}
		if start != nil {
			start = start[next-lo:]
		}
		c = c[(next-lo)*rowC:]
		lo = next
	}
}
