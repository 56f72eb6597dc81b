package recipe

import (
	"fmt"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// variables are names that expressions of a SparseML recipe know: those of the whole
// and those of a stage.
type variables struct {
	t      *translation
	values map[string]ast.Node
}

// resolve looks up what stands for something else: aliases, and eval(…).
func (v *variables) resolve(n ast.Node) (ast.Node, error) {
	for {
		at, err := v.t.d.follow(n)
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
		if v.t.steps++; v.t.steps > mostSteps {
			return nil, fmt.Errorf("%s takes too long, or needs itself", s.Value)
		}
		if value := v.values[strings.TrimSpace(inner)]; value != nil {
			n = value
			continue
		}
		x, err := expression{inner, v.number, &v.t.steps}.result()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.Value, err)
		}
		// A number in the place of the text that it was.
		return &ast.StringNode{BaseNode: &ast.BaseNode{}, Token: s.Token, Value: number(x)}, nil
	}
}

// number is the number that a name stands for.
func (v *variables) number(name string) (float64, error) {
	n := v.values[name]
	if n == nil {
		return 0, fmt.Errorf("there is no variable %s", name)
	}
	at, err := v.resolve(n)
	if err != nil {
		return 0, err
	}
	text, err := v.t.d.value(at, name)
	if err != nil {
		return 0, err
	}
	x, err := parseFloat(text.Text)
	if err != nil {
		return 0, fmt.Errorf("variable %s is %q, want a number", name, text.Text)
	}
	return x, nil
}
