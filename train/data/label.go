package data

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
)

// numbered describes the targets of n examples that are numbers: class labels
// if all of them are whole, unless the options say otherwise.
func (o Options) numbered(shape []int, n int, read func(i int, dst []float32), where func(i int) string) (Target, error) {
	if o.Regression {
		return Target{Shape: shape}, nil
	}
	values := make([]float32, product(shape))
	largest := 0
	var wrong error
	for i := range n {
		read(i, values)
		for _, v := range values {
			if !whole(float64(v)) {
				if len(o.Classes) > 0 {
					return Target{}, fmt.Errorf("%s: expected a class number, as class names are given, found %v", where(i), v)
				}
				return Target{Shape: shape}, nil
			}
			c := int(v) - o.LabelBase
			if err := o.inRange(c); err != nil && wrong == nil {
				wrong = fmt.Errorf("%s: %w, found %v", where(i), err, v)
			}
			largest = max(largest, c)
		}
	}
	if wrong != nil {
		return Target{}, wrong
	}
	t := Target{Labels: true, Classes: largest + 1, Names: o.Classes, Shape: shape}
	t.Classes = max(t.Classes, len(o.Classes))
	return t, nil
}

// inRange says what is expected of a class number, counted from 0, that cannot be.
func (o Options) inRange(c int) error {
	last := o.LabelBase + len(o.Classes) - 1
	switch {
	case len(o.Classes) > 0 && (c < 0 || c >= len(o.Classes)):
		return fmt.Errorf("expected a class from %d to %d, as %d class names are given", o.LabelBase, last, len(o.Classes))
	case c < 0:
		return fmt.Errorf("expected a class, numbered from %d (or else targets for regression)", o.LabelBase)
	case c >= exactIntegers:
		return errors.New("expected a class number below 2^24")
	}
	return nil
}

// named numbers the classes of examples that are labelled with the given texts:
// by their place in Options.Classes; else by their value, if all are whole
// numbers; else by their order. The error is about the label bad.
func (o Options) named(found []string) (number map[string]int, t Target, bad string, err error) {
	found = slices.Clone(found)
	slices.Sort(found)
	number = make(map[string]int, len(found))

	place := make(map[string]int, len(o.Classes))
	for c, name := range o.Classes {
		place[name] = c
	}
	stranger, strange := "", false
	for _, name := range found {
		c, known := place[name]
		if !known && !strange {
			stranger, strange = name, true
		}
		number[name] = c
	}
	if !strange {
		return number, Target{Labels: true, Classes: len(o.Classes), Names: o.Classes}, "", nil
	}

	t = Target{Labels: true, Classes: len(o.Classes), Names: o.Classes}
	for _, name := range found {
		v, err := strconv.ParseFloat(name, 64)
		if err != nil || !whole(v) {
			if len(o.Classes) > 0 {
				return nil, t, stranger, fmt.Errorf("expected one of the classes %q", o.Classes)
			}
			for c, name := range found {
				number[name] = c
			}
			return number, Target{Labels: true, Classes: len(found), Names: found}, "", nil
		}
		c := int(v) - o.LabelBase
		if err := o.inRange(c); err != nil {
			return nil, t, name, err
		}
		number[name] = c
		t.Classes = max(t.Classes, c+1)
	}
	return number, t, "", nil
}
