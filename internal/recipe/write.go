package recipe

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode"
)

// A Line is a setting to be written, with what there is to say about it.
type Line struct {
	Heading string // printed where it differs from that of the line before
	Key     string
	Texts   []string
	Bool    bool // true and false are no texts
	Comment string
	Off     bool // written as a comment
}

// Write writes lines as a recipe that [Parse] reads.
func Write(lines []Line) string {
	var b strings.Builder
	heading := ""
	for _, l := range lines {
		if l.Heading != heading {
			fmt.Fprintf(&b, "\n# %s\n", l.Heading)
			heading = l.Heading
		}
		off := ""
		if l.Off {
			off = "# "
		}
		if l.Comment != "" {
			fmt.Fprintf(&b, "# %s\n", strings.ReplaceAll(l.Comment, "\n", " "))
		}
		switch len(l.Texts) {
		case 0:
			fmt.Fprintf(&b, "%s%s: []\n", off, l.Key)
			continue
		case 1:
			fmt.Fprintf(&b, "%s%s: %s\n", off, l.Key, l.scalar(l.Texts[0]))
			continue
		}
		fmt.Fprintf(&b, "%s%s:\n", off, l.Key)
		for _, text := range l.Texts {
			fmt.Fprintf(&b, "%s  - %s\n", off, l.scalar(text))
		}
	}
	return strings.TrimPrefix(b.String(), "\n")
}

// bare is text that YAML takes as it is: it begins with a letter, a digit, a sign
// or a dot and has nothing in it that means something else.
var bare = regexp.MustCompile(`^[A-Za-z0-9.+-]*[A-Za-z0-9]([A-Za-z0-9_./=+*@,:-]*[A-Za-z0-9_*])?$`)

// words are bare, and no text.
var words = regexp.MustCompile(`(?i)^(true|false|null|yes|no|on|off|[+-]?\.(inf|nan)|---|\.\.\.)$`)

// scalar is text as YAML.
func (l Line) scalar(text string) string {
	if l.Bool {
		return text
	}
	if bare.MatchString(text) && !words.MatchString(text) {
		return text
	}
	if strings.IndexFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) >= 0 {
		return strconv.Quote(text)
	}
	return "'" + strings.ReplaceAll(text, "'", "''") + "'"
}
