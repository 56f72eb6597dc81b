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
	processor string
	cores     int
	memory    string
	system    string
	peak      float64 // floating-point operations per second of one thread
	isa       string
	golang    string
	revision  string
}

func describeMachine() machine {
	m := machine{
		processor: field("/proc/cpuinfo", "model name"),
		cores:     runtime.NumCPU(),
		memory:    field("/proc/meminfo", "MemTotal"),
		system:    runtime.GOOS + "/" + runtime.GOARCH,
		isa:       kernel.ISA(),
		golang:    runtime.Version(),
	}
	m.peak = peak()
	if family := field("/proc/cpuinfo", "cpu family"); family != "" {
		m.processor += fmt.Sprintf(" (family %s, model %s)", family, field("/proc/cpuinfo", "model"))
	}
	if out, err := exec.Command("git", "describe", "--always", "--dirty").Output(); err == nil {
		m.revision = strings.TrimSpace(string(out))
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
