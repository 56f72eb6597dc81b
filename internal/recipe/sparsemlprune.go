package recipe

import (
	"math"
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
	global, kernel     bool
	often              float64
	regrow             float64 // share of the weights left, of RigL; 0 is no regrowth
}

func (t *translation) pruning(m *modifier) {
	g := m.gradual()
	g.shape, _ = m.text("inter_func", "cubic")
	g.mask = m.mask()
	g.score, _ = m.text("score_type", "magnitude")
	g.global, _ = m.boolean("global_sparsity", m.name == "!GlobalMagnitudePruningModifier")
	if text, line := m.text("init_sparsity", "0"); text == "__FROM_PARAM__" {
		t.note(line, "%s: the curve begins at no zeros", m.name)
	} else if v, err := parseFloat(text); err != nil || v < 0 || v >= 1 {
		m.fail(line, "init_sparsity is %q, want 0 or more and less than 1", text)
	} else if v > 0 {
		t.note(line, "%s: the curve begins at no zeros, not at init_sparsity", m.name)
	}
	t.prune(m, g, "final_sparsity")
}

// regrowth is RigL. Its sparsity rises from (1 − f)·s to s, with the fraction f that
// is exchanged at first: along a cosine there, along a line here.
func (t *translation) regrowth(m *modifier) {
	g := m.gradual()
	m.unused("the course is always that of RigL", "inter_func")
	if g.mask = m.mask(); g.mask != "unstructured" {
		m.fail(m.line, "mask_type is %q, want unstructured", g.mask)
	}
	g.shape, g.score = "RigL's", "magnitude"
	all, _ := m.boolean("global_sparsity", true)
	strategy, line := m.text("sparsity_strategy", "erdos_renyi_kernel")
	switch {
	case strategy == "uniform" && !all:
	case strategy == "erdos_renyi" && all:
		t.note(line, "%s: densities are those of erdos_renyi_kernel, by all axes", m.name)
		g.kernel = true
	case strategy == "erdos_renyi_kernel" && all:
		g.kernel = true
	default:
		m.fail(line, "sparsity_strategy is %q, want uniform without global_sparsity, erdos_renyi or erdos_renyi_kernel with it", strategy)
	}
	if g.regrow = m.number("init_update_fraction", 0.3); !(g.regrow > 0 && g.regrow < 1) {
		m.fail(m.line, "init_update_fraction is %v, want more than 0 and less than 1", g.regrow)
	}
	t.prune(m, g, "sparsity")
}

// gradual reads what all modifiers that prune have.
func (m *modifier) gradual() gradual {
	m.unused("nothing is logged", "log_types")
	g := gradual{begin: max(0, m.needed("start_epoch")), end: m.needed("end_epoch"), often: max(0, m.number("update_frequency", -1))}
	if g.end < g.begin {
		m.fail(m.line, "end_epoch is %v, want at least start_epoch, which is %v", g.end, g.begin)
	}
	if stays, line := m.boolean("leave_enabled", true); !stays && math.Ceil(g.end) < m.t.epochs {
		m.fail(line, "leave_enabled is false, and weights that are pruned stay so, here until epoch %s: end the run with epoch %s, and go on from the model that it writes with a recipe that does not prune",
			number(m.t.epochs), number(g.end))
	}
	return g
}

// differs is the first field of SparseML's in which g is not like first, and both
// values; update_frequency is none, for it has no bearing.
func (first gradual) differs(g gradual) (field string, own, others any) {
	for _, f := range []struct {
		name        string
		own, others any
	}{
		{"start_epoch", g.begin, first.begin}, {"end_epoch", g.end, first.end}, {"inter_func", g.shape, first.shape},
		{"mask_type", g.mask, first.mask}, {"score_type", g.score, first.score}, {"global_sparsity", g.global, first.global},
		{"sparsity_strategy by shape", g.kernel, first.kernel}, {"init_update_fraction", g.regrow, first.regrow},
	} {
		if f.own != f.others {
			return f.name, f.own, f.others
		}
	}
	return "", nil, nil
}

// prune says what goes, a share under the key of the modifier, and how.
func (t *translation) prune(m *modifier, g gradual, key string) {
	t.targets(m, key)
	if m.err != nil {
		return
	}
	if t.gradual == nil {
		t.gradual, t.pruner = &g, m
		t.ramp(m, g)
		return
	}
	if what, own, others := t.gradual.differs(g); what != "" {
		m.fail(m.line, "%s is %v, and %v in %s of line %d: what is pruned in one run is pruned by one course and one rule; make them equal, or prune one after the other, each run going on from the model of the one before with `keep-zeros: true`",
			what, own, others, t.pruner.name, t.pruner.line)
	}
}

// targets reads which parameters lose how much: a share of params, or a map from
// shares to params.
func (t *translation) targets(m *modifier, key string) {
	final, line, ok := m.take(key)
	if !ok {
		m.fail(line, "%s is missing", key)
		return
	}
	selectors, at := m.params("params")
	if _, isMap := final.(ast.MapNode); !isMap {
		v, err := t.d.value(final, m.name+": "+key)
		if err != nil {
			m.fail(line, "%s is not a number", key)
			return
		}
		if len(selectors) == 0 {
			m.fail(at, "params is missing")
		}
		t.sparsity(m, key, v.Text, line, selectors)
		return
	}
	if len(selectors) > 0 {
		m.fail(at, "params and the params in %s exclude each other", key)
	}
	pairs, err := t.d.pairs(final, m.name+": "+key)
	if err != nil && m.err == nil {
		m.err = err
	}
	for _, p := range pairs {
		t.sparsity(m, key, p.key, p.line, m.selectors(p.value, key))
	}
}

func (t *translation) sparsity(m *modifier, key, text string, line int, selectors []string) {
	v, err := parseFloat(text)
	if err != nil || v < 0 || v >= 1 {
		m.fail(line, "%s is %q, want 0 or more and less than 1", key, text)
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
	switch {
	case g.regrow > 0:
		t.add("prune-schedule", m.line, "linear:from="+number(g.regrow))
		t.add("regrow", m.line, "rigl")
		t.add("regrow-fraction", m.line, number(g.regrow))
	case g.shape == "cubic":
	case g.shape == "linear":
		t.add("prune-schedule", m.line, "linear")
	case g.shape == "inverse_cubic":
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
	if g.kernel {
		t.add("erdos-renyi", m.line, "true")
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
	m.unused("the zeros stay as they are", "update_frequency", "log_types")
	names, line := m.params("params")
	if len(names) == 0 {
		m.fail(line, "params is missing")
		return
	}
	start, end := m.number("start_epoch", -1), m.number("end_epoch", -1)
	if start > 0 && t.gradual != nil && start >= t.gradual.end {
		t.note(m.line, "%s: what %s of line %d has pruned stays so", m.name, t.pruner.name, t.pruner.line)
		return
	}
	t.whole(m, start, end)
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
