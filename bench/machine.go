package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"

	"finetune/internal/kernel"
)

// machine is what the figures depend on.
type machine struct {
	Processor string  `json:"processor"`
	Cores     int     `json:"cores"`
	Memory    string  `json:"memory"`
	System    string  `json:"system"`
	Peak      float64 `json:"peak"` // floating-point operations per second of one thread
	ISA       string  `json:"isa"`
	Golang    string  `json:"golang"`
	Revision  string  `json:"revision"`
}

func describeMachine() machine {
	m := machine{
		Processor: field("/proc/cpuinfo", "model name"),
		Cores:     runtime.NumCPU(),
		Memory:    field("/proc/meminfo", "MemTotal"),
		System:    runtime.GOOS + "/" + runtime.GOARCH,
		ISA:       kernel.ISA(),
		Golang:    runtime.Version(),
		Revision:  "unknown",
	}
	m.Peak = peak()
	if family := field("/proc/cpuinfo", "cpu family"); family != "" {
		m.Processor += fmt.Sprintf(" (family %s, model %s)", family, field("/proc/cpuinfo", "model"))
	}
	if out, err := exec.Command("git", "rev-parse", "--short", "HEAD").Output(); err == nil {
		m.Revision = strings.TrimSpace(string(out))
		// The page itself changes while it is measured.
		if exec.Command("git", "diff-index", "--quiet", "HEAD", "--", ":/", ":(exclude,top)docs").Run() != nil {
			m.Revision += "-dirty"
		}
	}
	return m
}

// peak is the best of several measurements: a neighbour may take some of the
// processor's time.
func peak() float64 {
	const tries = 9
	best := 0.0
	for range tries {
		best = max(best, kernel.Peak())
	}
	return best
}

// field is the value of the first line of a file that begins with a name.
func field(path, name string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
