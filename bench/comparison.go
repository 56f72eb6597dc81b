package main

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"finetune/bench/protocol"
)

const (
	agreement = 1e-3                   // at most this relative difference
	gap       = 30 * time.Millisecond  // between the sides: threads that look for work give up
	roundTime = 100 * time.Millisecond // of one side in a round, or one step if that takes longer
	mostSteps = 5000                   // of a round
)

// pace is how much is measured: so many rounds and so many steps whose losses are
// compared, or less when the limit is over.
type pace struct {
	rounds, losses int
	limit          time.Duration // 0 is none
}

// fewRounds are enough when the limit is over.
const fewRounds = 3

// enough tells whether a comparison is done.
func (p pace) enough(sides []*side, rounds int, start time.Time) bool {
	if p.limit > 0 && time.Since(start) > p.limit && rounds >= fewRounds {
		return true
	}
	for _, s := range sides {
		if s.works() && len(s.losses) < p.losses {
			return false
		}
	}
	return rounds >= p.rounds
}

// compare measures ours against theirs, side by side; theirs may be nil.
func compare(r *row, j protocol.Job, p pace, theirs func() (*process, error)) {
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
	start := time.Now()
	for _, s := range sides {
		s.first(j.Mode)
	}
	for i := 0; !p.enough(sides, i, start) && (sides[0].works() || sides[1].works()); i++ {
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
func startOurs(j protocol.Job, env ...string) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return start(j, 0, env, self, workerVerb)
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

// first makes steps that do not count, and finds how many fill a round. The
// optimizer's losses take time of their own, and so all of them are made here.
func (s *side) first(mode string) {
	if !s.works() {
		return
	}
	n := 2
	if mode == "optimizer" {
		n = protocol.FirstSteps
	}
	for {
		each, ok := s.take(n)
		if !ok {
			return
		}
		if each*float64(n) >= roundTime.Seconds()/2 || n > mostSteps/10 {
			s.steps = int(min(mostSteps, max(1, math.Round(roundTime.Seconds()/each))))
			return
		}
		n *= 5
	}
}

// take makes steps and notes the losses of the first ones.
func (s *side) take(n int) (each float64, ok bool) {
	var a answer
	each, a, s.err = s.process.steps(n)
	s.allocs = a.Allocs
	s.losses = append(s.losses, a.Losses...)
	s.losses = s.losses[:min(protocol.FirstSteps, len(s.losses))]
	return each, s.err == nil
}

func (s *side) round() {
	if !s.works() {
		return
	}
	if each, ok := s.take(s.steps); ok {
		s.seconds = append(s.seconds, each)
	}
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
