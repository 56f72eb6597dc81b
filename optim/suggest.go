package optim

import (
	"fmt"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"
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
		hints = append(hints, p.nearest(params)...)
	}
	if len(hints) == 0 {
		return fmt.Errorf("selector %q selects none of the %d parameters: it excludes all", s, len(params))
	}
	return fmt.Errorf("selector %q selects none of the %d parameters; nearest: %s", s, len(params), strings.Join(hints, ", "))
}

// nearest lists up to three selector parts like p that do match something.
func (p part) nearest(params []*Param) []string {
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
	return quoteAll(prefix, nearest(p.want, values, 3))
}

// nearest orders the distinct values by how few edits lead to them from text,
// whose wildcards cost nothing, and returns the first n.
func nearest(text string, values []string, n int) []string {
	text = strings.ToLower(strings.NewReplacer("*", "", "?", "", "/", ".").Replace(text))
	distance := make(map[string]int)
	var distinct []string
	for _, v := range values {
		if _, seen := distance[v]; seen || v == "" {
			continue
		}
		distance[v] = levenshtein.ComputeDistance(text, strings.ToLower(strings.ReplaceAll(v, "/", ".")))
		distinct = append(distinct, v)
	}
	slices.SortStableFunc(distinct, func(a, b string) int { return distance[a] - distance[b] })
	return distinct[:min(n, len(distinct))]
}

func quoteAll(prefix string, values []string) []string {
	for i, v := range values {
		values[i] = fmt.Sprintf("%q", prefix+v)
	}
	return values
}
