package kernel

import (
	"fmt"
	"os"
	"strings"
)

// active has the inner loops for the best instruction set of this processor, or
// for the one that the environment variable KERNEL_ISA names: generic, avx2 and
// avx512 on amd64, neon on arm64. Results of different instruction sets differ
// by rounding.
var active *table

var isaError error

func init() { active, isaError = choose(os.Getenv("KERNEL_ISA"), tables()) }

// choose finds the table of a name; with an empty one it is the last.
func choose(name string, supported []*table) (*table, error) {
	best := supported[len(supported)-1]
	if name == "" {
		return best, nil
	}
	names := make([]string, len(supported))
	for i, t := range supported {
		if t.name == name {
			return t, nil
		}
		names[i] = t.name
	}
	return best, fmt.Errorf("KERNEL_ISA is %q, want one that this processor and build support: %s", name, strings.Join(names, ", "))
}

// ISA names the instruction set that the kernels use.
func ISA() string { return active.name }

// CheckISA tells whether the environment variable KERNEL_ISA asks for an
// instruction set that is not there. Kernels then use the best one.
func CheckISA() error { return isaError }
