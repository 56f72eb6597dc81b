package data

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
)

// table is a CSV file in memory: rows of numbers, and a label or targets each.
// Lines that start with # and empty lines are left out.
type table struct {
	path    string
	field   Field
	target  Target
	values  []float32 // inputs, row by row
	targets []float32
	lines   []int32 // where each row was found, from 1
}

func (t *table) Len() int           { return len(t.lines) }
func (t *table) Inputs() []Field    { return []Field{t.field} }
func (t *table) Target() Target     { return t.target }
func (t *table) Where(i int) string { return fmt.Sprintf("%s: line %d", t.path, t.lines[i]) }

func (t *table) Example(i int, in [][]float32, target []float32) error {
	if in != nil && in[0] != nil {
		n := t.field.Size()
		copy(in[0][:n], t.values[i*n:])
	}
	if target != nil {
		n := t.target.Size()
		copy(target[:n], t.targets[i*n:])
	}
	return nil
}

// openTable reads a file of values separated by commas, semicolons, tabs or
// bars, with or without a line of column names.
func openTable(path string, opt Options) (Source, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	rows, err := newRows(path, f)
	if err != nil {
		return nil, err
	}
	head, err := rows.peek(2)
	if err != nil {
		return nil, err
	}
	if len(head) == 0 {
		return nil, fmt.Errorf("%s: no rows", path)
	}
	cols, err := chooseColumns(path, head, opt)
	if err != nil {
		return nil, err
	}
	if cols.header != nil {
		rows.skip()
	}
	return readTable(path, rows, cols, opt)
}

func readTable(path string, rows *rows, cols *columns, opt Options) (Source, error) {
	t := &table{path: path, field: Field{Name: "features", Shape: []int{len(cols.inputs)}, Integer: true}}
	texts := map[string]int{} // labels, numbered as they are found
	var found []string
	var label []int
	for {
		record, line, err := rows.next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		if len(record) != cols.count {
			return nil, fmt.Errorf("%s: line %d: expected %d columns, as in the first row, found %d", path, line, cols.count, len(record))
		}
		for _, c := range cols.inputs {
			v, err := number(record[c])
			if err != nil {
				return nil, fmt.Errorf("%s: line %d, %s: %w", path, line, cols.name(c), err)
			}
			t.values = append(t.values, float32(v))
			t.field.Integer = t.field.Integer && whole(v)
		}
		if len(cols.targets) == 1 {
			text := strings.TrimSpace(record[cols.targets[0]])
			if text == "" {
				return nil, fmt.Errorf("%s: line %d, %s: expected a label, found nothing", path, line, cols.name(cols.targets[0]))
			}
			k, seen := texts[text]
			if !seen {
				text = strings.Clone(text)
				k = len(found)
				texts[text] = k
				found = append(found, text)
			}
			label = append(label, k)
		} else {
			for _, c := range cols.targets {
				v, err := number(record[c])
				if err != nil {
					return nil, fmt.Errorf("%s: line %d, %s: %w", path, line, cols.name(c), err)
				}
				t.targets = append(t.targets, float32(v))
			}
		}
		t.lines = append(t.lines, int32(line))
	}
	if len(t.lines) == 0 {
		return nil, fmt.Errorf("%s: no rows after the line of column names", path)
	}
	if len(cols.targets) > 1 {
		t.target = Target{Shape: []int{len(cols.targets)}}
		return t, nil
	}
	if err := t.learn(cols.name(cols.targets[0]), found, label, opt); err != nil {
		return nil, err
	}
	return t, nil
}

// learn decides what the target column holds, given the different texts in it
// and which of them each row has: numbers to approach, class numbers or names.
func (t *table) learn(column string, found []string, label []int, opt Options) error {
	values := make([]float32, len(found))
	numbers, fractions, odd := 0, 0, -1
	for k, text := range found {
		v, err := number(text)
		values[k] = float32(v)
		switch {
		case err == nil:
			numbers++
			if !whole(v) {
				fractions++
			}
		case odd < 0:
			odd = k
		}
	}
	at := func(k int) string { return fmt.Sprintf("%s, %s", t.Where(slices.Index(label, k)), column) }

	asNumbers := opt.Regression || (fractions > 0 && len(opt.Classes) == 0)
	if odd >= 0 && (asNumbers || (numbers > 0 && len(opt.Classes) == 0)) {
		return fmt.Errorf("%s: expected a number, as in other rows, found %q", at(odd), found[odd])
	}
	if asNumbers {
		t.target = Target{}
	} else {
		classes, target, bad, err := opt.named(found)
		if err != nil {
			return fmt.Errorf("%s: %w, found %q", at(slices.Index(found, bad)), err, bad)
		}
		t.target = target
		for k, text := range found {
			values[k] = float32(classes[text])
		}
	}
	t.targets = make([]float32, len(label))
	for i, k := range label {
		t.targets[i] = values[k]
	}
	return nil
}

// number is the value of a cell.
func number(cell string) (float64, error) {
	text := strings.TrimSpace(cell)
	switch text {
	case "", "?", "NA", "N/A", "null", "NULL":
		return 0, fmt.Errorf("expected a number, found a missing value %q", text)
	}
	v, err := strconv.ParseFloat(text, 64)
	switch {
	case err != nil && !errors.Is(err, strconv.ErrRange):
		return 0, fmt.Errorf("expected a number, found %q", text)
	case err != nil || math.IsNaN(v) || math.IsInf(float64(float32(v)), 0):
		return 0, fmt.Errorf("expected a finite number in float32's range, found %q", text)
	}
	return v, nil
}

// rows reads records with their line numbers.
type rows struct {
	path   string
	csv    *csv.Reader
	first  [][]string // records that were looked at in advance
	starts []int
}

func newRows(path string, r io.Reader) (*rows, error) {
	buffered := bufio.NewReaderSize(r, 1<<16)
	start, err := buffered.Peek(1 << 16)
	if err != nil && err != io.EOF {
		return nil, err
	}
	if bytes.HasPrefix(start, []byte("\ufeff")) {
		buffered.Discard(3)
		start = start[3:]
	}
	reader := csv.NewReader(buffered)
	reader.Comma = delimiter(start)
	reader.Comment = '#'
	reader.FieldsPerRecord = -1 // counted here, for a message that says more
	reader.LazyQuotes = reader.Comma == '\t'
	reader.TrimLeadingSpace = reader.Comma != '\t'
	return &rows{path: path, csv: reader}, nil
}

// delimiter is the one that is most frequent in the first line that says
// anything; a comma if there is none.
func delimiter(start []byte) rune {
	for line := range bytes.Lines(start) {
		line = bytes.TrimSpace(line)
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		best, most := ',', 0
		for _, c := range "\t;,|" {
			if n := bytes.Count(line, []byte(string(c))); n > most {
				best, most = c, n
			}
		}
		return best
	}
	return ','
}

// next is the next record, valid until the call after, and its line.
func (r *rows) next() ([]string, int, error) {
	if len(r.first) > 0 {
		record, line := r.first[0], r.starts[0]
		r.skip()
		return record, line, nil
	}
	r.csv.ReuseRecord = true
	return r.read()
}

func (r *rows) read() ([]string, int, error) {
	record, err := r.csv.Read()
	var wrong *csv.ParseError
	if errors.As(err, &wrong) {
		return nil, 0, fmt.Errorf("%s: line %d: %w", r.path, wrong.Line, wrong.Err)
	}
	if err != nil {
		return nil, 0, err
	}
	line, _ := r.csv.FieldPos(0)
	return record, line, nil
}

// peek looks at the first records, up to n.
func (r *rows) peek(n int) ([][]string, error) {
	for len(r.first) < n {
		record, line, err := r.read()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		r.first = append(r.first, record)
		r.starts = append(r.starts, line)
	}
	return r.first, nil
}

func (r *rows) skip() { r.first, r.starts = r.first[1:], r.starts[1:] }
