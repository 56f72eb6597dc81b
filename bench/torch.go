package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"finetune/bench/protocol"
)

// torch is PyTorch as it was found.
type torch struct {
	python  string
	version string // of PyTorch and of what belongs to it
}

// The states of PyTorch that are compared with.
const (
	installed = "installed" // as the distribution has it, but for the number of threads
	tuned     = "tuned"     // the allocator keeps memory, OpenBLAS uses AVX-512, OpenMP does not spin
)

const needed = `PyTorch was not found: only our side is measured, on models with random weights.
To compare, install PyTorch, torchvision and ONNX for Python:
	apt install python3-torch python3-torchvision   (Debian)
	pip install torch torchvision
and, if it is not the first python3 on the path, name the interpreter in BENCH_PYTHON.`

// findTorch looks for a Python that has PyTorch.
func findTorch() (*torch, error) {
	const probe = `import torch, torchvision, numpy; print(f"PyTorch {torch.__version__}, torchvision {torchvision.__version__}")`
	candidates := []string{"python3", "/usr/bin/python3", "python"}
	if p := os.Getenv("BENCH_PYTHON"); p != "" {
		candidates = []string{p}
	}
	for _, python := range candidates {
		if out, err := exec.Command(python, "-c", probe).Output(); err == nil {
			return &torch{python: python, version: strings.TrimSpace(string(out))}, nil
		}
	}
	return nil, errors.New(needed)
}

// environment is what a state adds to the environment. Both states are given
// their number of threads; without, PyTorch's matrix products would use all
// processors whatever was asked for.
func environment(state string, threads int) []string {
	env := []string{
		fmt.Sprintf("OMP_NUM_THREADS=%d", threads),
		fmt.Sprintf("OPENBLAS_NUM_THREADS=%d", threads),
		fmt.Sprintf("MKL_NUM_THREADS=%d", threads),
	}
	if state == tuned {
		env = append(env, tuning...)
	}
	return env
}

var tuning = []string{
	"MALLOC_MMAP_THRESHOLD_=4294967295",
	"MALLOC_TRIM_THRESHOLD_=8589934592",
	"MALLOC_TOP_PAD_=268435456",
	"OPENBLAS_CORETYPE=SKYLAKEX",
	"OMP_WAIT_POLICY=PASSIVE",
}

// start begins a job in a state.
func (t *torch) start(c *cache, j protocol.Job, state string) (*process, error) {
	return start(j, 0, environment(state, j.Threads), t.python, c.script("torch", "worker.py"))
}

// export writes the model of a job to a folder.
func (t *torch) export(c *cache, j protocol.Job, dir string) error {
	out, err := exec.Command(t.python, c.script("torch", "export.py"), j.Model, fmt.Sprint(j.Size), dir).CombinedOutput()
	if err != nil {
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		return fmt.Errorf("exporting %s: %s", j.Model, lines[len(lines)-1])
	}
	return nil
}
