package optim

import "math"

// Plateau is a schedule that waits: the factor falls when a loss has not become
// smaller for more than Patience observations. It is that of PyTorch's
// ReduceLROnPlateau.
type Plateau struct {
	Factor    float64 // what the factor is multiplied by, [0, 1)
	Threshold float64 // share by which a loss has to be below the best to count
	Floor     float64 // least factor, [0, 1]
	Patience  int
	Cooldown  int // observations after a fall that do not count

	State PlateauState
}

// PlateauState is what a Plateau remembers.
type PlateauState struct {
	Falls int     `json:"falls"` // of the factor
	Best  float64 `json:"best"`  // least loss, once Seen
	Seen  bool    `json:"seen"`
	Bad   int     `json:"bad"`  // observations in a row that were no better
	Rest  int     `json:"rest"` // observations of the cool-down that are left
}

// Scale is the factor now, 1 at first.
func (p *Plateau) Scale() float64 {
	return max(p.Floor, math.Pow(p.Factor, float64(p.State.Falls)))
}

// Observe takes a loss into account, once per epoch.
func (p *Plateau) Observe(loss float64) {
	s := &p.State
	if !s.Seen || loss < s.Best*(1-p.Threshold) {
		s.Best, s.Seen, s.Bad = loss, true, 0
	} else {
		s.Bad++
	}
	if s.Rest > 0 {
		s.Rest, s.Bad = s.Rest-1, 0
	}
	if s.Bad > p.Patience {
		s.Falls, s.Bad, s.Rest = s.Falls+1, 0, p.Cooldown
	}
}
