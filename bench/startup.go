package main

import (
	"time"
)

// startup is how long a process takes from its start to the end of its first
// step, in seconds: median of the rounds.
type startup struct {
	Megabytes float64 `json:"megabytes"` // of the model
	Ours      float64 `json:"ours"`
	Installed float64 `json:"installed"`
	Tuned     float64 `json:"tuned"`
	Error     string  `json:"error,omitempty"`
}

// bigModel is trained once to measure how long it takes to begin.
var bigModel = workload{
	name: "startup", model: "mlp-100mb", batch: 8, input: features(4096), classes: 100,
}

// startupGoal is how many seconds it may take us.
const startupGoal = 0.5

func (b *bench) measureStartup() error {
	return b.measure("startup", "startup", func(r *result) error {
		s, err := b.startups()
		if err != nil {
			s.Error = err.Error()
		}
		r.Startup = &s
		return nil
	})
}

// startups measures the time to the first step on a model of 100 MB.
func (b *bench) startups() (startup, error) {
	s := startup{Megabytes: 102}
	j := bigModel.job(0, bigModel.batch, 2)
	j.L1As = b.l1As
	if err := b.cache.prepare(&j, 0, b.python); err != nil {
		return s, err
	}
	sides := []struct {
		start func() (*process, error)
		to    *float64
		times []float64
	}{
		{start: func() (*process, error) { return startOurs(j) }, to: &s.Ours},
		{start: func() (*process, error) { return b.python.start(b.cache, j, tuned) }, to: &s.Tuned},
		{start: func() (*process, error) { return b.python.start(b.cache, j, installed) }, to: &s.Installed},
	}
	if b.python == nil {
		sides = sides[:1]
	}
	const rounds = 7
	for range rounds {
		for i := range sides {
			seconds, err := firstStep(sides[i].start)
			if err != nil {
				return s, err
			}
			sides[i].times = append(sides[i].times, seconds)
		}
	}
	for _, side := range sides {
		*side.to = median(side.times)
	}
	return s, nil
}

func firstStep(begin func() (*process, error)) (float64, error) {
	time.Sleep(gap)
	start := time.Now()
	p, err := begin()
	if err != nil {
		return 0, err
	}
	defer p.stop()
	_, err = p.ask("run 1")
	return time.Since(start).Seconds(), err
}
