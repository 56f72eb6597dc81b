package train

// Metrics is how well a model does on a set of examples.
type Metrics struct {
	Examples int     `json:"examples"`
	Loss     float64 `json:"loss"` // mean over the examples, without penalties
	// Accuracy is the share of labels whose class has the highest score, 0 to 1;
	// nil where there are no classes.
	Accuracy *float64 `json:"accuracy,omitempty"`
}

// tally adds up metrics over batches.
type tally struct {
	examples, labels, right int
	loss                    float64
}

func (t *tally) add(examples int, loss float64) {
	t.examples += examples
	t.loss += loss * float64(examples)
}

// classify counts the rows of scores (rows, classes) whose first highest score
// is at the label.
func (t *tally) classify(scores []float32, labels []int64, classes int) {
	for r, label := range labels {
		row := scores[r*classes:][:classes]
		best := 0
		for c, s := range row {
			if s > row[best] {
				best = c
			}
		}
		if int64(best) == label {
			t.right++
		}
	}
	t.labels += len(labels)
}

func (t *tally) metrics() Metrics {
	m := Metrics{Examples: t.examples}
	if t.examples > 0 {
		m.Loss = t.loss / float64(t.examples)
	}
	if t.labels > 0 {
		accuracy := float64(t.right) / float64(t.labels)
		m.Accuracy = &accuracy
	}
	return m
}
