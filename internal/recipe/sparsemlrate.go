package recipe

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// rate is what the learning rate does in a part of a run of SparseML's.
type rate struct {
	m           *modifier
	start, end  float64 // epochs
	shape       string  // linear, cosine or constant
	first, last float64
}

func (t *translation) setLearningRate(m *modifier) {
	m.refused("choose parameters by selectors, as in `lr: {role:weight: 0.01}`", "param_groups")
	m.unused("nothing is logged", "constant_logging", "log_types")
	t.fromStart(m)
	v := m.needed("learning_rate")
	t.rates = append(t.rates, rate{m, 0, t.epochs, "constant", v, v})
}

func (t *translation) learningRate(m *modifier) {
	m.refused("choose parameters by selectors, as in `lr: {role:weight: 0.01}`", "param_groups")
	m.unused("nothing is logged", "constant_logging", "log_types")
	m.unused("the rate changes with each step", "update_frequency")
	m.refused("lr_func may be linear or cosine, without cycles", "cycle_epochs", "cycle_mul", "cycle_warmup")
	shape, line := m.text("lr_func", "")
	if shape != "linear" && shape != "cosine" {
		m.fail(line, "lr_func is %q, want linear or cosine", shape)
	}
	r := rate{m, max(0, m.needed("start_epoch")), m.needed("end_epoch"), shape, m.needed("init_lr"), m.needed("final_lr")}
	if r.end < 0 {
		r.end = t.epochs
	}
	if r.first < 0 || r.last < 0 {
		m.fail(m.line, "learning rates are 0 or more")
	}
	t.rates = append(t.rates, r)
}

// learningRates makes one course of what was said of the learning rate: constant,
// or one function over the whole run, or two of which the first climbs.
func (t *translation) learningRates() error {
	if len(t.rates) == 0 {
		return nil
	}
	slices.SortStableFunc(t.rates, func(a, b rate) int { return cmp.Compare(a.start, b.start) })
	r, climb := t.rates[0], ""
	// A rate that is set at the start is that of the time before the first function.
	if r.shape == "constant" && len(t.rates) > 1 && t.rates[1].start == 0 {
		t.note(r.m.line, "%s: the rate is that of %s", r.m.name, t.rates[1].m.name)
		t.rates = t.rates[1:]
		r = t.rates[0]
	}
	if len(t.rates) == 2 && r.start == 0 && r.shape == "linear" && r.first < r.last && r.last == t.rates[1].first && r.end == t.rates[1].start {
		if r.first > 0 {
			t.note(r.m.line, "%s: the warm-up climbs from 0, not from %s", r.m.name, number(r.first))
		}
		climb = "warmup=" + number(r.end) + "ep"
		r = t.rates[1]
		t.rates = t.rates[1:]
		r.start = 0
	}
	switch {
	case len(t.rates) > 1:
		m := t.rates[1].m
		return t.d.fail(m.line, "%s: the learning rate may follow one function, and a linear one before it that climbs to its init_lr; make each further one a run of its own, from the model of the run before", m.name)
	case r.start > 0:
		return t.d.fail(r.m.line, "%s: start_epoch is %v, and nothing says what the learning rate is before", r.m.name, r.start)
	case math.Ceil(r.end) < t.epochs:
		return t.d.fail(r.m.line, "%s: end_epoch is %v, and learning rates change until the end of the run, epoch %v", r.m.name, r.end, t.epochs)
	}
	value, course := r.first, ""
	switch {
	case r.first == r.last:
		course = "constant"
	case r.shape == "linear" && r.first == 0:
		value, course = r.last, "linear:from=0,to=1"
	case r.shape == "linear":
		course = "linear:from=1,to=" + number(r.last/r.first)
	case r.first < r.last:
		return t.d.fail(r.m.line, "%s: a cosine may fall, not rise", r.m.name)
	default:
		course = "cosine:floor=" + number(r.last/r.first)
	}
	switch {
	case climb == "":
	case course == "constant":
		course += ":" + climb
	default:
		course += "," + climb
	}
	// Behind the value, a course is not held up while weights are pruned.
	text := number(value)
	if course != "constant" {
		text = fmt.Sprintf("%s@%s", text, course)
	}
	t.add("lr", r.m.line, text)
	t.add("schedule", r.m.line, "constant")
	return nil
}
