package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"finetune/bench/protocol"
)

// process is one side at work.
type process struct {
	cmd    *exec.Cmd
	in     io.WriteCloser
	out    *bufio.Scanner
	errors strings.Builder
	first  answer // what it said when it was ready

	patience time.Duration // for an answer; 0 is for ever
}

// start runs a program with a job, and waits until it has prepared it, with the
// patience that it needs for answers too. env is added to the environment.
func start(j protocol.Job, patience time.Duration, env []string, name string, args ...string) (*process, error) {
	text, err := json.Marshal(j)
	if err != nil {
		return nil, err
	}
	p := &process{cmd: exec.Command(name, append(args, string(text))...), patience: patience}
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Stderr = &p.errors
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.out = bufio.NewScanner(out)
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	if p.first, err = p.answer(); err != nil {
		p.stop()
		return nil, err
	}
	return p, nil
}

// ask gives a command and returns the answer.
func (p *process) ask(command string) (answer, error) {
	if _, err := fmt.Fprintln(p.in, command); err != nil {
		return answer{}, err
	}
	return p.answer()
}

func (p *process) answer() (answer, error) {
	var late atomic.Bool
	if p.patience > 0 {
		t := time.AfterFunc(p.patience, func() {
			late.Store(true)
			_ = p.cmd.Process.Kill()
		})
		defer t.Stop()
	}
	var a answer
	if !p.out.Scan() {
		lines := strings.Split(strings.TrimSpace(p.errors.String()), "\n")
		if late.Load() {
			return a, fmt.Errorf("%s did not answer within %v", filepath.Base(p.cmd.Path), p.patience)
		}
		return a, fmt.Errorf("%s ended: %s", filepath.Base(p.cmd.Path), lines[len(lines)-1])
	}
	if err := json.Unmarshal(p.out.Bytes(), &a); err != nil {
		return a, fmt.Errorf("%s said %q", p.cmd.Path, p.out.Text())
	}
	if a.Error != "" {
		const most = 200
		first, _, _ := strings.Cut(a.Error, "\n")
		if len(first) > most {
			first = strings.ToValidUTF8(first[:most], "") + " …"
		}
		return a, errors.New(first)
	}
	return a, nil
}

// steps makes k steps and returns the seconds each took. Threads of the other
// side that still look for work get time to fall asleep before.
func (p *process) steps(k int) (seconds float64, a answer, err error) {
	time.Sleep(gap)
	a, err = p.ask(fmt.Sprintf("run %d", k))
	return a.Seconds / float64(k), a, err
}

// stop ends the process.
func (p *process) stop() {
	p.in.Close()
	done := make(chan struct{})
	go func() {
		_ = p.cmd.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(5 * time.Second):
		_ = p.cmd.Process.Kill()
		<-done
	}
}
