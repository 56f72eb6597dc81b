// Package recipe reads and writes recipes: YAML files that say how a model is to
// be trained and pruned.
//
// A recipe is a map from names of settings to values. A value is a number, a
// text, true or false, or several of them; where a setting takes SELECTOR=NUMBER,
// a map from selectors to numbers says the same:
//
//	epochs: 5
//	optimizer: sgd
//	lr: 0.01
//	l1:
//	  - 1e-5
//	  - layer:fc*: 1e-4
//	sparsity: {role:weight: 0.9}
//
// [Parse] knows the form only; what names there are, and what each of them takes,
// is the caller's business. Recipes of SparseML are recognised by their modifiers
// and come out as the settings that mean the same: see sparseml.go.
//
// Files are not trusted: their size and depth are limited, and nothing of what
// they hold is expanded.
package recipe

import (
	"fmt"
	"strconv"
)

// A Recipe is what a file says, in its order.
type Recipe struct {
	Path    string
	Entries []Entry
	Notes   []string // what was left out in translation because it changes nothing
}

// An Entry is the value of one setting, or its values.
type Entry struct {
	Key    string
	Line   int
	List   bool // written as a list or a map
	Values []Value
}

// A Value is a single value as it was written.
type Value struct {
	Kind Kind
	Text string // SELECTOR=NUMBER if Pair
	Pair bool   // of a map
	Line int
}

// Kind is what a value looks like.
type Kind string

// The kinds of values. 1e-5, 0x10 and .inf are numbers; what stands in quotes is
// text.
const (
	Bool   Kind = "true or false"
	Number Kind = "a number"
	Text   Kind = "a text"
)

// kindOf is the kind of what stands without quotes.
func kindOf(text string) Kind {
	switch text {
	case "true", "True", "TRUE", "false", "False", "FALSE":
		return Bool
	}
	if _, err := strconv.ParseFloat(text, 64); err == nil {
		return Number
	}
	if _, err := strconv.ParseInt(text, 0, 64); err == nil {
		return Number
	}
	return Text
}

// An Error is what is wrong in a file, and where.
type Error struct {
	Path string
	Line int // from 1; 0 is nowhere in particular
	What string
}

func (e *Error) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("%s: %s", e.Path, e.What)
	}
	return fmt.Sprintf("%s:%d: %s", e.Path, e.Line, e.What)
}

// Parse reads a recipe. path is for errors; where it ends in .md the recipe is what
// stands between two lines of three dashes, as SparseML keeps them.
func Parse(path string, text []byte) (*Recipe, error) {
	d, err := open(path, text)
	if err != nil {
		return nil, err
	}
	r := &Recipe{Path: path}
	if d.isSparseML() {
		r.Entries, r.Notes, err = translate(d)
	} else {
		r.Entries, err = d.entries()
	}
	if err != nil {
		return nil, err
	}
	return r, nil
}
