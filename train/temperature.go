package train

import (
	"context"
	"math"
	"slices"

	"finetune/train/data"
)

// Cross-entropy takes scores for logarithms of odds. Those of a model whose
// inputs are on a larger scale than it was made for, 0 to 255 in place of 0 to 1,
// are right in their order and hundreds of times too far apart: softmax is 0 or 1,
// the loss is that of the few examples that are wrong, and so are the gradients.
// Training such a model, let alone pruning it, does it more harm than good.
// Divided by a temperature the scores say what they mean again. It changes
// neither which class is first nor the model that is written.
//
// Guo, Pleiss, Sun and Weinberger, "On Calibration of Modern Neural Networks",
// ICML 2017, fit the temperature to examples as it is done here, after training.
const (
	// trustedTemperature is where scores begin to be taken for scaled. Trained
	// networks are at 0.7 to 3, which training itself sets right.
	trustedTemperature = 4
	// leastSharpness bounds the search.
	leastSharpness = 1e-6

	temperatureExamples = 1024
	temperatureScores   = 1 << 20 // no more are collected

	// enoughMistakes are those from which on a clear answer is believed before all
	// examples have been looked at. What is wrong is what tells: a model that is
	// right about everything loses nothing by being too sure.
	enoughMistakes = 8
)

// chooseTemperature is Config.Temperature, or what the model's scores of some
// training examples call for. They run in as small parts as training does.
func (r *run) chooseTemperature(ctx context.Context) (float64, error) {
	if r.cfg.Temperature > 0 || r.network.task.loss != CrossEntropy {
		return r.cfg.Temperature, nil
	}
	quiet := r.cfg // training has said it all
	quiet.Observe, quiet.MicroBatch = nil, r.network.chunk
	n, err := planNetwork(r.model, r.training, quiet, false)
	if err != nil {
		return 1, nil // training finds the same error, and tells it in its own words
	}
	if err := n.compile(&r.space); err != nil {
		return 1, nil // likewise
	}
	s, err := n.sample(ctx)
	if err != nil {
		return 1, ctx.Err() // likewise
	}
	t, fitted := s.fit(fine)
	if !s.scaled(t, fitted, 1) {
		return 1, nil
	}
	r.cfg.note("the scores are about %.0f times too far apart for cross-entropy (%.3g, and %.3g when divided by that), as if the inputs were on another scale than the model's: training divides the scores by %.4g",
		t, s.loss(1), fitted, t)
	return t, nil
}

// scored is what a model makes of some examples.
type scored struct {
	scores  []float32 // (rows, classes)
	labels  []int64
	classes int
}

// sample runs the model on the first examples of the first epoch, as many as it
// takes to tell that all is as it should be.
func (n *network) sample(ctx context.Context) (scored, error) {
	s := scored{classes: n.passes[n.chunk].head.classes}
	order := data.Order(n.loader.Len(), n.cfg.Seed, 0)
	check := 0 // the number of scores to look at them from
	for start := 0; start+n.chunk <= len(order); start += n.chunk {
		p, _, err := n.run(ctx, order[start:start+n.chunk], 0, 0)
		if err != nil {
			return s, err
		}
		s.scores = append(s.scores, p.machine.Buffer(p.head.scores).F...)
		s.labels = append(s.labels, p.machine.Buffer(p.head.target).I...)
		if start+n.chunk >= temperatureExamples || len(s.scores) >= temperatureScores {
			break
		}
		if len(s.scores) >= check {
			if s.settled() {
				break
			}
			check = 2 * len(s.scores)
		}
	}
	return s, nil
}

// scaled reports whether scores that fit best at a temperature of t, with the loss
// fitted, are on another scale than they should be. They are not if the model does
// not know the classes yet. A margin above 1 takes a closer call for scaled.
func (s scored) scaled(t, fitted, margin float64) bool {
	return t*margin >= trustedTemperature && fitted <= margin*math.Log(float64(s.classes))/2
}

// settled reports whether more examples would hardly find the scores scaled.
func (s scored) settled() bool {
	const rows, margin = 1024, 1.5
	few := scored{scores: s.scores, labels: s.labels[:min(len(s.labels), rows)], classes: s.classes}
	if few.mistakes() < enoughMistakes {
		return false
	}
	t, fitted := few.fit(coarse)
	return !few.scaled(t, fitted, margin)
}

// mistakes counts the rows whose label has not the highest score.
func (s scored) mistakes() int {
	n := 0
	for r, label := range s.labels {
		row := s.scores[r*s.classes:][:s.classes]
		if row[label] < slices.Max(row) {
			n++
		}
	}
	return n
}

// fit is the temperature that makes the loss of the scores least, and that loss.
func (s scored) fit(halvings int) (t, loss float64) {
	b := s.bestSharpness(halvings)
	return 1 / b, s.loss(b)
}

// How often the search for a temperature halves its interval: for a part in ten
// to the eleventh, or to a per cent.
const fine, coarse = 40, 11

// bestSharpness is the factor of at most 1 that makes the loss of the scores
// least. The loss is convex in it, so a bisection of its derivative finds it.
func (s scored) bestSharpness(halvings int) float64 {
	if _, slope := s.at(1); slope <= 0 {
		return 1
	}
	lo, hi := math.Log(leastSharpness), 0.0
	for range halvings {
		middle := (lo + hi) / 2
		if _, slope := s.at(math.Exp(middle)); slope > 0 {
			hi = middle
		} else {
			lo = middle
		}
	}
	return math.Exp(hi)
}

func (s scored) loss(sharpness float64) float64 {
	loss, _ := s.at(sharpness)
	return loss
}

// at is the mean cross-entropy of the scores times a sharpness b, and its
// derivative by b: −log p[label] with p = softmax(b·z), and Σ p·z − z[label].
func (s scored) at(b float64) (loss, slope float64) {
	for r, label := range s.labels {
		row := s.scores[r*s.classes:][:s.classes]
		best := float64(row[0])
		for _, z := range row {
			best = max(best, float64(z))
		}
		var total, mean float64
		for _, z := range row {
			d := float64(z) - best
			e := math.Exp(b * d)
			total += e
			mean += e * d
		}
		d := float64(row[label]) - best
		loss += math.Log(total) - b*d
		slope += mean/total - d
	}
	rows := float64(len(s.labels))
	return loss / rows, slope / rows
}
