package main

import (
	"fmt"
	"math"
)

// cell is what the trials of a method came to at one level.
type cell struct {
	runs         int
	mean, spread float64 // of the accuracy; the spread is the standard deviation of a run
}

// cell sums up the trials of a method.
func (s *study) cell(model, method string, level float64) cell {
	var c cell
	var sum, squares float64
	for _, t := range s.trials {
		if t.Model == model && t.Method == method && t.Level == level {
			c.runs++
			sum += t.Accuracy
			squares += float64(t.Accuracy * t.Accuracy)
		}
	}
	if c.runs == 0 {
		return c
	}
	n := float64(c.runs)
	c.mean = sum / n
	if c.runs > 1 {
		c.spread = math.Sqrt(max(0, (squares-float64(sum*c.mean))/(n-1)))
	}
	return c
}

// text is the mean in per cent and, of several runs, the spread.
func (c cell) text(bold bool) string {
	if c.runs == 0 {
		return ""
	}
	text := fmt.Sprintf("%.2f", 100*c.mean)
	if bold {
		text = "**" + text + "**"
	}
	if c.runs > 1 {
		text += fmt.Sprintf(" ±%.2f", 100*c.spread)
	}
	return text
}
