package recipe

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

// texts are the values of each entry, joined.
func texts(t *testing.T, path, text string) string {
	t.Helper()
	r, err := Parse(path, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, e := range r.Entries {
		var values []string
		for _, v := range e.Values {
			values = append(values, v.Text)
		}
		list = append(list, e.Key+" "+strings.Join(values, " "))
	}
	return strings.Join(list, "\n")
}

func TestParse(t *testing.T) {
	got := texts(t, "a.yaml", `
epochs: &five 5
batch: *five
scale: 1/255
lr: 1e-5@linear:from=0,to=1
l1:
  - 1e-5
  - layer:fc*: 1e-4
  - role:bias=1e-6
sparsity: {'role:weight': .5, conv: 0.25}
freeze: ["re:a,b", 'it''s']
nesterov: True
clip-norm: .inf
drop: []
`)
	want := `epochs 5
batch 5
scale 1/255
lr 1e-5@linear:from=0,to=1
l1 1e-5 layer:fc*=1e-4 role:bias=1e-6
sparsity role:weight=.5 conv=0.25
freeze re:a,b it's
nesterov True
clip-norm inf
drop `
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestKinds(t *testing.T) {
	r, err := Parse("a.yaml", []byte("a: [1, 1e-5, 0x10, -.5, \"1\", yes, false, 2:4, .nan]"))
	if err != nil {
		t.Fatal(err)
	}
	var got []Kind
	for _, v := range r.Entries[0].Values {
		got = append(got, v.Kind)
	}
	want := []Kind{Number, Number, Number, Number, Text, Text, Bool, Text, Number}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestMistakes(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"", "r.yaml: is empty"},
		{"# nothing\n", "r.yaml: is empty"},
		{"a: 1\nb:\n", "r.yaml:2: b has no value"},
		{"a: 1\na: 2\n", "r.yaml:2: cannot be read as YAML: mapping key \"a\" already defined at [1:1]"},
		{"a: [1\n", "r.yaml:1: cannot be read as YAML: sequence end token ']' not found"},
		{"- a\n- b\n", "r.yaml:1: a recipe is a map of names to values, not a list"},
		{"a: 1\n---\nb: 2\n", "r.yaml:3: a second document begins; a recipe is one"},
		{"a: [[1]]\n", "r.yaml:1: a is a list, want a value"},
		{"a:\n  b:\n    c: 1\n", "r.yaml:3: a, b is a map, want a value"},
		{"a: !!float 1\n", "r.yaml:1: a is a !!float, want a value"},
		{"a: *b\n", "r.yaml:1: alias *b has no anchor &b"},
		{"a: {role:weight: 1}\n", "r.yaml:1: a: a name with a colon in it wants quotes here"},
		{"a: \x00", "r.yaml: is no text"},
		{"a: \xff", "r.yaml: is no text"},
	} {
		_, err := Parse("r.yaml", []byte(c.text))
		if err == nil || err.Error() != c.want {
			t.Errorf("%q: got %v, want %s", c.text, err, c.want)
		}
	}
}

// TestHostile reads files made to take all memory, stack or time.
func TestHostile(t *testing.T) {
	bomb := "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
	for i := 1; i < 20; i++ {
		bomb += fmt.Sprintf("a%d: &a%d [%s*a%d]\n", i, i, strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 8), i-1)
	}
	for name, text := range map[string]string{
		"size":        strings.Repeat("a", mostBytes+1),
		"brackets":    "a: " + strings.Repeat("[", 60000),
		"braces":      strings.Repeat("{a: ", 16000),
		"dashes":      strings.Repeat("- ", 30000),
		"questions":   strings.Repeat("? ", 30000),
		"colons":      strings.Repeat("a: ", 20000),
		"tags":        "a: " + strings.Repeat("!a ", 20000),
		"lines":       "a:\n" + strings.Repeat(" !a\n", 15000) + " - b",
		"indentation": deep(300),
		"aliases":     bomb,
		"cycle":       "a: &a *a\n",
		"list":        "a: &a [*a]\n",
		"many":        "a: &a 1\nb: [" + strings.Repeat("*a,", 2000) + "]",
		"variables":   doubling(),
		"variable":    "x: eval(x)\nmodifiers:\n - !EpochRangeModifier {end_epoch: eval(x)}",
		"formula":     "modifiers:\n - !EpochRangeModifier {end_epoch: eval(" + strings.Repeat("(", 50000) + ")}",
		"minus":       "modifiers:\n - !EpochRangeModifier {end_epoch: eval(" + strings.Repeat("-", 50000) + "1)}",
	} {
		start := time.Now()
		_, err := Parse("r.yaml", []byte(text))
		if _, ok := errors.AsType[*Error](err); !ok {
			t.Errorf("%s: got %v, want an Error", name, err)
		}
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("%s: took %v", name, took)
		}
	}
}

func deep(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.Repeat(" ", i) + "a:\n")
	}
	return b.String()
}

// doubling is a variable of 2³⁰ terms.
func doubling() string {
	text := "x0: 1\n"
	for i := 1; i <= 30; i++ {
		text += fmt.Sprintf("x%d: eval(x%d + x%d)\n", i, i-1, i-1)
	}
	return text + "modifiers:\n - !EpochRangeModifier {end_epoch: eval(x30)}"
}

// TestWriteIsRead writes texts of all kinds and reads them back.
func TestWriteIsRead(t *testing.T) {
	all := []string{
		"1e-5", "layer:fc*=1e-4", "re:^(?:a|b\\.c){1\\,2}$=0.5", "*=1e-4", "!role:bias", "true", "Null", "~", "yes", "-", "--", "---",
		"it's", `"quoted"`, "a: b", "a #b", "#a", " a ", "", "&a", "@cosine", "a,b", "[a]", "{a}", "%a", "ä…", "a\nb", "tab\t", "2:4", "1/255",
		"0x10", ".inf", "inf", "nan", "1.", "a:", "? a", "|", ">", "`a`", "=", "<<", "1ep", "0.5@linear:from=0,to=1", "\u0085", "\u2028", "😀", "\\", "eval(a)",
	}
	for _, text := range all {
		written := Write([]Line{
			{Heading: "One", Key: "off", Texts: []string{"1"}, Off: true, Comment: "what: is #left\nout"},
			{Heading: "One", Key: "a", Texts: []string{text}, Comment: "one"},
			{Heading: "Two", Key: "b", Texts: []string{text, "x", text}},
		})
		r, err := Parse("r.yaml", []byte(written))
		if err != nil {
			t.Errorf("%q: %v in\n%s", text, err, written)
			continue
		}
		if len(r.Entries) != 2 || len(r.Entries[1].Values) != 3 {
			t.Errorf("%q: got %v from\n%s", text, r.Entries, written)
			continue
		}
		for _, v := range []Value{r.Entries[0].Values[0], r.Entries[1].Values[0], r.Entries[1].Values[2]} {
			if v.Text != text || v.Kind == Bool {
				t.Errorf("got %q, %s, want %q from\n%s", v.Text, v.Kind, text, written)
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("a: 1\nb: [x, {y: 2}]\nc: &d e\nf: *d\n")
	f.Add(sample)
	f.Fuzz(func(t *testing.T, text string) {
		_, err := Parse("r.yaml", []byte(text))
		if _, ok := errors.AsType[*Error](err); err != nil && !ok {
			t.Errorf("got %T, want an Error", err)
		}
	})
}
