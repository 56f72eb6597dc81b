package recipe

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"finetune/internal/nearest"
)

// A SparseML recipe is lists of modifiers under names that end in modifiers, and
// variables beside them. A modifier acts from its start_epoch to its end_epoch.
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
	{"!ConstantPruningModifier", (*translation).constantPruning},
	{"!GMPruningModifier", (*translation).pruning},
	{"!MagnitudePruningModifier", (*translation).pruning},
	{"!GlobalMagnitudePruningModifier", (*translation).pruning},
	{"!RigLPruningModifier", (*translation).regrowth},
}

// translation is a SparseML recipe on its way to settings.
type translation struct {
	d         *document
	variables map[string]ast.Node
	steps     int     // of expressions, so far
	epochs    float64 // length of the run, to the end of the last modifier
	rates     []rate
	gradual   *gradual // the first modifier that prunes
	frozen    bool     // everything, until a modifier says otherwise
	entries   []Entry
	notes     []string
}

func isGroup(key string) bool { return key == "modifiers" || strings.HasSuffix(key, "_modifiers") }

// isSparseML reports whether d is a recipe of SparseML.
func (d *document) isSparseML() bool {
	return slices.ContainsFunc(d.root, func(p pair) bool { return isGroup(p.key) || strings.HasSuffix(p.key, "_stage") })
}

// translate reads d, a recipe of SparseML.
func translate(d *document) ([]Entry, []string, error) {
	t := &translation{d: d, variables: map[string]ast.Node{}}
	var list []*modifier
	for _, p := range d.root {
		if strings.HasSuffix(p.key, "_stage") {
			return nil, nil, d.fail(p.line, "%s: a recipe of stages is not read; make each a recipe", p.key)
		}
		if !isGroup(p.key) {
			t.variables[p.key] = p.value
			continue
		}
		items, ok, err := d.items(p.value)
		if err == nil && !ok {
			err = d.fail(p.line, "%s is not a list of !Modifiers", p.key)
		}
		for i := 0; err == nil && i < len(items); i++ {
			var m *modifier
			m, err = t.modifier(items[i])
			list = append(list, m)
		}
		if err != nil {
			return nil, nil, err
		}
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
	err := t.learningRates()
	return t.entries, t.notes, err
}

// modifier reads one element of a list of modifiers.
func (t *translation) modifier(n ast.Node) (*modifier, error) {
	at, err := t.d.follow(n)
	if err != nil {
		return nil, err
	}
	tag, ok := at.(*ast.TagNode)
	if !ok {
		return nil, t.d.fail(lineOf(n), "%s stands where a !Modifier is wanted", shapeOf(at))
	}
	m := &modifier{t: t, name: strings.TrimSuffix(tag.Start.Value, ":"), line: lineOf(tag)}
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
	t.epochs = max(t.epochs, m.number("start_epoch", -1), m.number("end_epoch", -1))
	m.fields, m.known = fields, nil
}

// resolve looks up what stands for something else: aliases, and eval(…).
func (t *translation) resolve(n ast.Node) (ast.Node, error) {
	for {
		at, err := t.d.follow(n)
		if err != nil {
			return nil, err
		}
		s, ok := at.(*ast.StringNode)
		if !ok {
			return at, nil
		}
		inner, found := strings.CutPrefix(s.Value, "eval(")
		inner, closed := strings.CutSuffix(inner, ")")
		if !found || !closed {
			return at, nil
		}
		if t.steps++; t.steps > mostSteps {
			return nil, fmt.Errorf("%s takes too long, or needs itself", s.Value)
		}
		if value := t.variables[strings.TrimSpace(inner)]; value != nil {
			n = value
			continue
		}
		v, err := expression{inner, t.variable, &t.steps}.result()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.Value, err)
		}
		// A number in the place of the text that it was.
		return &ast.StringNode{BaseNode: &ast.BaseNode{}, Token: s.Token, Value: number(v)}, nil
	}
}

// variable is the number that a name stands for.
func (t *translation) variable(name string) (float64, error) {
	n := t.variables[name]
	if n == nil {
		return 0, fmt.Errorf("there is no variable %s", name)
	}
	at, err := t.resolve(n)
	if err != nil {
		return 0, err
	}
	v, err := t.d.value(at, name)
	if err != nil {
		return 0, err
	}
	x, err := parseFloat(v.Text)
	if err != nil {
		return 0, fmt.Errorf("variable %s is %q, want a number", name, v.Text)
	}
	return x, nil
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
	if m.number("start_epoch", 0) > 0 {
		m.fail(m.line, "start_epoch is after the start of the run")
	}
	m.needed("end_epoch")
}

// fromStart takes the epochs of a modifier that acts during the whole run.
func (t *translation) fromStart(m *modifier) {
	if start := m.number("start_epoch", -1); start > 0 {
		m.fail(m.line, "start_epoch is %v, and what it does is done from the start of a run or not at all", start)
	}
	if end := m.number("end_epoch", -1); end >= 0 && math.Ceil(end) < t.epochs {
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
