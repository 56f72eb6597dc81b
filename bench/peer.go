package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"finetune/bench/protocol"
)

// A peer is another library in Go that trains. Its side of the comparison is a
// program in a module of its own, in the folder of its name, so that nothing of
// ours depends on it.
type peer struct {
	name    string // a state, like those of PyTorch
	folder  string
	program string // built
}

var peers = []*peer{
	{name: "onnx-gomlx", folder: "gomlx"},
	{name: "gorgonia", folder: "gorgonia"},
}

// peerWorkloads are what peers are asked to do; they say so if they cannot.
var peerWorkloads = []string{"mlp-small", "mlp-mnist", "mlp-large", "cnn", "transformer", "lstm"}

// peerPatience is how long a peer may take over one command. Some need seconds
// for a step.
const peerPatience = 2 * time.Minute

// peerPace is enough for ratios that are this far from one.
var peerPace = pace{rounds: fewRounds, losses: protocol.FirstSteps, limit: 15 * time.Second}

func findPeer(name string) *peer {
	for _, p := range peers {
		if p.name == name {
			return p
		}
	}
	return nil
}

// start begins a job, after building the program if that was not done.
func (p *peer) start(c *cache, j protocol.Job) (*process, error) {
	if err := p.build(c); err != nil {
		return nil, err
	}
	return start(j, peerPatience, nil, p.program)
}

// build makes the program from its sources, which are beside ours when bench is
// run from the root of the project.
func (p *peer) build(c *cache) error {
	if p.program != "" {
		return nil
	}
	folder := filepath.Join("bench", p.folder)
	if _, err := os.Stat(filepath.Join(folder, "go.mod")); err != nil {
		return errors.New("run bench from the root of the project to compare with it")
	}
	program := filepath.Join(c.dir, p.folder)
	if out, err := exec.Command("go", "build", "-C", folder, "-o", program, ".").CombinedOutput(); err != nil {
		first, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
		return fmt.Errorf("cannot be built: %s", first)
	}
	p.program = program
	return nil
}

// measurePeers compares with every peer, on one thread.
func (b *bench) measurePeers() error {
	for _, p := range peers {
		for _, name := range peerWorkloads {
			if b.only != "" && name != b.only {
				continue
			}
			w, err := find(name)
			if err != nil {
				return err
			}
			if err := b.measure("peers", name+"/"+p.name, func(r *result) error {
				one := b.row(w, setting{size: w.size, batch: w.batch, threads: 1, state: p.name, pace: peerPace})
				r.Row = &one
				return one.print(b.log, false)
			}); err != nil {
				return err
			}
		}
	}
	return nil
}
