package kernel

// Update is one step of an optimizer on a run of weights: a chain of links, each
// of which does one thing to every element. All slices have the same length, or
// are nil where no link needs them.
//
// A chain costs little more than a loop written for it alone: the fast versions
// take some vectors through all links before they turn to the next, in registers,
// and plain Go does the same with one element. Links round after each operation,
// so that the results have the same bits with every instruction set.
type Update struct {
	Links []Link    // the last is End
	W     []float32 // w, the weights
	Grad  []float32 // u at first; it is left alone
	S, T  []float32 // s and t, what the optimizer remembers
	Keep  []bool    // false where w, s and t are 0 for good; nil if nowhere
	Out   []float32 // where Store puts u; it may be Grad

	whole int // elements that a fast version does; the others are left to plain Go
}

// Link is one operation on all elements.
type Link struct {
	Kind LinkKind
	A, B float32
}

// LinkKind says what a link does.
type LinkKind uint32

// The kinds of link, in the order in which optimizers use them: others work too,
// and take a little longer.
const (
	End            LinkKind = iota
	AddWeights              // u ← u + A·w
	AddSigns                // u ← u + A·sign(w), A ≥ 0, sign(0) = 0
	Multiply                // w ← A·w
	Average                 // s ← A·s + B·u
	AverageSquares          // t ← A·t + B·u·u
	GatherSquares           // s ← A·s + B·u·u
	TakeAverage             // u ← s
	AddAverage              // u ← u + A·s
	Normalize               // u ← s / (√t + A)
	Divide                  // u ← u / (√s + A)
	Descend                 // w ← w - A·u
	Shrink                  // w ← sign(w)·max(|w| - A, 0), positive zeros
	Drop                    // w, s, t ← 0 where not kept
	Store                   // out ← u, for what comes after the chain
	linkKinds
)
