package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// result is one thing that was measured for the page. One field behind Seconds is
// set.
type result struct {
	Part     string    `json:"part"`
	Name     string    `json:"name"` // of all results of the part, only this has it
	Revision string    `json:"revision"`
	Time     time.Time `json:"time"`
	Seconds  float64   `json:"seconds"` // that measuring it took

	Row      *row      `json:"row,omitempty"`
	Profile  string    `json:"profile,omitempty"`
	Startup  *startup  `json:"startup,omitempty"`
	Identity *identity `json:"identity,omitempty"`
	Products *products `json:"products,omitempty"`
	Machine  *machine  `json:"machine,omitempty"`
}

// results are what the page is made of. They lie in a file beside it, a line of
// JSON each, so that a part can be measured anew and the others kept.
type results struct {
	file string
	list []result
}

// readResults reads the file of a page, if there is one. Results of another
// processor are left out.
func readResults(page string, here machine) (*results, error) {
	r := &results{file: filepath.Join(pictures(page), "results.jsonl")}
	text, err := os.ReadFile(r.file)
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err != nil {
		return nil, err
	}
	const longest = 1 << 20
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, longest)
	for lines.Scan() {
		var one result
		if err := json.Unmarshal(lines.Bytes(), &one); err != nil {
			return nil, fmt.Errorf("%s: %w", r.file, err)
		}
		if one.Machine != nil && one.Machine.Processor != here.Processor {
			return &results{file: r.file}, nil
		}
		r.list = append(r.list, one)
	}
	return r, lines.Err()
}

// pictures is the folder for what belongs to a page.
func pictures(page string) string { return filepath.Join(filepath.Dir(page), "benchmarks") }

// put adds a result, or replaces the one of its name, and saves them all.
func (r *results) put(one result) error {
	if i := r.index(one.Part, one.Name); i >= 0 {
		r.list[i] = one
	} else {
		r.list = append(r.list, one)
	}
	var b bytes.Buffer
	to := json.NewEncoder(&b)
	for _, one := range r.list {
		if err := to.Encode(one); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(filepath.Dir(r.file), 0o755); err != nil {
		return err
	}
	next := r.file + ".new"
	if err := os.WriteFile(next, b.Bytes(), 0o644); err != nil {
		return err
	}
	return os.Rename(next, r.file)
}

// drop removes a result, if it is there.
func (r *results) drop(part, name string) {
	if i := r.index(part, name); i >= 0 {
		r.list = slices.Delete(r.list, i, i+1)
	}
}

func (r *results) index(part, name string) int {
	return slices.IndexFunc(r.list, func(one result) bool { return one.Part == part && one.Name == name })
}

// of is the result of a name; an empty one if there is none.
func (r *results) of(part, name string) result {
	if i := r.index(part, name); i >= 0 {
		return r.list[i]
	}
	return result{}
}

// row is the row of a name; one without figures if there is none.
func (r *results) row(part, name string) row {
	if one := r.of(part, name); one.Row != nil {
		return *one.Row
	}
	return row{}
}

// revisions are those that a part was measured at, or all parts if it is "".
func (r *results) revisions(part string) (list []string) {
	for _, one := range r.list {
		if (part == "" || one.Part == part) && one.Machine == nil && !slices.Contains(list, one.Revision) {
			list = append(list, one.Revision)
		}
	}
	return list
}

// took is how long it took to measure everything.
func (r *results) took() time.Duration {
	seconds := 0.0
	for _, one := range r.list {
		seconds += one.Seconds
	}
	return time.Duration(seconds * float64(time.Second))
}
