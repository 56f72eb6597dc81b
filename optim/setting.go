package optim

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Setting gives a value to the parameters of a selector. Written out it is
// VALUE or SELECTOR=VALUE: 1e-5, layer:fc*=1e-4. A [Course] may follow, by which
// the value changes in the course of the run: 1e-5@linear:from=0,to=1.
//
// A field is meant for certain parameters: all of them for learning rates,
// momentum, betas and eps; those that are [Param.Decayed] for L1, L2, weight
// decay and pruning. A bare VALUE, which leaves Select zero, is for all of these,
// and a selector chooses among them: layer:fc*=1e-4 does not reach the biases of
// these layers. Parameters outside of that are reached by a role or a whole name:
// role:bias=1e-4, fc1.bias=1e-4; *=1e-4 is for all.
type Setting struct {
	Select Selector
	Value  float64
	Course Course // how the value changes with the steps; the zero Course is not at all
}

// ParseSetting reads VALUE or SELECTOR=VALUE, either with @COURSE behind it. The
// last = before the course separates the two.
func ParseSetting(whole string) (Setting, error) {
	var s Setting
	text, number := whole, whole
	if i := strings.LastIndexByte(text, '@'); i >= 0 {
		if _, err := strconv.ParseFloat(strings.TrimSpace(text[strings.LastIndexByte(text[:i], '=')+1:i]), 64); err == nil {
			course, err := ParseCourse(text[i+1:])
			if err != nil {
				return Setting{}, fmt.Errorf("setting %q: %w", whole, err)
			}
			s.Course = course
			text = text[:i]
			number = text
		}
	}
	if i := strings.LastIndexByte(text, '='); i >= 0 {
		sel, err := ParseSelector(text[:i])
		if err != nil {
			return Setting{}, err
		}
		s.Select, number = sel, text[i+1:]
	}
	v, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if err != nil {
		return Setting{}, fmt.Errorf("setting %q: want VALUE or SELECTOR=VALUE, and %q is not a number", whole, number)
	}
	s.Value = v
	return s, nil
}

// String is the setting in the form that ParseSetting reads.
func (s Setting) String() string {
	value := strconv.FormatFloat(s.Value, 'g', -1, 64)
	if !s.Course.IsZero() {
		value += "@" + s.Course.String()
	}
	if s.Select.IsZero() {
		return value
	}
	return s.Select.String() + "=" + value
}

// MarshalText is String, for JSON and YAML.
func (s Setting) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText is ParseSetting, for JSON, YAML and flags.
func (s *Setting) UnmarshalText(text []byte) error {
	var err error
	*s, err = ParseSetting(string(text))
	return err
}

// Settings are the values of one field. Where several match a parameter, the
// last one wins.
type Settings []Setting

// ParseSettings reads each text with ParseSetting.
func ParseSettings(texts ...string) (Settings, error) {
	var list Settings
	for _, text := range texts {
		s, err := ParseSetting(text)
		if err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	return list, nil
}

// Set is the one setting that gives value to the usual parameters of a field.
func Set(value float64) Settings { return Settings{{Value: value}} }

// scope says which parameters a field is meant for.
type scope func(*Param) bool

func everywhere(*Param) bool { return true }

func decayedOnly(p *Param) bool { return p.Decayed() }

// decide returns the last setting that concerns p.
func (list Settings) decide(p *Param, in scope) (Setting, bool) {
	for i := len(list) - 1; i >= 0; i-- {
		if list[i].concerns(p, in) {
			return list[i], true
		}
	}
	return Setting{}, false
}

// concerns reports whether s is for p: layer:fc* is for the weights of these
// layers where the field is for weights, role:bias and fc1.bias mean what they
// say.
func (s Setting) concerns(p *Param, in scope) bool {
	return s.Select.Match(p) && (in(p) || s.Select.names(p))
}

// span is a range of allowed values; the upper end is excluded where open, and
// all between whole numbers where whole.
type span struct {
	lo, hi float64
	open   bool
	whole  bool
}

var (
	// The chain computes in float32, which the largest values have to fit.
	nonNegative = span{lo: 0, hi: math.MaxFloat32}
	fraction    = span{lo: 0, hi: 1}
	belowOne    = span{lo: 0, hi: 1, open: true}
	insideOne   = span{lo: math.SmallestNonzeroFloat64, hi: 1, open: true}
	positive    = span{lo: math.SmallestNonzeroFloat64, hi: math.MaxFloat32}
	either      = span{lo: 0, hi: 1, whole: true}
)

func (r span) contains(v float64) bool {
	// False for NaN.
	return v >= r.lo && (v < r.hi || v == r.hi && !r.open) && (!r.whole || v == math.Trunc(v))
}

func (r span) String() string {
	if r == either {
		return "{0, 1}"
	}
	lo, hi, end := fmt.Sprintf("[%g", r.lo), fmt.Sprintf("%g", r.hi), "]"
	if r.lo == math.SmallestNonzeroFloat64 {
		lo = "(0"
	}
	if r.hi == math.MaxFloat32 {
		hi, end = "inf", ")"
	}
	if r.open {
		end = ")"
	}
	if r.whole {
		end += " without fractions"
	}
	return lo + ", " + hi + end
}

// check reports a value outside r, or a selector that selects nothing that the
// field is for.
func (list Settings) check(field string, r span, in scope, params []*Param) error {
	if err := list.checkValues(field, r); err != nil {
		return err
	}
	return list.checkSelectors(field, in, params)
}

// checkSelectors reports a selector that selects nothing that the field is for.
func (list Settings) checkSelectors(field string, in scope, params []*Param) error {
	for _, s := range list {
		if s.Select.IsZero() {
			continue
		}
		if err := s.Select.Check(params); err != nil {
			return fmt.Errorf("%s: %w", field, err)
		}
		if !slices.ContainsFunc(params, func(p *Param) bool { return s.concerns(p, in) }) {
			return fmt.Errorf("%s: selector %q selects no weights, and %s is for weights unless the selector is a role or a whole name, such as role:bias or fc1.bias",
				field, s.Select, field)
		}
	}
	return nil
}

// checkValues reports a value outside r, or one that its course leads out of r.
func (list Settings) checkValues(field string, r span) error {
	for _, s := range list {
		if !r.contains(s.Value) {
			return outside(field, s.String(), s.Value, r)
		}
		if s.Course.IsZero() {
			continue
		}
		for _, factor := range s.Course.sampled() {
			if v := s.Value * factor; !r.contains(v) {
				return fmt.Errorf("%s %q: comes to %.3g, which is not in %v", field, s, v, r)
			}
		}
	}
	return nil
}

// outside is the error for a value that its field does not allow. text is how
// it was given, where that says more than the value.
func outside(field, text string, value float64, r span) error {
	if bare := (Setting{Value: value}).String(); text != "" && text != bare {
		return fmt.Errorf("%s %q: %s is not in %v", field, text, bare, r)
	}
	return fmt.Errorf("%s: %g is not in %v", field, value, r)
}
