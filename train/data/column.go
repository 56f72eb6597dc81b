package data

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// columns says what the columns of a table are for.
type columns struct {
	count   int
	header  []string // nil where the table has none
	inputs  []int
	targets []int
}

// name describes column c: its number from 0, and its name if it has one.
func (c *columns) name(k int) string {
	if c.header != nil {
		return fmt.Sprintf("column %d (%s)", k, c.header[k])
	}
	return fmt.Sprintf("column %d", k)
}

// chooseColumns decides from the first one or two rows, and from the options.
func chooseColumns(path string, head [][]string, opt Options) (*columns, error) {
	first := make([]string, len(head[0]))
	for i, cell := range head[0] {
		first[i] = strings.TrimSpace(cell)
	}
	c := &columns{count: len(first)}
	if c.count < 2 {
		return nil, fmt.Errorf("%s: expected at least two columns, separated by commas, semicolons, tabs or bars, found %d", path, c.count)
	}
	find := func(what, column string) (int, error) {
		if k := slices.Index(first, column); k >= 0 {
			if _, err := strconv.Atoi(column); err != nil {
				c.header = first
			}
			if c.header != nil {
				return k, nil
			}
		}
		k, err := strconv.Atoi(column)
		if err != nil {
			return 0, fmt.Errorf("%s: expected a column %q (%s) in the first row, found %s", path, column, what, strings.Join(first, ", "))
		}
		if k < -c.count || k >= c.count {
			return 0, fmt.Errorf("%s: %s: expected a column from 0 to %d, or from -%d to -1, found %d", path, what, c.count-1, c.count, k)
		}
		return (k + c.count) % c.count, nil
	}

	unused := make([]bool, c.count)
	for _, column := range opt.Drop {
		k, err := find("to drop", column)
		if err != nil {
			return nil, err
		}
		unused[k] = true
	}
	c.targets = []int{c.count - 1}
	if opt.Label != "" {
		c.targets = nil
		names := []string{opt.Label}
		if !slices.Contains(first, opt.Label) {
			names = strings.Split(opt.Label, ",")
		}
		for _, column := range names {
			k, err := find("to learn", strings.TrimSpace(column))
			if err != nil {
				return nil, err
			}
			if slices.Contains(c.targets, k) {
				return nil, fmt.Errorf("%s: column %q is to be learned twice", path, column)
			}
			c.targets = append(c.targets, k)
		}
	}
	for _, k := range c.targets {
		if unused[k] {
			return nil, fmt.Errorf("%s: column %d is both to be learned and to be dropped", path, k)
		}
		unused[k] = true
	}
	for k := range c.count {
		if !unused[k] {
			c.inputs = append(c.inputs, k)
		}
	}
	if len(c.inputs) == 0 {
		return nil, fmt.Errorf("%s: no column is left for the inputs", path)
	}
	if c.header == nil && c.isHeader(first, head[1:]) {
		c.header = first
	}
	return c, nil
}

// isHeader reports whether the first row names the columns: some input in it is
// no number, or its target is none where the next row's is.
func (c *columns) isHeader(first []string, rest [][]string) bool {
	isText := func(cell string) bool {
		_, err := strconv.ParseFloat(strings.TrimSpace(cell), 64)
		return err != nil && strings.TrimSpace(cell) != ""
	}
	for _, k := range c.inputs {
		if isText(first[k]) {
			// A row of data with one bad cell is no header; names are all text.
			numbers := 0
			for _, other := range c.inputs {
				if !isText(first[other]) {
					numbers++
				}
			}
			return numbers*2 <= len(c.inputs)
		}
	}
	k := c.targets[0]
	return len(rest) > 0 && k < len(rest[0]) && isText(first[k]) && !isText(rest[0][k])
}
