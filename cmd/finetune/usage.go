package main

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/spf13/pflag"

	"finetune/internal/nearest"
)

// headingOf is the key under which a flag notes its heading on the help page.
const headingOf = "heading"

// heading puts the flags that have been added since the last heading under one.
func heading(flags *pflag.FlagSet, title string) {
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Annotations == nil {
			f.Annotations = map[string][]string{headingOf: {title}}
		}
	})
}

// showDefault makes the help page show a default that the flag's value does not
// hold, because another package fills it in.
func showDefault(flags *pflag.FlagSet, name, value string) { flags.Lookup(name).DefValue = value }

const (
	pageWidth   = 80
	usageColumn = 28 // where the description of a flag begins
)

// flagUsages is the part of a help page that lists the flags, by heading.
func flagUsages(flags *pflag.FlagSet) string {
	var titles []string
	lines := map[string]*strings.Builder{}
	flags.VisitAll(func(f *pflag.Flag) {
		title := f.Annotations[headingOf][0]
		if lines[title] == nil {
			titles = append(titles, title)
			lines[title] = new(strings.Builder)
		}
		lines[title].WriteString(flagUsage(f))
	})
	var b strings.Builder
	for _, title := range titles {
		fmt.Fprintf(&b, "\n%s:\n%s", title, lines[title])
	}
	return b.String()
}

// flagUsage is what the help page says of one flag.
func flagUsage(f *pflag.Flag) string {
	argument, usage := pflag.UnquoteUsage(f)
	usage = strings.TrimPrefix(usage, argument+": ")
	name := "  --" + f.Name
	if f.Shorthand != "" {
		name = "  -" + f.Shorthand + ", --" + f.Name
	}
	if f.NoOptDefVal == "" {
		name += " " + argument
	}
	switch f.DefValue {
	case "", "0", "[]", "false":
	default:
		usage += " (default " + strings.TrimSuffix(f.DefValue, "0s") + ")"
	}
	indent := "\n" + strings.Repeat(" ", usageColumn)
	text := strings.Join(wrap(usage, pageWidth-usageColumn), indent)
	if len(name) > usageColumn-2 {
		return name + indent + text + "\n"
	}
	return fmt.Sprintf("%-*s%s\n", usageColumn, name, text)
}

// wrap breaks text into lines of at most width characters.
func wrap(text string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && utf8.RuneCountInString(line+" "+word) > width {
			lines = append(lines, line)
			line = ""
		}
		line = strings.TrimPrefix(line+" "+word, " ")
	}
	return append(lines, line)
}

// flagError turns pflag's complaint into a usage error with a suggestion.
func flagError(v verb, flags *pflag.FlagSet, err error) error {
	e := &usageError{what: err.Error()}
	if unknown, ok := errors.AsType[*pflag.NotExistError](err); ok {
		var names []string
		flags.VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
		for _, name := range nearest.Names(unknown.GetSpecifiedName(), names) {
			e.hints = append(e.hints, "did you mean --"+name+"?")
		}
	}
	if invalid, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		f := invalid.GetFlag()
		e.what = fmt.Sprintf("--%s is %q, want %s", f.Name, invalid.GetValue(), wantedValue(f))
	}
	e.hints = append(e.hints, fmt.Sprintf("`finetune help %s` lists the flags", v.name))
	return e
}

// wantedValue is what the value of a flag has to be, by its type.
func wantedValue(f *pflag.Flag) string {
	switch f.Value.Type() {
	case "int":
		return "a whole number"
	case "uint64":
		return "a whole number, 0 or more"
	case "float64":
		return "a number"
	case "number":
		return "a number, or a quotient such as 1/255"
	case "duration":
		return "a length of time such as 30s or 10m"
	case "bool":
		return "true or false"
	case "size":
		return "a size such as 500MB or 2GB"
	case "string":
		return "a text"
	}
	return "a " + f.Value.Type()
}
