// Package nearest finds what a person may have meant: the names closest to one
// that does not exist.
package nearest

import (
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"
)

// Names is at most three of have, closest to want first: names that contain it
// or are contained in it, and names within about a third of its letters by edit
// distance, so that two letters may trade places in one of five.
func Names(want string, have []string) []string {
	low := strings.ToLower(want)
	var related []string
	for _, name := range have {
		other := strings.ToLower(name)
		contains := len(low) > 2 && (strings.Contains(other, low) || len(other) > 2 && strings.Contains(low, other))
		if contains || 3*levenshtein.ComputeDistance(low, other) <= max(len(low), len(other))+1 {
			related = append(related, name)
		}
	}
	return Closest(want, related, 3)
}

// Closest is the n of have that the fewest edits lead to from want, each once,
// closest first. Wildcards in want, * and ?, cost nothing, and neither does / in
// place of a dot. Empty names are left out.
func Closest(want string, have []string, n int) []string {
	want = strings.ToLower(strings.NewReplacer("*", "", "?", "", "/", ".").Replace(want))
	distance := make(map[string]int)
	var distinct []string
	for _, name := range have {
		if _, seen := distance[name]; seen || name == "" {
			continue
		}
		distance[name] = levenshtein.ComputeDistance(want, strings.ToLower(strings.ReplaceAll(name, "/", ".")))
		distinct = append(distinct, name)
	}
	slices.SortStableFunc(distinct, func(a, b string) int { return distance[a] - distance[b] })
	return distinct[:min(n, len(distinct))]
}
