package main

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// parts are what the page is made of.
var parts = []struct {
	name    string
	measure func(b *bench) error
}{
	{"table", (*bench).measureTable},
	{"profiles", (*bench).measureProfiles},
	{"products", (*bench).measureProducts},
	{"peers", (*bench).measurePeers},
	{"startup", (*bench).measureStartup},
	{"growth", (*bench).measureGrowth},
	{"losses", (*bench).measureLosses},
}

// onlyPage stands for no part.
const onlyPage = "page"

func partNames() (list []string) {
	for _, p := range parts {
		list = append(list, p.name)
	}
	return list
}

// checkParts reports a part that there is not.
func (b *bench) checkParts() error {
	for _, name := range strings.Split(b.part, ",") {
		if name != "" && name != onlyPage && !slices.Contains(partNames(), name) {
			return fmt.Errorf("--part is %q, want some of %s, or %s", b.part, strings.Join(partNames(), ","), onlyPage)
		}
	}
	return nil
}

// report measures what is wanted and writes the page.
func (b *bench) report() error {
	here := describeMachine()
	b.revision = here.Revision
	var err error
	if b.results, err = readResults(b.page, here); err != nil {
		return err
	}
	if err := b.results.put(result{Part: "machine", Revision: here.Revision, Time: time.Now(), Machine: &here}); err != nil {
		return err
	}
	for _, p := range parts {
		if b.part != "" && !slices.Contains(strings.Split(b.part, ","), p.name) {
			continue
		}
		if err := p.measure(b); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	p := page{results: b.results, machine: here, bench: b}
	return p.write(b.page)
}

// measure measures one thing and saves it.
func (b *bench) measure(part, name string, f func(r *result) error) error {
	if i := b.results.index(part, name); i >= 0 && b.keep && b.results.list[i].Revision == b.revision {
		return nil
	}
	fmt.Fprintf(b.log, "%s %s: %s\n", time.Now().Format(time.TimeOnly), part, name)
	r := result{Part: part, Name: name, Revision: b.revision, Time: time.Now()}
	if err := f(&r); err != nil {
		return err
	}
	r.Seconds = time.Since(r.Time).Seconds()
	return b.results.put(r)
}

// tableName is the name of a row of the table.
func tableName(w workload, threads int, state string) string {
	return fmt.Sprintf("%s/%d/%s", w.name, threads, state)
}

func (b *bench) measureTable() error {
	return b.eachRow(func(w workload, threads int, state string) error {
		return b.measure("table", tableName(w, threads, state), func(r *result) error {
			one := b.row(w, setting{size: w.size, batch: w.batch, threads: threads, state: state, pace: b.pace()})
			r.Row = &one
			return one.print(b.out, b.json)
		})
	})
}

// measureProfiles finds where the time goes in rows that miss their goal.
func (b *bench) measureProfiles() error {
	p := page{results: b.results}
	list, threads := b.wanted()
	for _, w := range list {
		for _, n := range threads {
			name := fmt.Sprintf("%s/%d", w.name, n)
			if w.mode != "" || !p.misses(w, n) {
				b.results.drop("profiles", name)
				continue
			}
			if err := b.measure("profiles", name, func(r *result) error {
				r.Profile = b.shortProfile(w, n)
				return nil
			}); err != nil {
				return err
			}
		}
	}
	return nil
}
