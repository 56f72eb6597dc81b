package main

import (
	"bytes"
	"cmp"
	"encoding/xml"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/plot"

	"finetune/bench/protocol"
)

// TestMain lets the program of the tests be our worker.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == workerVerb {
		main()
		return
	}
	os.Exit(m.Run())
}

// prepared is the job of a workload on a model made without PyTorch.
func prepared(t *testing.T, name string) protocol.Job {
	t.Helper()
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	c, err := newCache()
	if err != nil {
		t.Fatal(err)
	}
	w, err := find(name)
	if err != nil {
		t.Fatal(err)
	}
	j := w.job(w.size, w.batch, 1)
	if err := c.prepare(&j, w.tokens, nil); err != nil {
		t.Fatal(err)
	}
	return j
}

// TestTraining has a worker train, in two runs, and answer in between.
func TestTraining(t *testing.T) {
	p, err := startOurs(prepared(t, "mlp-small"))
	if err != nil {
		t.Fatal(err)
	}
	defer p.stop()
	each, a, err := p.steps(protocol.FirstSteps)
	if err != nil || each <= 0 || len(a.Losses) != protocol.FirstSteps {
		t.Fatalf("got %v seconds, %d losses, %v, want some, %d, nil", each, len(a.Losses), err, protocol.FirstSteps)
	}
	for _, loss := range a.Losses { // of three classes, before much is learned
		if math.Abs(loss-math.Log(3)) > 2 {
			t.Errorf("got a loss of %v, want about %v", loss, math.Log(3))
		}
	}
	if a.Losses[0] == a.Losses[1] {
		t.Errorf("got the loss %v twice", a.Losses[0])
	}
	if _, a, err = p.steps(2); err != nil || len(a.Losses) != 0 {
		t.Errorf("got losses %v, %v, want none: only the first are compared", a.Losses, err)
	}
	if a, err = p.ask("memory"); err != nil || a.Megabytes < 0 {
		t.Errorf("got %v MB, %v", a.Megabytes, err)
	}
}

func TestEvaluation(t *testing.T) {
	j := prepared(t, "mlp-small")
	j.Mode = "evaluate"
	p, err := startOurs(j)
	if err != nil {
		t.Fatal(err)
	}
	defer p.stop()
	for range 2 {
		if each, _, err := p.steps(3); err != nil || each <= 0 {
			t.Fatalf("got %v seconds, %v", each, err)
		}
	}
}

// TestProfileOfJob makes the steps of a profile, and no more.
func TestProfileOfJob(t *testing.T) {
	j := prepared(t, "mlp-small")
	j.Profile = 5
	p, err := startOurs(j)
	if err != nil {
		t.Fatal(err)
	}
	defer p.stop()
	if p.first.Peak <= 0 {
		t.Errorf("got a peak of %v", p.first.Peak)
	}
	for _, c := range p.first.Profile {
		if c.Calls%j.Profile != 0 {
			t.Errorf("got %d calls of %s in %d steps", c.Calls, c.Work, j.Profile)
		}
	}
}

// TestSkeletons finds every model of the table.
func TestSkeletons(t *testing.T) {
	for _, w := range append(workloads[:len(workloads):len(workloads)], bigModel) {
		if w.model == "" {
			continue
		}
		m, err := readSkeleton(fmt.Sprintf("skeletons/%s-%d.onnx.gz", w.model, w.size))
		if err != nil {
			t.Error(err)
			continue
		}
		for _, tensor := range m.Graph.Initializer {
			if tensor.GetDataType() == 1 && len(tensor.RawData) > 0 {
				t.Errorf("%s: %s has weights", w.name, tensor.GetName())
			}
		}
	}
}

// TestUnsupportedJob is told why a process does not start.
func TestUnsupportedJob(t *testing.T) {
	j := prepared(t, "mlp-small")
	j.Folder = t.TempDir()
	if _, err := startOurs(j); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("got error %v, want one about the missing model", err)
	}
}

func TestLossDifference(t *testing.T) {
	cases := []struct {
		a, b  []float64
		means bool
		want  float64
	}{
		{[]float64{1, 2}, []float64{1, 2}, false, 0},
		{[]float64{1, 2}, []float64{1, 4}, false, 0.5},
		{[]float64{1, 3}, []float64{3, 1}, true, 0},
		{[]float64{1, math.NaN()}, []float64{1, 4}, false, math.NaN()},
		{[]float64{1}, []float64{1, 4}, false, math.NaN()},
	}
	for _, c := range cases {
		if got := lossDifference(c.a, c.b, c.means); got != c.want && !(math.IsNaN(got) && math.IsNaN(c.want)) {
			t.Errorf("%v, %v: got %v, want %v", c.a, c.b, got, c.want)
		}
	}
}

// TestFill counts a row only where the losses agree, and takes the median of the
// ratios, which is not the ratio of the medians.
func TestFill(t *testing.T) {
	sides := func(loss float64) (ours, theirs *side) {
		ours = &side{process: &process{}, losses: []float64{1}, seconds: []float64{1, 2, 9}}
		theirs = &side{process: &process{}, losses: []float64{loss}, seconds: []float64{4, 4, 90}}
		return ours, theirs
	}
	var r row
	ours, theirs := sides(1.0005)
	r.fill(protocol.Job{Mode: "train"}, ours, theirs)
	if r.Ratio == nil || *r.Ratio != 0.25 || *r.Ours != 2000 || *r.Theirs != 4000 {
		t.Errorf("got ratio %v of %v and %v, want 0.25 of 2000 and 4000", number(r.Ratio, 2), number(r.Ours, 0), number(r.Theirs, 0))
	}
	r = row{}
	ours, theirs = sides(1.01)
	r.fill(protocol.Job{Mode: "train"}, ours, theirs)
	if r.Ratio != nil || !strings.Contains(r.Note, "does not count") {
		t.Errorf("got ratio %v and note %q, want none, and why", number(r.Ratio, 2), r.Note)
	}
	r = row{}
	r.fill(protocol.Job{Mode: "train"}, ours, newSide(nil))
	if r.Ratio != nil || r.Ours == nil || r.Theirs != nil {
		t.Errorf("got %+v, want ours alone", r)
	}
}

func TestChart(t *testing.T) {
	c := chart{title: "a < b", x: axis{label: "batch", log: true}, y: axis{label: "ms", log: true}, curves: []curve{
		{name: "one", points: [][2]float64{{1, 3}, {10, math.NaN()}, {100, 50}, {200, 0}, {300, math.Inf(1)}}},
		{name: "one & dashed", dashed: true, points: [][2]float64{{1, 4}}},
		{name: "empty"},
	}}
	picture := c.svg()
	var texts []string
	d := xml.NewDecoder(bytes.NewReader(picture))
	for {
		token, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if text, ok := token.(xml.CharData); ok && strings.TrimSpace(string(text)) != "" {
			texts = append(texts, string(text))
		}
	}
	for _, want := range []string{"a < b", "batch", "ms", "one", "one & dashed", "empty", "1", "100", "50"} {
		if !slices.Contains(texts, want) {
			t.Errorf("got no text %q among %q", want, texts)
		}
	}
	if bytes.Contains(picture, []byte("NaN")) || bytes.Contains(picture, []byte("Inf")) {
		t.Errorf("got a picture with what is no number:\n%s", picture)
	}
	if !bytes.Equal(c.svg(), picture) {
		t.Error("got another picture the second time")
	}
	if got := (chart{curves: []curve{{name: "empty"}}}).svg(); got != nil {
		t.Errorf("got a picture of nothing:\n%s", got)
	}
}

func TestTicks(t *testing.T) {
	for _, c := range []struct {
		axis   axis
		values []float64
		want   string
	}{
		{axis{log: true}, []float64{1, 100}, "1 2 5 10 20 50 100"},
		{axis{log: true}, []float64{0.004, 0.06}, "0.005 0.01 0.02 0.05"},
		{axis{log: true}, []float64{0.01, 20000}, "0.01 0.1 1 10 100 1000 10000"},
		{axis{log: true}, []float64{7}, "5 10 20"},
		{axis{}, []float64{0, 98}, "0 50 100"},
		{axis{}, []float64{0.91, 0.99}, "0.91 0.95 0.99"},
		{axis{}, []float64{3, 3}, "2.5 3.0 3.5"},
		{axis{log: true, marks: []float64{4, 8, 16, 32, 64}}, []float64{8, 32}, "8 16 32"},
		{axis{marks: []float64{0, 50, 90, 95, 98}}, []float64{0, 98}, "0 50 90 98"}, // 95 98 would touch
	} {
		var units []float64
		for _, v := range c.values {
			units = append(units, c.axis.unit(v))
		}
		low, high := c.axis.span(units)
		ticks := c.axis.Ticks(low, high)
		slices.SortFunc(ticks, func(a, b plot.Tick) int { return cmp.Compare(a.Value, b.Value) })
		var labels []string
		for _, tick := range ticks {
			if tick.Label != "" {
				labels = append(labels, tick.Label)
			}
		}
		if got := strings.Join(labels, " "); got != c.want {
			t.Errorf("%+v, %v: got %s, want %s", c.axis, c.values, got, c.want)
		}
	}
}

func TestFlags(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	for _, args := range []string{"--only nothing", "--threads -1", "--torch fast", "--rounds 0", "--l1-as x", "--part pages", "more"} {
		if err := run(strings.Fields(args), io.Discard, io.Discard); err == nil {
			t.Errorf("%s: got no error", args)
		}
	}
}
