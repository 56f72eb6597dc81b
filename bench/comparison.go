package main

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const (
	firstSteps = 20                     // whose losses have to agree
	agreement  = 1e-3                   // at most this relative difference
	gap        = 30 * time.Millisecond  // between the sides: threads that look for work give up
	roundTime  = 100 * time.Millisecond // of one side in a round, or one step if that takes longer
	mostSteps  = 5000                   // of a round
)

// compare measures ours against theirs, side by side; theirs may be nil.
func compare(r *row, j job, rounds int, theirs func() (*process, error)) {
	ours, err := startOurs(j)
	if err != nil {
		r.Note = "ours: " + strings.ReplaceAll(err.Error(), j.Folder+string(filepath.Separator), "")
	} else {
		defer ours.stop()
	}
	var other *process
	if theirs != nil {
		if other, err = theirs(); err != nil {
			r.Note = join(r.Note, "theirs: "+err.Error())
		} else {
			defer other.stop()
		}
	}
	sides := []*side{newSide(ours), newSide(other)}
	for _, s := range sides {
		s.first()
	}
	for i := range rounds {
		order := sides
		if i%2 == 1 {
			order = []*side{sides[1], sides[0]}
		}
		for _, s := range order {
			s.round()
		}
	}
	for _, s := range sides {
		s.finish()
		if s.err != nil {
			r.Note = join(r.Note, s.err.Error())
		}
	}
	r.fill(j, sides[0], sides[1])
}

// startOurs begins a job in a process of this program, with env added to its
// environment.
func startOurs(j job, env ...string) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return start(j, env, self, workerVerb)
}

// side is what was measured of a process. Of one that is nil or has failed
// nothing is.
type side struct {
	process   *process
	err       error
	losses    []float64
	steps     int // of a round
	seconds   []float64
	allocs    float64
	megabytes float64
}

func newSide(p *process) *side { return &side{process: p} }

func (s *side) works() bool { return s.process != nil && s.err == nil }

// first makes the steps whose losses are compared, and finds how many fill a
// round.
func (s *side) first() {
	if !s.works() {
		return
	}
	var a answer
	if _, a, s.err = s.process.steps(firstSteps); s.err != nil {
		return
	}
	s.losses = a.Losses
	var each float64
	if each, _, s.err = s.process.steps(2); s.err != nil {
		return
	}
	s.steps = int(min(mostSteps, max(1, math.Round(roundTime.Seconds()/each))))
}

func (s *side) round() {
	if !s.works() {
		return
	}
	each, a, err := s.process.steps(s.steps)
	s.err = err
	s.seconds = append(s.seconds, each)
	s.allocs = a.Allocs
}

func (s *side) finish() {
	if !s.works() {
		return
	}
	a, err := s.process.ask("memory")
	s.err = err
	s.megabytes = a.Megabytes
}

func mean(x []float64) float64 {
	sum := 0.0
	for _, v := range x {
		sum += v
	}
	return sum / float64(len(x))
}

func median(x []float64) float64 { return quantile(x, 0.5) }

// quantile is the value that a share of x lies below, between neighbours where
// it falls between them.
func quantile(x []float64, share float64) float64 {
	x = slices.Sorted(slices.Values(x))
	at := share * float64(len(x)-1)
	low := int(at)
	high := min(low+1, len(x)-1)
	return x[low] + (at-float64(low))*(x[high]-x[low])
}
