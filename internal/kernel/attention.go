package kernel

import (
	"fmt"
	"math"
)

// Attention is softmax(Scale·Q·Kᵀ + mask)·V for each head of each example (Vaswani
// et al., Attention Is All You Need, 2017). The matrix of scores exists a block at
// a time. Going from block to block of a row, sums of exponentials are kept
// relative to the largest score so far (Milakov, Gimelshein, Online Normalizer
// Calculation for Softmax, 2018); the backward pass makes the blocks again, from
// the logarithm of each row's sum (Dao et al., FlashAttention, 2022).
type Attention struct {
	Rows, Cols      int // of the scores: queries, and keys
	Size, ValueSize int // of a query or key, and of a value
	Scale           float32
	Q, K, V, Y      Heads
	Mask            Heads // a stride of 0 is the same row again
}

// Heads tells where the rows of each head are.
type Heads struct {
	At     []int // where each head begins
	Stride int   // from row to row
}

// The size of a block of scores. It fits into the L2 cache twice.
const (
	attentionRows = 128
	attentionCols = 256
)

// AttentionArgs are the arrays of a pass. Backward reads Y and Logs, too.
type AttentionArgs struct {
	Q, K, V    []float32
	Mask       []float32 // what is added to the scores; nil for nothing
	Y          []float32
	Logs       []float32 // for each row of each head, log Σexp of its scores
	DY         []float32 // gradient of Y
	DQ, DK, DV []float32 // gradients, laid out like Q, K and V
}

type attentionTask struct {
	*Attention
	args AttentionArgs
}

// attentionSpace is the memory of a task.
type attentionSpace struct {
	p, g              [attentionRows * attentionCols]float32
	tops, sums, means [attentionRows]float32
}

var attentionSpaces freeList[attentionSpace]

// Forward computes Y and Logs.
func (a *Attention) Forward(args AttentionArgs) {
	a.check(&args)
	attentionForward.do(len(a.Q.At)*blocks(a.Rows, attentionRows), 1, attentionTask{a, args})
}

// Backward computes DQ, DK and DV.
func (a *Attention) Backward(args AttentionArgs) {
	a.check(&args)
	attentionBackward.do(len(a.Q.At), 1, attentionTask{a, args})
}

func (a *Attention) check(args *AttentionArgs) {
	heads := len(a.Q.At)
	if a.Rows < 1 || a.Cols < 1 || a.Size < 1 || a.ValueSize < 1 {
		panic(fmt.Sprintf("kernel: attention of %d by %d, size %d and %d", a.Rows, a.Cols, a.Size, a.ValueSize))
	}
	if len(a.K.At) != heads || len(a.V.At) != heads || len(a.Y.At) != heads || len(args.Logs) != heads*a.Rows ||
		args.Mask != nil && len(a.Mask.At) != heads {
		panic(fmt.Sprintf("kernel: attention of %d, %d, %d and %d heads, with %d logarithms",
			heads, len(a.K.At), len(a.V.At), len(a.Y.At), len(args.Logs)))
	}
}

var attentionForward = split(func(t *attentionTask, lo, hi int) {
	s := attentionSpaces.get()
	defer attentionSpaces.put(s)
	perHead := blocks(t.Rows, attentionRows)
	for i := lo; i < hi; i++ {
		t.forward(s, i/perHead, i%perHead*attentionRows)
	}
})

var attentionBackward = split(func(t *attentionTask, lo, hi int) {
	s := attentionSpaces.get()
	defer attentionSpaces.put(s)
	for head := lo; head < hi; head++ {
		for i := 0; i < t.Rows; i += attentionRows {
			t.backward(s, head, i)
		}
	}
})

// row is the rest of x from row i of a head on.
func (h *Heads) row(x []float32, head, i int) []float32 { return x[h.At[head]+i*h.Stride:] }

// scores makes the block of scores from row i and column j on.
func (t *attentionTask) scores(s *attentionSpace, head, i, j, rows, cols int) []float32 {
	x := s.p[:rows*cols]
	Gemm(false, true, rows, cols, t.Size, t.Scale, t.Q.row(t.args.Q, head, i), t.Q.Stride,
		t.K.row(t.args.K, head, j), t.K.Stride, 0, x, cols)
	if mask := t.args.Mask; mask != nil {
		for r := range rows {
			add(x[r*cols:(r+1)*cols], t.Mask.row(mask, head, i+r)[j:])
		}
	}
	return x
}

// forward computes the rows of a block of a head from row i on.
func (t *attentionTask) forward(s *attentionSpace, head, i int) {
	rows := min(attentionRows, t.Rows-i)
	y, tops, sums := t.Y.row(t.args.Y, head, i), s.tops[:rows], s.sums[:rows]
	totals, old := s.means[:rows], s.g[:rows]
	fill(tops, -math.MaxFloat32) // so that nothing but -Inf gives 0
	clear(totals)
	for j := 0; j < t.Cols; j += attentionCols {
		cols := min(attentionCols, t.Cols-j)
		x := t.scores(s, head, i, j, rows, cols)
		copy(old, tops)
		active.attention.shares(x, tops, sums, cols)
		for r, top := range tops {
			if j > 0 && top != old[r] {
				f := exp(old[r] - top)
				totals[r] *= f
				t.scaleRow(y, r, f)
			}
			totals[r] += sums[r]
		}
		Gemm(false, false, rows, t.ValueSize, cols, 1, x, cols, t.V.row(t.args.V, head, j), t.V.Stride, min(1, float32(j)), y, t.Y.Stride)
	}
	logs := t.args.Logs[head*t.Rows+i:]
	for r, total := range totals {
		t.scaleRow(y, r, 1/total)
		logs[r] = tops[r] + float32(math.Log(float64(total)))
	}
}

// scaleRow multiplies row r of y by f.
func (t *attentionTask) scaleRow(y []float32, r int, f float32) {
	row := y[r*t.Y.Stride:][:t.ValueSize]
	active.point.scale(row, row, nil, f, 0)
}

// dot is Σx·y.
func (s *attentionSpace) dot(x, y []float32) float32 {
	sum := 0.0
	for len(x) > 0 {
		n := min(len(x), len(s.g))
		active.arithmetic[Mul].both(s.g[:n], x, y, n, 0, 0)
		sum += active.sums.sum(s.g[:n])
		x, y = x[n:], y[n:]
	}
	return float32(sum)
}

// backward adds to the gradients of a head what the block of rows from row i on
// contributes. With P the shares, dV = Pᵀ·dY, and the gradient of the scores is
// P∘(dY·Vᵀ - mean), where a row's mean is that of its dY·Vᵀ weighted with P, which
// is the sum of its y∘dy.
func (t *attentionTask) backward(s *attentionSpace, head, i int) {
	rows := min(attentionRows, t.Rows-i)
	q, dq := t.Q.row(t.args.Q, head, i), t.Q.row(t.args.DQ, head, i)
	y, dy := t.Y.row(t.args.Y, head, i), t.Y.row(t.args.DY, head, i)
	logs, means := t.args.Logs[head*t.Rows+i:][:rows], s.means[:rows]
	for r := range means {
		means[r] = s.dot(y[r*t.Y.Stride:][:t.ValueSize], dy[r*t.Y.Stride:][:t.ValueSize])
	}
	later := min(1, float32(i)) // whether there are sums to add to
	for j := 0; j < t.Cols; j += attentionCols {
		cols := min(attentionCols, t.Cols-j)
		k, dk := t.K.row(t.args.K, head, j), t.K.row(t.args.DK, head, j)
		v, dv := t.V.row(t.args.V, head, j), t.V.row(t.args.DV, head, j)
		p, g := t.scores(s, head, i, j, rows, cols), s.g[:rows*cols]
		active.attention.again(p, logs, cols)
		Gemm(true, false, cols, t.ValueSize, rows, 1, p, cols, dy, t.Y.Stride, later, dv, t.V.Stride)
		Gemm(false, true, rows, cols, t.ValueSize, 1, dy, t.Y.Stride, v, t.V.Stride, 0, g, cols)
		active.attention.slopes(p, g, means, cols)
		Gemm(false, false, rows, t.Size, cols, t.Scale, p, cols, k, t.K.Stride, min(1, float32(j)), dq, t.Q.Stride)
		Gemm(true, false, cols, t.Size, rows, t.Scale, p, cols, q, t.Q.Stride, later, dk, t.K.Stride)
	}
}
