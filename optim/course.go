package optim

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Course is a schedule by name. Written out, it is NAME or NAME:KEY=VALUE,…:
//
//	constant
//	linear:from=1,to=0
//	step:every=1ep,gamma=0.1           × gamma after every so many steps
//	multistep:at=0.5+0.75,gamma=0.1    × gamma at these steps
//	exponential:every=1ep,gamma=0.9    the same, a little at each step
//	polynomial:power=2,floor=0
//	cubic:floor=0                      the same of power 3
//	cosine:floor=0,cycles=1,stretch=1
//	onecycle:peak=0.3,start=0.04,end=4e-6
//	inverse-root:scale=0               √(scale/(scale + step)); 0 is the warm-up
//	stable:decay=0.2,floor=0           constant, then linear: warm-up, stable, decay
//	plateau:factor=0.1,patience=10,threshold=1e-4,cooldown=0,floor=0
//
// with the defaults as shown. Every course takes warmup=LENGTH as well, to climb
// from 0 first. A length is a number of steps, a share of the run where it is
// below 1, or a number of epochs before "ep": 500, 0.1, 2ep.
type Course struct {
	text   string
	warmup Length
	body   func(run Run, warmup int) Schedule
	// Plateau follows the loss of held-out examples instead of the step, if set.
	Plateau *Plateau
}

// Run is the length of training.
type Run struct {
	Steps    int // in all
	PerEpoch int // of one epoch
}

// Length is a stretch of a run: steps, a share of all steps if below 1, or epochs.
type Length struct {
	N      float64
	Epochs bool
}

// ParseLength reads a length as [Course] describes it.
func ParseLength(text string) (Length, error) {
	number, epochs := strings.CutSuffix(text, "ep")
	v, err := strconv.ParseFloat(number, 64)
	if err != nil || !(v >= 0 && v <= math.MaxInt32) {
		return Length{}, fmt.Errorf("%q is not a number of steps, a share below 1, or a number of epochs such as 2ep", text)
	}
	return Length{v, epochs}, nil
}

// Steps is the length in steps, rounded down.
func (l Length) Steps(run Run) int {
	switch {
	case l.Epochs:
		return int(l.N * float64(run.PerEpoch))
	case l.N < 1:
		return int(l.N * float64(run.Steps))
	}
	return int(l.N)
}

// courseNames are the names of all courses.
var courseNames = []string{"constant", "linear", "step", "multistep", "exponential", "polynomial", "cubic",
	"cosine", "onecycle", "inverse-root", "stable", "plateau"}

// ParseCourse reads a course.
func ParseCourse(text string) (Course, error) {
	name, rest, _ := strings.Cut(text, ":")
	if !slices.Contains(courseNames, name) {
		return Course{}, fmt.Errorf("schedule: %q is not one of %s", name, strings.Join(courseNames, ", "))
	}
	k := keys{name: name, values: map[string]string{}}
	for _, pair := range strings.Split(rest, ",") {
		if pair == "" && rest == "" {
			break
		}
		key, value, ok := strings.Cut(pair, "=")
		if _, twice := k.values[key]; !ok || twice {
			return Course{}, fmt.Errorf("schedule %q: want KEY=VALUE, once each, not %q", text, pair)
		}
		k.values[key] = value
	}
	c := Course{text: text, warmup: k.length("warmup", "0")}
	c.body = k.body(&c)
	if err := k.check(); err != nil {
		return Course{}, fmt.Errorf("schedule %q: %w", text, err)
	}
	return c, nil
}

// body reads what the course of that name takes.
func (k *keys) body(c *Course) func(run Run, warmup int) Schedule {
	plain := func(s Schedule) func(Run, int) Schedule { return func(Run, int) Schedule { return s } }
	switch k.name {
	case "linear":
		return plain(Linear(k.number("from", 1, nonNegative), k.number("to", 0, nonNegative)))
	case "step", "exponential":
		every, gamma := k.length("every", "1ep"), k.number("gamma", map[string]float64{"step": 0.1, "exponential": 0.9}[k.name], fraction)
		if every.N == 0 {
			k.fail("every: a length of 0")
		}
		return func(run Run, _ int) Schedule {
			if k.name == "step" {
				return Steps(every.Steps(run), gamma)
			}
			return Exponential(every.Steps(run), gamma)
		}
	case "multistep":
		at, gamma := k.lengths("at", "0.5+0.75"), k.number("gamma", 0.1, fraction)
		return func(run Run, _ int) Schedule {
			var steps []int
			for _, l := range at {
				steps = append(steps, l.Steps(run))
			}
			return MultiStep(gamma, steps...)
		}
	case "polynomial":
		return plain(Polynomial(k.number("power", 2, nonNegative), k.number("floor", 0, nonNegative)))
	case "cubic":
		return plain(Polynomial(3, k.number("floor", 0, nonNegative)))
	case "cosine":
		return plain(Restarts(k.count("cycles", 1, 1, 100), k.number("stretch", 1, span{lo: 1, hi: 10}), k.number("floor", 0, nonNegative)))
	case "onecycle":
		return plain(OneCycle(k.number("peak", 0.3, fraction), k.number("start", 1.0/25, nonNegative), k.number("end", 1/25e4, nonNegative)))
	case "inverse-root":
		scale := k.length("scale", "0")
		return func(run Run, warmup int) Schedule {
			if n := scale.Steps(run); n > 0 {
				return InverseRoot(n)
			}
			return InverseRoot(max(1, warmup))
		}
	case "stable":
		decay, floor := k.length("decay", "0.2"), k.number("floor", 0, nonNegative)
		return func(run Run, _ int) Schedule { return Stable(decay.Steps(run), floor) }
	case "plateau":
		c.Plateau = &Plateau{
			Factor: k.number("factor", 0.1, belowOne), Threshold: k.number("threshold", 1e-4, nonNegative),
			Floor: k.number("floor", 0, fraction), Patience: k.count("patience", 10, 0, math.MaxInt32), Cooldown: k.count("cooldown", 0, 0, math.MaxInt32),
		}
	}
	return plain(Flat())
}

// String is the course as it was written.
func (c Course) String() string { return c.text }

// IsZero reports whether c is no course.
func (c Course) IsZero() bool { return c.text == "" }

// Warmed is the course with another warm-up than it has of itself.
func (c Course) Warmed(l Length) Course {
	c.warmup = l
	return c
}

// HasWarmup reports whether the course climbs first.
func (c Course) HasWarmup() bool { return c.warmup.N > 0 }

// Schedule is the course over a run. Until step hold it stays at 1 once it has
// climbed there.
func (c Course) Schedule(run Run, hold int) Schedule {
	climb := c.warmup.Steps(run)
	s := c.body(run, climb)
	if hold > climb {
		s = Hold(hold-climb, s)
	}
	if climb > 0 {
		s = Warmup(climb, s)
	}
	return s
}

// sampled is the course over a run of a thousand steps.
func (c Course) sampled() []float64 {
	const steps = 1000
	s, list := c.Schedule(Run{Steps: steps, PerEpoch: steps / 10}, 0), make([]float64, steps+1)
	for t := range list {
		list[t] = s(t, steps)
	}
	return list
}

// keys are the values of a course that have not been read yet.
type keys struct {
	name   string
	values map[string]string
	err    error
}

func (k *keys) fail(format string, args ...any) {
	if k.err == nil {
		k.err = fmt.Errorf(format, args...)
	}
}

// take returns the value of a key, or a default.
func (k *keys) take(key, otherwise string) string {
	v, ok := k.values[key]
	if !ok {
		return otherwise
	}
	delete(k.values, key)
	return v
}

func (k *keys) number(key string, otherwise float64, r span) float64 {
	text := k.take(key, "")
	if text == "" {
		return otherwise
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		k.fail("%s: %q is not a number", key, text)
	} else if !r.contains(v) {
		k.fail("%w", outside(key, "", v, r))
	}
	return v
}

func (k *keys) count(key string, otherwise, least, most int) int {
	return int(k.number(key, float64(otherwise), span{lo: float64(least), hi: float64(most), whole: true}))
}

func (k *keys) length(key, otherwise string) Length { return k.lengths(key, otherwise)[0] }

// lengths are joined by +.
func (k *keys) lengths(key, otherwise string) []Length {
	var list []Length
	for _, text := range strings.Split(k.take(key, otherwise), "+") {
		l, err := ParseLength(text)
		if err != nil {
			k.fail("%s: %w", key, err)
		}
		list = append(list, l)
	}
	return list
}

// check reports the first mistake, or a key that nobody wanted.
func (k *keys) check() error {
	for key := range k.values {
		k.fail("%s has no %q", k.name, key)
	}
	return k.err
}
