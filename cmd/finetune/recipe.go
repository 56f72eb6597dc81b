package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"finetune/internal/nearest"
	"finetune/internal/recipe"
	"finetune/optim"
)

var recipeVerb = verb{
	name:  "recipe",
	args:  "[flags of train]",
	short: "print the recipe that flags make, for --recipe",
	long: `
Prints a recipe: a YAML file with the names of flags of train and their values.
train, params and prune read it with --recipe, in place of the flags; a flag on
the command line takes the place of what the recipe says of it. Where the
examples are and where the model goes is not in a recipe.

With --recipe the file is read first: so a recipe of SparseML is translated, and
what cannot be is an error. --all adds what is left as it is, as comments.

  finetune recipe --epochs 5 --l1 1e-5 --l1 'layer:fc*=1e-4' > recipe.yaml
  finetune recipe --recipe sparseml.yaml > recipe.yaml
  finetune train model.onnx --data photos/ --recipe recipe.yaml -o small.onnx`,
	make: func() command { return new(recipeCommand) },
}

type recipeCommand struct {
	trainCommand
	all bool
}

func (r *recipeCommand) addFlags(flags *pflag.FlagSet) {
	settings(&r.trainCommand).VisitAll(flags.AddFlag)
	addRecipeFlag(flags)
	flags.BoolVar(&r.all, "all", false, "print what is not given as well, as comments")
	heading(flags, "General")
}

func addRecipeFlag(flags *pflag.FlagSet) {
	flags.String("recipe", "", "`FILE` in YAML with the values of flags, see `finetune help recipe`; flags on the command line win")
	heading(flags, "General")
}

// settings are the flags of t that a recipe may hold: not those that say where
// something is, nor those that have no bearing on the model.
func settings(t *trainCommand) *pflag.FlagSet {
	all := newFlagSet(trainVerb, t)
	some := pflag.NewFlagSet("recipe", pflag.ContinueOnError)
	some.SortFlags = false
	all.VisitAll(func(f *pflag.Flag) {
		if !notTold[f.Name] && !places[f.Name] {
			some.AddFlag(f)
		}
	})
	return some
}

func (r *recipeCommand) run(_ context.Context, c *console, args []string) error {
	if err := noArguments("recipe", args); err != nil {
		return err
	}
	if err := errors.Join(checkSelectors("--train", r.train), checkSelectors("--freeze", r.freeze)); err != nil {
		return err
	}
	if _, err := r.settled(); err != nil {
		return err
	}
	var lines []recipe.Line
	var headings []string
	c.flags.VisitAll(func(f *pflag.Flag) {
		texts := flagTexts(f)
		if notTold[f.Name] || f.Name == "all" || !f.Changed && (!r.all || c.json) {
			return
		}
		argument, usage := pflag.UnquoteUsage(f)
		heading := f.Annotations[headingOf][0]
		headings = append(headings, heading)
		lines = append(lines, recipe.Line{
			Heading: heading, Key: f.Name, Texts: texts, Bool: f.Value.Type() == "bool",
			Comment: strings.TrimPrefix(usage, argument+": ") + unseenDefault(f, texts), Off: !f.Changed,
		})
	})
	slices.SortStableFunc(lines, func(a, b recipe.Line) int {
		return slices.Index(headings, a.Heading) - slices.Index(headings, b.Heading)
	})
	if !c.json {
		c.printf("%s", recipe.Write(lines))
		return nil
	}
	for _, l := range lines {
		err := c.object(struct {
			Key    string   `json:"key"`
			Values []string `json:"values"`
		}{l.Key, l.Texts})
		if err != nil {
			return err
		}
	}
	return nil
}

// unseenDefault is the default of a flag, where that is not its value.
func unseenDefault(f *pflag.Flag, texts []string) string {
	if len(texts) > 0 || f.DefValue == "" || f.DefValue == "[]" {
		return ""
	}
	return " (default " + f.DefValue + ")"
}

// flagTexts are the values of a flag, as they may be given again.
func flagTexts(f *pflag.Flag) []string {
	if list, ok := f.Value.(pflag.SliceValue); ok {
		return list.GetSlice()
	}
	return []string{f.Value.String()}
}

// readRecipe gives flags what the file of --recipe says, unless the command line
// has them.
func (c *console) readRecipe(flags *pflag.FlagSet) error {
	f := flags.Lookup("recipe")
	if f == nil || f.Value.String() == "" {
		return nil
	}
	path := f.Value.String()
	text, err := readSome(path)
	if err != nil {
		return missing(err)
	}
	r, err := recipe.Parse(path, text)
	if err != nil {
		return recipeError(err)
	}
	for _, note := range r.Notes {
		c.notef("%s", note)
	}
	known := settings(new(trainCommand))
	c.origin = map[string]int{}
	c.recipe = path
	for _, e := range r.Entries {
		if known.Lookup(e.Key) == nil {
			return unknownKey(path, e, known)
		}
		f := flags.Lookup(e.Key)
		if f == nil || f.Changed {
			continue // it concerns another verb, or the command line has it
		}
		if err := setFlag(f, path, e); err != nil {
			return err
		}
		c.origin[e.Key] = e.Line
	}
	return nil
}

// readSome reads a file up to a size that no recipe has.
func readSome(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, 1<<20))
}

func recipeError(err error) error {
	if _, ok := errors.AsType[*recipe.Error](err); ok {
		return &usageError{what: err.Error(), hints: []string{"`finetune help recipe` tells how recipes are written"}}
	}
	return err
}

func unknownKey(path string, e recipe.Entry, known *pflag.FlagSet) error {
	what := &recipe.Error{Path: path, Line: e.Line, What: fmt.Sprintf("there is no setting %q", e.Key)}
	var hints []string
	switch {
	case places[e.Key] || notTold[e.Key]:
		what.What = fmt.Sprintf("%s is not a setting of a recipe; it belongs on the command line", e.Key)
	default:
		var names []string
		known.VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
		for _, name := range nearest.Names(strings.ReplaceAll(e.Key, "_", "-"), names) {
			hints = append(hints, fmt.Sprintf("did you mean %q?", name))
		}
	}
	hints = append(hints, "`finetune recipe --all` lists the settings")
	return &usageError{what: what.Error(), hints: hints}
}

// setFlag gives f the values of e, if they are of its kind.
func setFlag(f *pflag.Flag, path string, e recipe.Entry) error {
	wrong := func(line int, found string) error {
		what := &recipe.Error{Path: path, Line: line, What: fmt.Sprintf("%s is %s, want %s", e.Key, found, wantedValue(f))}
		return &usageError{what: what.Error()}
	}
	list, many := f.Value.(pflag.SliceValue)
	if e.List && !many {
		return wrong(e.Line, "a list or a map")
	}
	argument, _ := pflag.UnquoteUsage(f)
	var texts []string
	for _, v := range e.Values {
		if v.Pair && argument != "VALUE" && !strings.Contains(argument, "=") {
			return wrong(v.Line, "a map")
		}
		if !v.Pair && !fits(f.Value.Type(), v.Kind) {
			return wrong(v.Line, fmt.Sprintf("%q, %s", v.Text, v.Kind))
		}
		texts = append(texts, v.Text)
	}
	if len(texts) == 0 {
		return nil // an empty list says nothing
	}
	f.Changed = true
	if f.Value.Type() == "stringArray" || f.Value.Type() == "stringSlice" {
		return list.Replace(texts) // commas in them are their own
	}
	if err := f.Value.Set(strings.Join(texts, ",")); err != nil {
		return wrong(e.Line, fmt.Sprintf("%q", strings.Join(texts, ",")))
	}
	return nil
}

// fits reports whether a flag of that type takes a value of that kind.
func fits(flagType string, kind recipe.Kind) bool {
	switch flagType {
	case "bool":
		return kind == recipe.Bool
	case "int", "uint64", "float64":
		return kind == recipe.Number
	}
	return kind != recipe.Bool
}

// placed says which flag a wrong value was given by, or in which line of the recipe
// it stands, where the complaint begins with its name.
func (c *console) placed(err error) error {
	wrong, ok := errors.AsType[*usageError](err)
	if !ok {
		return err
	}
	text := strings.TrimPrefix(wrong.what, "--")
	c.flags.VisitAll(func(f *pflag.Flag) {
		for _, name := range []string{f.Name, strings.ReplaceAll(f.Name, "-", " ")} {
			rest, found := strings.CutPrefix(text, name)
			if !found || !strings.HasPrefix(rest, ":") && !strings.HasPrefix(rest, " is ") && !strings.HasPrefix(rest, ` "`) {
				continue
			}
			wrong.what = "--" + f.Name + rest
			if line, ok := c.origin[f.Name]; ok {
				wrong.what = (&recipe.Error{Path: c.recipe, Line: line, What: f.Name + rest}).Error()
			}
			return
		}
	})
	return err
}

// checkSelectors reports selectors that no model could make sense of.
func checkSelectors(flag string, texts []string) error {
	for _, text := range texts {
		if _, err := optim.ParseSelector(text); err != nil {
			return usageOf(flag, err)
		}
	}
	return nil
}
