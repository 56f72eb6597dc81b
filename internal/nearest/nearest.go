// Package nearest finds what a person may have meant: the names closest to one
// that does not exist.
package nearest

import (
	"cmp"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"
)

// Names is at most three of have, closest to want first: names that contain it
// or are contained in it, and names within about a third of its letters by edit
// distance, so that two letters may trade places in one of five.
func Names(want string, have []string) []string {
	type candidate struct {
		name string
		cost int
	}
	var found []candidate
	low := strings.ToLower(want)
	for _, name := range have {
		other := strings.ToLower(name)
		cost := levenshtein.ComputeDistance(low, other)
		related := len(low) > 2 && (strings.Contains(other, low) || len(other) > 2 && strings.Contains(low, other))
		if related || 3*cost <= max(len(low), len(other))+1 {
			found = append(found, candidate{name, cost})
		}
	}
	slices.SortStableFunc(found, func(a, b candidate) int { return cmp.Compare(a.cost, b.cost) })
	var names []string
	for _, c := range found[:min(3, len(found))] {
		names = append(names, c.name)
	}
	return names
}
