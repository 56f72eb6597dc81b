package recipe

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"finetune/internal/nearest"
)

// A SparseML recipe is lists of modifiers under names that end in modifiers, and
// variables beside them; or several such maps, its stages, on the same clock: a
// modifier acts from its start_epoch to its end_epoch, and the run is as long as
// the last of them.
// translate says the same in settings, as far as they can; the rest is an error,
// or a note where it has no bearing on the model.

// modifiers are those that are read, in the order in which they are translated: the
// length of a run is known first.
var modifiers = []struct {
	name      string
	translate func(*translation, *modifier)
}{
	{"!EpochRangeModifier", (*translation).epochRange},
	{"!SetLearningRateModifier", (*translation).setLearningRate},
	{"!LearningRateFunctionModifier", (*translation).learningRate},
	{"!SetWeightDecayModifier", (*translation).weightDecay},
	{"!TrainableParamsModifier", (*translation).trainable},
	{"!GMPruningModifier", (*translation).pruning},
	{"!MagnitudePruningModifier", (*translation).pruning},
	{"!GlobalMagnitudePruningModifier", (*translation).pruning},
	{"!RigLPruningModifier", (*translation).regrowth},
	{"!ConstantPruningModifier", (*translation).constantPruning},
}

// translation is a SparseML recipe on its way to settings.
type translation struct {
	d       *document
	steps   int     // of expressions, so far
	epochs  float64 // length of the run, to the end of the last modifier
	begun   bool    // an EpochRangeModifier begins with the run
	rates   []rate
	gradual *gradual  // of the first modifier that prunes
	pruner  *modifier // which that is
	frozen  bool      // everything, until a modifier says otherwise
	entries []Entry
	notes   []string
}

func isGroup(key string) bool { return key == "modifiers" || strings.HasSuffix(key, "_modifiers") }

// isSparseML reports whether d is a recipe of SparseML.
func (d *document) isSparseML() bool {
	return slices.ContainsFunc(d.root, func(p pair) bool {
		_, stage, _ := d.stage(p)
		return stage || isGroup(p.key)
	})
}

// stage reads a stage: a map with lists of modifiers and variables of its own, or
// any map that is named as one. The epochs of all stages are those of one run.
func (d *document) stage(p pair) (pairs []pair, ok bool, err error) {
	at, err := d.follow(p.value)
	if _, isMap := at.(ast.MapNode); err != nil || !isMap || isGroup(p.key) {
		return nil, false, err
	}
	pairs, err = d.pairs(at, p.key)
	ok = slices.ContainsFunc(pairs, func(p pair) bool { return isGroup(p.key) })
	return pairs, ok || strings.HasSuffix(p.key, "_stage"), err
}

// translate reads d, a recipe of SparseML.
func translate(d *document) ([]Entry, []string, error) {
	t := &translation{d: d}
	list, err := t.modifiers(d.root, nil)
	if err != nil {
		return nil, nil, err
	}
	t.note(0, "SparseML's recipes leave the optimizer to others: it is adamw, unless --optimizer says another")
	for _, m := range list {
		t.measure(m)
		if m.err != nil {
			return nil, nil, m.err
		}
	}
	if t.epochs = math.Ceil(t.epochs); t.epochs > 0 {
		t.add("epochs", list[0].line, number(t.epochs))
	}
	for _, kind := range modifiers {
		for _, m := range list {
			if m.name != kind.name {
				continue
			}
			kind.translate(t, m)
			if err := m.done(); err != nil {
				return nil, nil, err
			}
		}
	}
	if t.epochs <= 0 {
		return nil, nil, d.fail(0, "no end_epoch says how long the run is")
	}
	err = t.learningRates()
	return t.entries, t.notes, err
}

// modifiers reads the lists of modifiers of a map, and of its stages. outer are the
// variables around it, which its own come before.
func (t *translation) modifiers(list []pair, outer map[string]ast.Node) ([]*modifier, error) {
	own := &variables{t, maps.Clone(outer)}
	if own.values == nil {
		own.values = map[string]ast.Node{}
	}
	var groups, stages []pair
	for _, p := range list {
		_, stage, err := t.d.stage(p)
		switch {
		case err != nil:
			return nil, err
		case isGroup(p.key):
			groups = append(groups, p)
		case stage && outer == nil:
			stages = append(stages, p)
		default:
			own.values[p.key] = p.value
		}
	}
	var found []*modifier
	for _, p := range groups {
		items, ok, err := t.d.items(p.value)
		if err == nil && !ok {
			err = t.d.fail(p.line, "%s is not a list of !Modifiers, as SparseML's recipes have them", p.key)
		}
		for i := 0; err == nil && i < len(items); i++ {
			var m *modifier
			m, err = t.modifier(items[i], own)
			found = append(found, m)
		}
		if err != nil {
			return nil, err
		}
	}
	for _, p := range stages {
		pairs, _, err := t.d.stage(p)
		if err == nil && !slices.ContainsFunc(pairs, func(p pair) bool { return isGroup(p.key) }) {
			err = t.d.fail(p.line, "%s has no list of !Modifiers", p.key)
		}
		var inner []*modifier
		if err == nil {
			inner, err = t.modifiers(pairs, own.values)
		}
		if err != nil {
			return nil, err
		}
		found = append(found, inner...)
	}
	return found, nil
}

// modifier reads one element of a list of modifiers.
func (t *translation) modifier(n ast.Node, v *variables) (*modifier, error) {
	at, err := t.d.follow(n)
	if err != nil {
		return nil, err
	}
	tag, ok := at.(*ast.TagNode)
	if !ok {
		return nil, t.d.fail(lineOf(n), "%s stands where a !Modifier is wanted", shapeOf(at))
	}
	m := &modifier{t: t, variables: v, name: strings.TrimSuffix(tag.Start.Value, ":"), line: lineOf(tag)}
	var names []string
	for _, kind := range modifiers {
		names = append(names, kind.name)
	}
	if !slices.Contains(names, m.name) {
		if near := nearest.Names(m.name, names); len(near) > 0 {
			return nil, t.d.fail(m.line, "there is no %s; did you mean %s?", m.name, near[0])
		}
		return nil, t.d.fail(m.line, "%s is not read; those that are: %s", m.name, strings.Join(names, ", "))
	}
	if tag.Value != nil && tag.Value.Type() != ast.NullType {
		m.fields, err = t.d.pairs(tag.Value, m.name)
	}
	return m, err
}

// measure makes the run at least as long as m.
func (t *translation) measure(m *modifier) {
	fields := m.fields
	start := m.number("start_epoch", -1)
	t.epochs = max(t.epochs, start, m.number("end_epoch", -1))
	t.begun = t.begun || m.name == "!EpochRangeModifier" && start <= 0
	m.fields, m.known = fields, nil
}

func (t *translation) note(line int, format string, args ...any) {
	e := &Error{Path: t.d.path, Line: line, What: fmt.Sprintf(format, args...)}
	t.notes = append(t.notes, e.Error())
}

// add gives a setting a value, besides those that it has.
func (t *translation) add(key string, line int, texts ...string) {
	i := slices.IndexFunc(t.entries, func(e Entry) bool { return e.Key == key })
	if i < 0 {
		i = len(t.entries)
		t.entries = append(t.entries, Entry{Key: key, Line: line})
	}
	e := &t.entries[i]
	for _, text := range texts {
		e.Values = append(e.Values, Value{Kind: kindOf(text), Text: text, Line: line})
	}
	e.List = len(e.Values) > 1
}

func (t *translation) epochRange(m *modifier) {
	if m.number("start_epoch", 0) > 0 && !t.begun {
		m.fail(m.line, "start_epoch is after the start of the run")
	}
	m.needed("end_epoch")
}

// fromStart takes the epochs of a modifier that acts during the whole run.
func (t *translation) fromStart(m *modifier) {
	t.whole(m, m.number("start_epoch", -1), m.number("end_epoch", -1))
}

// whole reports a start or an end within the run.
func (t *translation) whole(m *modifier, start, end float64) {
	if start > 0 {
		m.fail(m.line, "start_epoch is %v, and what it does is done from the start of a run or not at all", start)
	}
	if end >= 0 && math.Ceil(end) < t.epochs {
		m.fail(m.line, "end_epoch is %v, and what it does is done until the end of a run, epoch %v, or not at all", end, t.epochs)
	}
}

func (t *translation) weightDecay(m *modifier) {
	m.refused("choose parameters by selectors, as in `weight-decay: {role:weight: 1e-4}`", "param_groups")
	m.unused("nothing is logged", "constant_logging", "log_types")
	t.fromStart(m)
	decay := m.needed("weight_decay")
	t.note(m.line, "%s: weights decay, biases and normalisation do not; '*=%s' is for all", m.name, number(decay))
	t.add("weight-decay", m.line, number(decay))
}

func (t *translation) trainable(m *modifier) {
	t.fromStart(m)
	strict, _ := m.boolean("params_strict", true)
	names, line := m.params("params")
	if len(names) == 0 {
		m.fail(line, "params is missing")
		return
	}
	names = slices.Clone(names)
	for i, name := range names {
		if name == prunable {
			names[i] = "role:weight"
		}
	}
	all := slices.Contains(names, "*")
	if !strict {
		names = []string{strings.Join(names, ",")}
	}
	trained, _ := m.boolean("trainable", true)
	switch {
	case trained && all:
		t.frozen = false
	case trained && t.frozen:
		t.add("train", line, names...)
	case trained:
		t.note(m.line, "%s: parameters are trained anyway", m.name)
	case all:
		t.frozen = true
	default:
		t.add("freeze", line, names...)
	}
}

func parseFloat(text string) (float64, error) {
	v, err := strconv.ParseFloat(text, 64)
	if err == nil && (math.IsNaN(v) || math.IsInf(v, 0)) {
		err = strconv.ErrRange
	}
	return v, err
}

// number is v with nine digits, more than what quotients of decimal numbers need
// to look like decimal numbers.
func number(v float64) string { return strconv.FormatFloat(v, 'g', 9, 64) }
