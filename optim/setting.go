package optim

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Setting gives a value to the parameters of a selector. Written out it is
// VALUE or SELECTOR=VALUE: 1e-5, layer:fc*=1e-4.
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
}

// ParseSetting reads VALUE or SELECTOR=VALUE. The last = separates the two.
func ParseSetting(text string) (Setting, error) {
	var s Setting
	number := text
	if i := strings.LastIndexByte(text, '='); i >= 0 {
		sel, err := ParseSelector(text[:i])
		if err != nil {
			return Setting{}, err
		}
		s.Select, number = sel, text[i+1:]
	}
	v, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if err != nil {
		return Setting{}, fmt.Errorf("setting %q: want VALUE or SELECTOR=VALUE, and %q is not a number", text, number)
	}
	s.Value = v
	return s, nil
}

// String is the setting in the form that ParseSetting reads.
func (s Setting) String() string {
	value := strconv.FormatFloat(s.Value, 'g', -1, 64)
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

// span is a range of allowed values; the upper end is excluded where open.
type span struct {
	lo, hi float64
	open   bool
}

var (
	// The chain computes in float32, which the largest values have to fit.
	nonNegative = span{lo: 0, hi: math.MaxFloat32}
	fraction    = span{lo: 0, hi: 1}
	belowOne    = span{lo: 0, hi: 1, open: true}
)

func (r span) contains(v float64) bool {
	return v >= r.lo && (v < r.hi || v == r.hi && !r.open) // false for NaN
}

func (r span) String() string {
	switch {
	case r.hi == math.MaxFloat32:
		return fmt.Sprintf("[%g, inf)", r.lo)
	case r.open:
		return fmt.Sprintf("[%g, %g)", r.lo, r.hi)
	}
	return fmt.Sprintf("[%g, %g]", r.lo, r.hi)
}

// check reports a value outside r, or a selector that selects nothing that the
// field is for.
func (list Settings) check(field string, r span, in scope, params []*Param) error {
	for _, s := range list {
		if !r.contains(s.Value) {
			return outside(field, s.String(), s.Value, r)
		}
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

// outside is the error for a value that its field does not allow. text is how
// it was given, where that says more than the value.
func outside(field, text string, value float64, r span) error {
	if bare := (Setting{Value: value}).String(); text != "" && text != bare {
		return fmt.Errorf("%s %q: %s is not in %v", field, text, bare, r)
	}
	return fmt.Errorf("%s: %g is not in %v", field, value, r)
}
