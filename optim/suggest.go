package optim

import (
	"fmt"
	"slices"
	"strings"

	"finetune/internal/nearest"
)

// Check reports as an error that s selects none of params, with the nearest
// names that it could have meant.
func (s Selector) Check(params []*Param) error {
	if slices.ContainsFunc(params, s.Match) {
		return nil
	}
	if len(params) == 0 {
		return fmt.Errorf("selector %q: there are no parameters to select from", s)
	}
	var hints []string
	for _, p := range s.parts {
		if p.not {
			continue
		}
		if slices.ContainsFunc(params, p.match) {
			return fmt.Errorf("selector %q selects none of the %d parameters: its ! parts exclude all that the others match", s, len(params))
		}
		hints = append(hints, p.suggestions(params)...)
	}
	if len(hints) == 0 {
		return fmt.Errorf("selector %q selects none of the %d parameters: it excludes all", s, len(params))
	}
	return fmt.Errorf("selector %q selects none of the %d parameters; nearest: %s", s, len(params), strings.Join(hints, ", "))
}

// suggestions lists up to three selector parts like p that do match something.
func (p part) suggestions(params []*Param) []string {
	prefix := p.key + ":"
	var values []string
	for _, q := range params {
		switch p.key {
		case "role":
			values = append(values, string(q.Role))
		case "op":
			values = append(values, q.Op)
		case "layer":
			values = append(values, q.Layer)
		case "rank":
			values = append(values, fmt.Sprint(q.Rank()))
		default:
			prefix = ""
			values = append(values, q.Name)
		}
	}
	return quoteAll(prefix, nearest.Closest(p.want, values, 3))
}

func quoteAll(prefix string, values []string) []string {
	for i, v := range values {
		values[i] = fmt.Sprintf("%q", prefix+v)
	}
	return values
}
