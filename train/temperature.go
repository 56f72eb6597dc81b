package train

import (
	"context"
	"math"

	"finetune/onnxload"
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
)

// chooseTemperature is Config.Temperature, or what the model's scores of some
// training examples call for.
func chooseTemperature(ctx context.Context, m *onnxload.Model, l *data.Loader, cfg Config) (float64, error) {
	if cfg.Temperature > 0 {
		return cfg.Temperature, nil
	}
	quiet := cfg // training says it all once more
	quiet.Observe = nil
	n, err := newNetwork(m, l, quiet, false)
	if err != nil || n.task.loss != CrossEntropy {
		return 1, nil // training finds the same error, and tells it in its own words
	}
	s, err := n.sample(ctx)
	if err != nil {
		return 1, ctx.Err() // likewise
	}
	t := 1 / s.bestSharpness()
	fitted := s.loss(1 / t)
	if t < trustedTemperature || fitted > math.Log(float64(s.classes))/2 {
		return 1, nil // as it should be, or the model does not know these classes yet
	}
	cfg.note("the scores are about %.0f times too far apart for cross-entropy (%.3g, and %.3g when divided by that), as if the inputs were on another scale than the model's: training divides the scores by %.4g",
		t, s.loss(1), fitted, t)
	return t, nil
}

// scored is what a model makes of some examples.
type scored struct {
	scores  []float32 // (rows, classes)
	labels  []int64
	classes int
}

// sample runs the model on the first examples of the first epoch.
func (n *network) sample(ctx context.Context) (scored, error) {
	s := scored{classes: n.passes[n.chunk].head.classes}
	order := data.Order(n.loader.Len(), n.cfg.Seed, 0)
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
	}
	return s, nil
}

// bestSharpness is the factor of at most 1 that makes the loss of the scores
// least. The loss is convex in it, so a bisection of its derivative finds it.
func (s scored) bestSharpness() float64 {
	if _, slope := s.at(1); slope <= 0 {
		return 1
	}
	lo, hi := math.Log(leastSharpness), 0.0
	for range 40 {
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
