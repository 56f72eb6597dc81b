package optim

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Selector picks parameters. Written out, it is a list of parts joined by
// commas. A part is one of
//
//	PATTERN         the name matches the glob: features.*.weight
//	name:PATTERN    the same, for names that look like something else
//	re:REGEXP       the regular expression (Go's RE2) matches somewhere in the name
//	role:PATTERN    the role: weight, bias, scale, shift, …; case does not matter
//	op:PATTERN      the operator that reads it: Conv, Gemm, …; case does not matter
//	layer:PATTERN   the node that reads it; a leading / of its name may be left out
//	rank:N          the number of axes; also rank:>N and rank:<N
//
// and a part after ! excludes what it matches. A parameter is selected when at
// least one part without ! matches it and no part with ! does; a selector of
// exclusions only selects everything else. The order of the parts is of no
// account: role:weight,!layer:fc* is every weight outside the layers fc*.
//
// A glob must match the whole text. * stands for any characters, dots and
// slashes too, ? for one, [abc], [a-z] and [!a-z] for one of a set, and \
// makes the next character stand for itself. A comma inside a part is \, also
// in a regular expression: re:a{1\,3}.
//
// The zero Selector selects everything; in a [Setting] it stands for whatever
// is usual where the setting is used.
type Selector struct {
	text  string
	parts []part
}

// part is one piece of a selector.
type part struct {
	not   bool
	key   string // "name", "re", "role", "op", "layer" or "rank"
	want  string // as written, after the key
	match func(*Param) bool
}

// ParseSelector reads a selector as [Selector] describes it.
func ParseSelector(text string) (Selector, error) {
	s := Selector{text: text}
	for _, piece := range splitParts(text) {
		p, err := parsePart(piece)
		if err != nil {
			return Selector{}, fmt.Errorf("selector %q: %w", text, err)
		}
		s.parts = append(s.parts, p)
	}
	return s, nil
}

// MustSelector is ParseSelector for selectors written in a program.
func MustSelector(text string) Selector {
	s, err := ParseSelector(text)
	if err != nil {
		panic("optim: " + err.Error())
	}
	return s
}

// String is the selector as it was written.
func (s Selector) String() string { return s.text }

// IsZero reports whether s is the zero Selector.
func (s Selector) IsZero() bool { return len(s.parts) == 0 }

// Match reports whether s selects p.
func (s Selector) Match(p *Param) bool {
	wanted, onlyNot := false, true
	for _, part := range s.parts {
		if part.not {
			if part.match(p) {
				return false
			}
			continue
		}
		onlyNot = false
		wanted = wanted || part.match(p)
	}
	return wanted || onlyNot
}

// names reports whether s selects p by its role, by its whole name, or with all
// others by *, so that p is meant in any case.
func (s Selector) names(p *Param) bool {
	return s.Match(p) && slices.ContainsFunc(s.parts, func(part part) bool {
		return !part.not && (part.key == "role" || part.key == "name" && (part.want == p.Name || part.want == "*")) && part.match(p)
	})
}

// splitParts cuts at the commas that no backslash precedes. Backslashes stay,
// except those before a comma.
func splitParts(text string) []string {
	var parts []string
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\' && i+1 < len(text):
			i++
			if text[i] != ',' {
				b.WriteByte(c)
			}
			b.WriteByte(text[i])
		case c == ',':
			parts = append(parts, b.String())
			b.Reset()
		default:
			b.WriteByte(c)
		}
	}
	return append(parts, b.String())
}

func parsePart(text string) (part, error) {
	p := part{key: "name"}
	p.want, p.not = strings.CutPrefix(strings.TrimSpace(text), "!")
	key, rest, found := strings.Cut(p.want, ":")
	if found && slices.Contains(selectorKeys, key) {
		p.key, p.want = key, rest
	}
	if p.want == "" {
		return part{}, fmt.Errorf("empty part %q", text)
	}
	var err error
	p.match, err = matcher(p.key, p.want)
	return p, err
}

var selectorKeys = []string{"name", "re", "role", "op", "layer", "rank"}

func matcher(key, want string) (func(*Param) bool, error) {
	switch key {
	case "re":
		re, err := regexp.Compile(want)
		if err != nil {
			return nil, err
		}
		return func(p *Param) bool { return re.MatchString(p.Name) }, nil
	case "rank":
		return rankMatcher(want)
	case "role", "op":
		re, err := glob("(?i)", want)
		if err != nil {
			return nil, err
		}
		if key == "op" {
			return func(p *Param) bool { return re.MatchString(p.Op) }, nil
		}
		if !slices.ContainsFunc(Roles, func(r Role) bool { return re.MatchString(string(r)) }) {
			return nil, fmt.Errorf("no role %q; the roles are %s", want, joinRoles())
		}
		return func(p *Param) bool { return re.MatchString(string(p.Role)) }, nil
	}
	re, err := glob("", want)
	if err != nil {
		return nil, err
	}
	if key == "layer" {
		return func(p *Param) bool {
			return re.MatchString(p.Layer) || re.MatchString(strings.TrimPrefix(p.Layer, "/"))
		}, nil
	}
	return func(p *Param) bool { return re.MatchString(p.Name) }, nil
}

func rankMatcher(want string) (func(*Param) bool, error) {
	number := strings.TrimLeft(want, "<>")
	n, err := strconv.Atoi(number)
	if err != nil || n < 0 || len(want)-len(number) > 1 {
		return nil, fmt.Errorf("rank %q is not N, >N or <N", want)
	}
	switch want[0] {
	case '>':
		return func(p *Param) bool { return p.Rank() > n }, nil
	case '<':
		return func(p *Param) bool { return p.Rank() < n }, nil
	}
	return func(p *Param) bool { return p.Rank() == n }, nil
}

// glob translates a glob into a regular expression for the whole text.
func glob(flags, pattern string) (*regexp.Regexp, error) {
	if _, err := path.Match(strings.ReplaceAll(pattern, "[!", "[^"), ""); err != nil {
		return nil, fmt.Errorf("glob %q: unfinished [set] or \\", pattern)
	}
	var b strings.Builder
	b.WriteString(`(?s)` + flags + `\A`)
	for i := 0; i < len(pattern); i++ {
		switch c := pattern[i]; c {
		case '*':
			b.WriteString(".*")
		case '?':
			b.WriteByte('.')
		case '\\':
			i++
			b.WriteString(regexp.QuoteMeta(pattern[i : i+1]))
		case '[':
			n := setLen(pattern[i:])
			set := pattern[i+1 : i+n-1]
			if not, ok := strings.CutPrefix(set, "!"); ok {
				set = "^" + not
			}
			b.WriteString("[" + strings.ReplaceAll(set, "[", `\[`) + "]")
			i += n - 1
		default:
			b.WriteString(regexp.QuoteMeta(pattern[i : i+1]))
		}
	}
	re, err := regexp.Compile(b.String() + `\z`)
	if err != nil {
		return nil, fmt.Errorf("glob %q: bad [set]", pattern)
	}
	return re, nil
}

// setLen is the length of the [set] that text starts with.
func setLen(text string) int {
	for i := 2; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case ']':
			return i + 1
		}
	}
	return len(text)
}

func joinRoles() string {
	var names []string
	for _, r := range Roles {
		names = append(names, string(r))
	}
	return strings.Join(names, ", ")
}
