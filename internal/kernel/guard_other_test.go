//go:build !linux

package kernel

import (
	"slices"
	"testing"
)

// fenced is a copy of x.
func fenced(_ *testing.T, x []float32) []float32 { return slices.Clone(x) }
