package recipe

import (
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// gradual is what all modifiers that prune must have in common: there is one ramp,
// one pattern and one ranking in a run.
type gradual struct {
	begin, end         float64 // epochs
	shape, mask, score string
	global             bool
	often              float64
}

func (t *translation) pruning(m *modifier) {
	m.unused("nothing is logged", "log_types")
	g := gradual{begin: max(0, m.needed("start_epoch")), end: m.needed("end_epoch")}
	if g.end < g.begin {
		m.fail(m.line, "end_epoch is %v, want at least start_epoch, which is %v", g.end, g.begin)
	}
	g.shape, _ = m.text("inter_func", "cubic")
	g.mask = m.mask()
	g.score, _ = m.text("score_type", "magnitude")
	g.global, _ = m.boolean("global_sparsity", m.name == "!GlobalMagnitudePruningModifier")
	if stays, line := m.boolean("leave_enabled", true); !stays {
		m.fail(line, "leave_enabled is false, and weights that are pruned stay so")
	}
	if text, line := m.text("init_sparsity", "0"); text == "__FROM_PARAM__" {
		t.note(line, "%s: the curve begins at no zeros", m.name)
	} else if v, err := parseFloat(text); err != nil || v < 0 || v >= 1 {
		m.fail(line, "init_sparsity is %q, want 0 or more and less than 1", text)
	} else if v > 0 {
		t.note(line, "%s: the curve begins at no zeros, not at init_sparsity", m.name)
	}
	often := m.number("update_frequency", -1)
	if often > 0 {
		g.often = often
	}
	t.targets(m)
	if m.err != nil {
		return
	}
	if t.gradual != nil {
		if *t.gradual != g {
			m.fail(m.line, "epochs, update_frequency, inter_func, mask_type, score_type and global_sparsity have to be those of the other modifiers that prune")
		}
		return
	}
	t.gradual = &g
	t.ramp(m, g)
}

// targets reads which parameters lose how much: final_sparsity of params, or a map
// from sparsities to params.
func (t *translation) targets(m *modifier) {
	final, line, ok := m.take("final_sparsity")
	if !ok {
		m.fail(line, "final_sparsity is missing")
		return
	}
	selectors, at := m.params("params")
	if _, isMap := final.(ast.MapNode); !isMap {
		v, err := t.d.value(final, m.name+": final_sparsity")
		if err != nil {
			m.fail(line, "final_sparsity is not a number")
			return
		}
		if len(selectors) == 0 {
			m.fail(at, "params is missing")
		}
		t.sparsity(m, v.Text, line, selectors)
		return
	}
	if len(selectors) > 0 {
		m.fail(at, "params and the params in final_sparsity exclude each other")
	}
	pairs, err := t.d.pairs(final, m.name+": final_sparsity")
	if err != nil && m.err == nil {
		m.err = err
	}
	for _, p := range pairs {
		t.sparsity(m, p.key, p.line, m.selectors(p.value, "final_sparsity"))
	}
}

func (t *translation) sparsity(m *modifier, text string, line int, selectors []string) {
	v, err := parseFloat(text)
	if err != nil || v < 0 || v >= 1 {
		m.fail(line, "final_sparsity is %q, want 0 or more and less than 1", text)
		return
	}
	for _, s := range selectors {
		if s != prunable {
			s += "="
		}
		t.add("sparsity", line, s+number(v))
	}
}

// ramp says when, and what goes together.
func (t *translation) ramp(m *modifier, g gradual) {
	t.add("prune-begin", m.line, number(g.begin/t.epochs))
	t.add("prune-end", m.line, number(g.end/t.epochs))
	switch g.shape {
	case "cubic":
	case "linear":
		t.add("prune-schedule", m.line, "linear")
	case "inverse_cubic":
		t.add("prune-schedule", m.line, "polynomial:power=0.333333333")
	default:
		m.fail(m.line, "inter_func is %q, want linear, cubic or inverse_cubic", g.shape)
	}
	if g.often > 0 {
		t.note(m.line, "%s: update_frequency is left out: weights are pruned at each hundredth of a run", m.name)
	}
	if g.global {
		t.add("global", m.line, "true")
	}
	switch g.score {
	case "magnitude":
	case "movement":
		t.note(m.line, "%s: movement is Σ|w·g| here, not Σ−w·g", m.name)
		t.add("prune-score", m.line, "movement")
	default:
		m.fail(m.line, "score_type is %q, want magnitude or movement", g.score)
	}
	switch mask := g.mask; {
	case mask == "unstructured":
	case mask == "block" || mask == "block4":
		t.note(m.line, "%s: blocks of four lie along all axes of a weight but the first, the last of them first", m.name)
		t.add("prune-pattern", m.line, "1x4")
	case mask == "filter":
		t.add("prune-pattern", m.line, "filters")
	case pattern.MatchString(mask):
		t.add("prune-pattern", m.line, mask)
	default:
		m.fail(m.line, "mask_type is %q, want unstructured, block4, filter, N:M such as 2:4, or [1, 4]", g.mask)
	}
}

// pattern is N of M, or a block.
var pattern = regexp.MustCompile(`^\d+[:x]\d+$`)

// constantPruning keeps the zeros that a model comes with, in all of its weights:
// what a model has is kept as a whole or not at all.
func (t *translation) constantPruning(m *modifier) {
	t.fromStart(m)
	m.unused("the zeros stay as they are", "update_frequency", "log_types")
	names, line := m.params("params")
	if len(names) == 0 {
		m.fail(line, "params is missing")
		return
	}
	if !slices.Contains(names, prunable) && !slices.Contains(names, "*") {
		t.note(line, "%s: zeros are kept in all weights, not in these alone", m.name)
	}
	if !slices.ContainsFunc(t.entries, func(e Entry) bool { return e.Key == "keep-zeros" }) {
		t.add("keep-zeros", m.line, "true")
	}
}

// mask is the field mask_type: a word, N:M, or a block as a list of two sizes.
func (m *modifier) mask() string {
	n, _, ok := m.take("mask_type")
	if !ok {
		return "unstructured"
	}
	items, many, err := m.t.d.items(n)
	if !many {
		items = []ast.Node{n}
	}
	var texts []string
	for _, item := range items {
		var v Value
		if err == nil {
			v, err = m.t.d.value(item, m.name+": mask_type")
		}
		texts = append(texts, v.Text)
	}
	if err != nil && m.err == nil {
		m.err = err
	}
	return strings.Join(texts, "x")
}
