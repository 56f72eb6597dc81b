package main

import (
	"errors"
	"math"
	"strconv"
	"strings"

	"github.com/spf13/pflag"
)

// numbers is the value of a flag that takes one number, or several with commas
// between them. A number may be a quotient, as in --scale 1/255.
type numbers struct {
	values []float64
	texts  []string
	single bool
}

var _ pflag.SliceValue = (*numbers)(nil)

// Set replaces a single number, and adds to a list.
func (n *numbers) Set(text string) error {
	texts := strings.Split(text, ",")
	if n.single {
		if len(texts) > 1 {
			return errors.New("want one number")
		}
		return n.Replace(texts)
	}
	return n.Replace(append(n.texts, texts...))
}

// Replace forgets what was set before.
func (n *numbers) Replace(texts []string) error {
	values := make([]float64, len(texts))
	for i, text := range texts {
		var err error
		if values[i], err = parseNumber(text); err != nil {
			return err
		}
	}
	n.values, n.texts = values, texts
	return nil
}

// Append adds one number.
func (n *numbers) Append(text string) error { return n.Replace(append(n.texts, text)) }

// GetSlice is the numbers as they were written.
func (n *numbers) GetSlice() []string { return n.texts }

func (n *numbers) String() string { return strings.Join(n.texts, ",") }

// Type names the value in messages of pflag.
func (n *numbers) Type() string { return "number" }

// parseNumber reads a finite number or a quotient of two.
func parseNumber(text string) (float64, error) {
	above, below, quotient := strings.Cut(text, "/")
	v, err := strconv.ParseFloat(strings.TrimSpace(above), 64)
	if err == nil && quotient {
		var divisor float64
		divisor, err = strconv.ParseFloat(strings.TrimSpace(below), 64)
		v /= divisor
	}
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
		return 0, errors.New("not a finite number")
	}
	return v, nil
}
