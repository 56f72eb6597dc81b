package main

import (
	"errors"
	"math"
	"strings"
)

// byteSize is the value of a flag that takes a number of bytes, as in 500MB or
// 1.5GiB. Without a text it is 0.
type byteSize struct {
	bytes int64
	text  string
}

var byteUnits = []struct {
	name  string
	bytes float64
}{
	{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40},
	{"kB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12},
	{"K", 1e3}, {"M", 1e6}, {"G", 1e9}, {"T", 1e12}, {"B", 1},
}

func (s *byteSize) Set(text string) error {
	if text == "" {
		*s = byteSize{}
		return nil
	}
	number, unit := text, 1.0
	for _, u := range byteUnits {
		if len(text) > len(u.name) && strings.EqualFold(text[len(text)-len(u.name):], u.name) {
			number, unit = text[:len(text)-len(u.name)], u.bytes
			break
		}
	}
	n, err := parseNumber(number)
	if n *= unit; err != nil || !(n >= 0 && n < math.MaxInt64) {
		return errors.New("want a size such as 500MB or 2GB")
	}
	s.bytes, s.text = int64(n), text
	return nil
}

func (s *byteSize) String() string { return s.text }

// Type names the value in messages of pflag.
func (s *byteSize) Type() string { return "size" }
