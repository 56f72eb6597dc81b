package train

import (
	"context"
	"math"
	"strings"
	"testing"

	"finetune/onnxload"
	"finetune/optim"
	"finetune/train/data"
)

// Two classes whose scores are d apart, and a share q of the labels on the higher:
// softmax(b·d) = q has the solution b = ln(q/(1−q))/d.
func TestBestSharpness(t *testing.T) {
	for _, test := range []struct {
		name   string
		scores []float32
		labels []int64
		want   float64
	}{
		{"too far apart", []float32{0, 40, 0, 40, 40, 0, 0, 40}, []int64{1, 1, 0, 0}, math.Log(3) / 40},
		{"as far apart as they should be", []float32{0, float32(math.Log(3)), 0, float32(math.Log(3)), 0, float32(math.Log(3)), 0, float32(math.Log(3))}, []int64{1, 1, 1, 0}, 1},
		{"closer together than they should be", []float32{0, 0.1, 0, 0.1, 0.1, 0, 0, 0.1}, []int64{1, 1, 0, 0}, 1},
		{"all right", []float32{0, 40, 40, 0}, []int64{1, 0}, 1},
		{"no better than chance", []float32{0, 40, 0, 40}, []int64{1, 0}, leastSharpness},
		{"all wrong", []float32{0, 40}, []int64{0}, leastSharpness},
		{"huge", []float32{0, 3e38, 0, 3e38, 3e38, 0, 0, 3e38}, []int64{1, 1, 0, 0}, leastSharpness},
	} {
		s := scored{scores: test.scores, labels: test.labels, classes: 2}
		if got := s.bestSharpness(fine); math.Abs(got-test.want) > 1e-6*test.want {
			t.Errorf("%s: got %g, want %g", test.name, got, test.want)
		}
	}
}

// A clear answer is taken from few examples, and never from mistakes that are too
// few to tell.
func TestSettled(t *testing.T) {
	labels := func(n, wrong int) []int64 {
		list := make([]int64, n)
		for i := range wrong {
			list[i*n/wrong] = 1
		}
		return list
	}
	// The first of ten classes is ahead of the others, which are alike, by d.
	ahead := func(n int, d float32) []float32 {
		scores := make([]float32, 10*n)
		for i := range n {
			scores[10*i] = d
		}
		return scores
	}
	for _, test := range []struct {
		name     string
		n, wrong int
		d        float32
		want     bool
	}{
		{"knows nothing", 16, 15, 1, true},
		{"as it should be", 64, 16, 3.3, true},
		{"too sure, and often wrong", 64, 16, 300, false},
		{"too sure, and nearly always wrong", 16, 15, 300, true}, // a new last layer
		{"few mistakes", 64, 3, 5, false},
		{"none", 64, 0, 300, false},
	} {
		s := scored{scores: ahead(test.n, test.d), labels: labels(test.n, test.wrong), classes: 10}
		if got := s.settled(); got != test.want {
			t.Errorf("%s: got %v, want %v", test.name, got, test.want)
		}
	}
}

func TestSharpnessSlope(t *testing.T) {
	s := scored{scores: []float32{3, -1, 2, 0.5, 0.25, -4, 7, 1, 1}, labels: []int64{2, 1, 0}, classes: 3}
	for _, b := range []float64{0.01, 0.3, 1} {
		const h = 1e-5
		_, got := s.at(b)
		if want := (s.loss(b+h) - s.loss(b-h)) / (2 * h); math.Abs(got-want) > 1e-8 {
			t.Errorf("slope at %g: got %g, want %g", b, got, want)
		}
	}
}

// A model that knows the classes gets its inputs a hundred times too large.
func TestTemperature(t *testing.T) {
	examples := labelled(300, 3, 6)
	// Some labels are wrong, or no scores would be too far apart.
	for i := range 15 {
		examples.y[20*i][0] = float32((20*i + 1) % 3)
	}
	large, err := data.NewLoader(examples, data.LoaderOptions{Scale: 100})
	if err != nil {
		t.Fatal(err)
	}
	fit := func(m *onnxload.Model, l *data.Loader, change func(*Config)) (*Result, string) {
		t.Helper()
		var notes strings.Builder
		cfg := DefaultConfig()
		cfg.Optim.LR = optim.Set(1e-2)
		cfg.Observe = func(e Event) {
			if e.Kind == Noted {
				notes.WriteString(e.Text)
			}
		}
		change(&cfg)
		r, err := Run(context.Background(), m, l, nil, cfg)
		if err != nil {
			t.Fatal(err)
		}
		return r, notes.String()
	}
	still := func(c *Config) { c.Epochs, c.Optim.LR = 1, optim.Set(0) }

	m := mlp().model(t)
	if r, notes := fit(m, large, still); r.Temperature != 0 || notes != "" {
		t.Errorf("a model that has learned nothing: got temperature %v and %q, want none", r.Temperature, notes)
	}
	if r, notes := fit(m, examples.loader(t), func(c *Config) { c.Epochs = 20 }); r.Temperature != 0 || notes != "" {
		t.Errorf("inputs as they should be: got temperature %v and %q, want none", r.Temperature, notes)
	}
	warm, notes := fit(m, large, still)
	if !(warm.Temperature > 20) || !strings.Contains(notes, "times too far apart") {
		t.Errorf("inputs a hundred times too large: got temperature %v and %q, want more than 20 and a note", warm.Temperature, notes)
	}
	cold, notes := fit(m, large, func(c *Config) { still(c); c.Temperature = 1 })
	if cold.Temperature != 0 || notes != "" || !(cold.Loss > 5*warm.Loss) {
		t.Errorf("temperature 1: got loss %v, temperature %v and %q; want none and a loss far above %v", cold.Loss, cold.Temperature, notes, warm.Loss)
	}
}

// Scores at a temperature of 4 have the loss of a last layer a quarter as large,
// and what is measured on held-out examples has none.
func TestTemperatureDividesScores(t *testing.T) {
	l := labelled(40, 3, 6).loader(t)
	loss := func(m *onnxload.Model, temperature float64) *Result {
		t.Helper()
		cfg := DefaultConfig()
		cfg.Epochs, cfg.Optim.LR, cfg.Temperature = 1, optim.Set(0), temperature
		r, err := Run(context.Background(), m, l, l, cfg)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	m := mlp().model(t)
	got, plain := loss(m, 4), loss(m, 1)
	if got.After.Loss != plain.After.Loss {
		t.Errorf("held-out loss: got %v, want %v", got.After.Loss, plain.After.Loss)
	}
	for _, p := range m.Params[len(m.Params)-2:] {
		for i := range p.Value {
			p.Value[i] /= 4
		}
	}
	if want := loss(m, 1); math.Abs(got.Loss-want.Loss) > 1e-6 || got.Temperature != 4 {
		t.Errorf("got loss %v at temperature %v, want %v at 4", got.Loss, got.Temperature, want.Loss)
	}
}
