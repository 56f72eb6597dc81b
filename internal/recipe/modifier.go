package recipe

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"finetune/internal/nearest"
)

// modifier is one of a SparseML recipe. Its fields are taken one by one, the first
// mistake is kept, and what is left in the end is a mistake too.
type modifier struct {
	t         *translation
	variables *variables
	name      string // with its !
	line      int
	fields    []pair
	known     []string // names of fields that were asked for
	err       error
}

func (m *modifier) fail(line int, format string, args ...any) {
	if m.err == nil {
		m.err = m.t.d.fail(line, "%s: %s", m.name, fmt.Sprintf(format, args...))
	}
}

// take returns a field, and where it stands.
func (m *modifier) take(key string) (n ast.Node, line int, ok bool) {
	m.known = append(m.known, key)
	for i, f := range m.fields {
		if f.key != key {
			continue
		}
		m.fields = slices.Delete(slices.Clone(m.fields), i, i+1)
		at, err := m.variables.resolve(f.value)
		if err != nil {
			m.fail(f.line, "%s: %v", key, err)
			return nil, f.line, false
		}
		return at, f.line, true
	}
	return nil, m.line, false
}

// value is a field with a single value.
func (m *modifier) value(key string) (v Value, ok bool) {
	n, line, ok := m.take(key)
	if !ok {
		return Value{Line: line}, false
	}
	v, err := m.t.d.value(n, m.name+": "+key)
	if err != nil && m.err == nil {
		m.err = err
	}
	v.Line = line
	return v, err == nil
}

// number is a field with a number.
func (m *modifier) number(key string, otherwise float64) float64 {
	v, ok := m.value(key)
	if !ok {
		return otherwise
	}
	x, err := parseFloat(v.Text)
	if err != nil {
		m.fail(v.Line, "%s is %q, want a number", key, v.Text)
	}
	return x
}

// needed is a field that has to be there.
func (m *modifier) needed(key string) float64 {
	if !slices.ContainsFunc(m.fields, func(f pair) bool { return f.key == key }) {
		m.fail(m.line, "%s is missing", key)
	}
	return m.number(key, 0)
}

func (m *modifier) text(key, otherwise string) (text string, line int) {
	v, ok := m.value(key)
	if !ok {
		return otherwise, v.Line
	}
	return v.Text, v.Line
}

func (m *modifier) boolean(key string, otherwise bool) (is bool, line int) {
	v, ok := m.value(key)
	if !ok {
		return otherwise, v.Line
	}
	if v.Kind != Bool {
		m.fail(v.Line, "%s is %q, want true or false", key, v.Text)
	}
	return strings.EqualFold(v.Text, "true"), v.Line
}

// unused takes fields that change nothing here.
func (m *modifier) unused(why string, keys ...string) {
	for _, key := range keys {
		if _, line, ok := m.take(key); ok {
			m.t.note(line, "%s: %s is left out: %s", m.name, key, why)
		}
	}
}

// refused takes fields that change something, and cannot here.
func (m *modifier) refused(why string, keys ...string) {
	for _, key := range keys {
		n, line, ok := m.take(key)
		if ok && n.Type() != ast.NullType {
			m.fail(line, "%s is not possible here: %s", key, why)
		}
	}
}

// done reports the first mistake, or a field that nobody asked for.
func (m *modifier) done() error {
	for _, f := range m.fields {
		text := ""
		if near := nearest.Names(f.key, m.known); len(near) > 0 {
			text = fmt.Sprintf("; did you mean %q?", near[0])
		}
		m.fail(f.line, "%s is not known%s", f.key, text)
	}
	return m.err
}

// params are the selectors of a list of parameters, as SparseML writes it: whole
// names, regular expressions after re: that match from the start of the name, and
// words for all. prunable stands for those that are pruned by default.
func (m *modifier) params(key string) (selectors []string, line int) {
	n, line, ok := m.take(key)
	if !ok {
		return nil, line
	}
	return m.selectors(n, key), line
}

const prunable = ""

func (m *modifier) selectors(n ast.Node, key string) (selectors []string) {
	items, many, err := m.t.d.items(n)
	if err != nil && m.err == nil {
		m.err = err
	}
	if !many {
		items = []ast.Node{n}
	}
	for _, item := range items {
		at, err := m.variables.resolve(item)
		if err != nil {
			m.fail(lineOf(item), "%s: %v", key, err)
			return nil
		}
		v, err := m.t.d.value(at, m.name+": "+key)
		if err != nil {
			if m.err == nil {
				m.err = err
			}
			return nil
		}
		switch pattern, isRegexp := strings.CutPrefix(v.Text, "re:"); {
		case v.Text == "__ALL__":
			selectors = append(selectors, "*")
		case v.Text == "__ALL_PRUNABLE__":
			selectors = append(selectors, prunable)
		case isRegexp:
			if _, err := regexp.Compile(pattern); err != nil {
				m.fail(v.Line, "%s: %q cannot be read: %v", key, v.Text, err)
			}
			selectors = append(selectors, "re:^(?:"+strings.ReplaceAll(pattern, ",", `\,`)+")")
		default:
			selectors = append(selectors, "name:"+globQuote.Replace(v.Text))
		}
	}
	return selectors
}

// globQuote makes a name a glob that matches it alone.
var globQuote = strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`, ",", `\,`)
