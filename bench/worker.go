package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"finetune/bench/protocol"
	"finetune/internal/kernel"
)

// A worker is our side of a comparison: a process that is given a job and then
// makes steps when it is told to. It says the same as torch/worker.py and
// ort/worker.js.
type worker struct {
	in  *bufio.Scanner
	out *json.Encoder

	// The run at work.
	left    int
	steps   int
	made    int // steps since the start of the process
	start   time.Time
	mallocs uint64
	losses  []float64
}

// work is the whole process.
func work(text string) error {
	w := &worker{in: bufio.NewScanner(os.Stdin), out: json.NewEncoder(os.Stdout), losses: make([]float64, 0, protocol.FirstSteps)}
	err := w.do(text)
	if err != nil {
		_ = w.out.Encode(protocol.Answer{Error: err.Error()})
	}
	return err
}

func (w *worker) do(text string) error {
	var j protocol.Job
	if err := json.Unmarshal([]byte(text), &j); err != nil {
		return err
	}
	if err := kernel.CheckISA(); err != nil {
		return err
	}
	runtime.GOMAXPROCS(j.Threads)
	kernel.SetThreads(j.Threads)
	switch j.Mode {
	case "train":
		return w.train(j)
	case "evaluate":
		return w.evaluate(j)
	case "optimizer":
		return w.optimize(j)
	case "products":
		return w.products()
	}
	return fmt.Errorf("no mode %q", j.Mode)
}

// ready says that the first command may come, and waits for it.
func (w *worker) ready() {
	w.say(answer{Answer: protocol.Answer{Version: "finetune, " + kernel.ISA()}})
	w.wait()
}

// stepped notes that a step is done. After the last one of a run it answers and
// waits for the next command, so that the time of the wait is nobody's.
func (w *worker) stepped(loss float64) {
	w.left--
	w.made++
	if w.made <= protocol.FirstSteps {
		w.losses = append(w.losses, loss)
	}
	if w.left > 0 {
		return
	}
	a := answer{Answer: protocol.Answer{Seconds: time.Since(w.start).Seconds(), Losses: w.losses}}
	a.Allocs = float64(mallocs()-w.mallocs) / float64(w.steps)
	w.say(a)
	w.wait()
}

// wait carries out commands until one is to make steps. It ends the process at
// the end of the input.
func (w *worker) wait() {
	for w.in.Scan() {
		verb, number, _ := strings.Cut(w.in.Text(), " ")
		switch verb {
		case "run":
			w.steps, _ = strconv.Atoi(number)
			w.left = w.steps
			w.losses = w.losses[:0]
			w.mallocs = mallocs()
			w.start = time.Now()
			return
		case "memory":
			w.say(answer{Answer: protocol.Answer{Megabytes: protocol.PeakMemory()}})
		}
	}
	os.Exit(0)
}

func (w *worker) say(a answer) {
	if err := w.out.Encode(a); err != nil {
		os.Exit(1) // nobody listens
	}
}

func mallocs() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.Mallocs
}
