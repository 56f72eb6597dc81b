package onnxload

import (
	"cmp"
	"fmt"
	"slices"

	"gorgonia.org/tensor"

	"finetune/internal/op"
)

// NonMaxSuppression: of boxes (batch, boxes, 4) and their scores (batch, classes,
// boxes), for each class of each example the best, at most
// max_output_boxes_per_class, without those that overlap a better one by more than
// iou_threshold (the shared part of the area of both) or score no more than
// score_threshold. The result has a row for each: example, class, box.
// center_point_box 1 gives boxes as centre and size, not as opposite corners.
// https://onnx.ai/onnx/operators/onnx__NonMaxSuppression.html, opsets 10 to 11.
// Rejected: inputs that are not constant, because the shape depends on them.
func lowerNonMaxSuppression(c *call) ([]*value, error) {
	boxes, err := c.known(0, tensor.Float32, "the boxes")
	if err != nil {
		return nil, err
	}
	scores, err := c.known(1, tensor.Float32, "the scores")
	if err != nil {
		return nil, err
	}
	if c.rank(0) != 3 || c.rank(1) != 3 || c.shape(0)[2] != 4 || c.shape(0)[0] != c.shape(1)[0] || c.shape(0)[1] != c.shape(1)[2] {
		return nil, fmt.Errorf("boxes %v and scores %v, want (N, B, 4) and (N, C, B)", c.shape(0), c.shape(1))
	}
	var s suppression
	if c.has(2) {
		if s.limit, err = c.int(2, "the number of boxes"); err != nil {
			return nil, err
		}
	}
	if c.has(3) {
		if s.overlap, err = c.float(3, "the overlap"); err != nil {
			return nil, err
		}
	}
	if c.has(4) {
		least, err := c.float(4, "the score")
		if err != nil {
			return nil, err
		}
		s.least = &least
	}
	n, classes := c.shape(0)[1], c.shape(1)[1]
	var rows []int64
	for b := range c.shape(0)[0] {
		all := make([]box, n)
		for i := range all {
			all[i] = newBox(boxes.F[(b*n+i)*4:], c.Attrs.Int("center_point_box", 0) != 0)
		}
		for class := range classes {
			for _, i := range s.best(all, scores.F[(b*classes+class)*n:][:n]) {
				rows = append(rows, int64(b), int64(class), int64(i))
			}
		}
	}
	return c.generated(Int64, []int{len(rows) / 3, 3}, op.Buffer{I: append([]int64{}, rows...)})
}

// suppression is what a NonMaxSuppression is asked for.
type suppression struct {
	limit   int
	overlap float32
	least   *float32 // nil where any score will do
}

// best is the numbers of the boxes that stay, the best first.
func (s suppression) best(boxes []box, scores []float32) []int {
	var order []int
	for i, v := range scores {
		if s.least == nil || v > *s.least {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(scores[b], scores[a]) })
	var kept []int
	for _, i := range order {
		if len(kept) >= s.limit {
			break
		}
		if !slices.ContainsFunc(kept, func(k int) bool { return boxes[i].overlap(boxes[k]) > s.overlap }) {
			kept = append(kept, i)
		}
	}
	return kept
}

// box is a rectangle by its lower and upper corner.
type box struct{ y0, x0, y1, x1 float32 }

func newBox(v []float32, centred bool) box {
	if centred {
		x, y, w, h := v[0], v[1], v[2], v[3]
		return box{y - h/2, x - w/2, y + h/2, x + w/2}
	}
	return box{min(v[0], v[2]), min(v[1], v[3]), max(v[0], v[2]), max(v[1], v[3])}
}

func (b box) area() float32 { return max(b.y1-b.y0, 0) * max(b.x1-b.x0, 0) }

// overlap is the shared area of what both cover.
func (b box) overlap(o box) float32 {
	shared := box{max(b.y0, o.y0), max(b.x0, o.x0), min(b.y1, o.y1), min(b.x1, o.x1)}.area()
	if shared == 0 {
		return 0
	}
	return shared / (b.area() + o.area() - shared)
}
