package recipe

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// mostSteps bounds what the expressions of a file may take: variables that are
// made of variables double with each line.
const mostSteps = 10000

// expression computes with numbers, names, + - * / and brackets.
type expression struct {
	text  string
	value func(name string) (float64, error)
	steps *int
}

// result is what the whole text comes to.
func (e expression) result() (float64, error) {
	v, err := e.sum()
	if err != nil {
		return 0, err
	}
	if e.peek() != 0 {
		return 0, fmt.Errorf("%q is not understood", e.text)
	}
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return 0, fmt.Errorf("comes to %v", v)
	}
	return v, nil
}

// peek is the next character but for spaces, 0 at the end.
func (e *expression) peek() byte {
	e.text = strings.TrimLeft(e.text, " \t\n")
	if e.text == "" {
		return 0
	}
	return e.text[0]
}

func (e *expression) sum() (float64, error) {
	v, err := e.product()
	for err == nil && (e.peek() == '+' || e.peek() == '-') {
		sign := e.text[0]
		e.text = e.text[1:]
		var w float64
		w, err = e.product()
		if sign == '-' {
			w = -w
		}
		v += w
	}
	return v, err
}

func (e *expression) product() (float64, error) {
	v, err := e.factor()
	for err == nil && (e.peek() == '*' || e.peek() == '/') {
		by := e.text[0]
		e.text = e.text[1:]
		var w float64
		w, err = e.factor()
		if by == '/' {
			v /= w
		} else {
			v *= w
		}
	}
	return v, err
}

func (e *expression) factor() (float64, error) {
	if *e.steps++; *e.steps > mostSteps {
		return 0, fmt.Errorf("takes too long, or needs itself")
	}
	switch c := e.peek(); {
	case c == '-':
		e.text = e.text[1:]
		v, err := e.factor()
		return -v, err
	case c == '(':
		e.text = e.text[1:]
		v, err := e.sum()
		if err == nil && e.peek() != ')' {
			return 0, fmt.Errorf("a bracket is not closed")
		}
		e.text = strings.TrimPrefix(e.text, ")")
		return v, err
	case c == '.' || '0' <= c && c <= '9':
		n := numberLen(e.text)
		v, err := strconv.ParseFloat(e.text[:n], 64)
		if err != nil {
			return 0, fmt.Errorf("%q is not a number", e.text[:n])
		}
		e.text = e.text[n:]
		return v, nil
	}
	n := 0
	for n < len(e.text) && isWord(e.text[n]) {
		n++
	}
	name := e.text[:n]
	if name == "" {
		return 0, fmt.Errorf("%q is not understood", e.text)
	}
	if e.text = e.text[n:]; e.peek() == '(' {
		return 0, fmt.Errorf("there are no functions such as %s here", name)
	}
	return e.value(name)
}

// numberLen is the length of the number that text begins with; the sign of an
// exponent is a part of it.
func numberLen(text string) int {
	n := 0
	for n < len(text) && (isWord(text[n]) || text[n] == '.' ||
		(text[n] == '+' || text[n] == '-') && n > 0 && (text[n-1] == 'e' || text[n-1] == 'E')) {
		n++
	}
	return n
}

func isWord(c byte) bool {
	return c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}
