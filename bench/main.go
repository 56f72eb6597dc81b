// Bench measures training steps of finetune beside PyTorch's, on the same models,
// the same weights and the same batches, and writes docs/benchmarks.md:
//
//	go run ./bench                            everything; about half an hour
//	go run ./bench --part table --only cnn    this row anew, the rest of the page as it was
//	go run ./bench --only resnet18 --json     one workload, for machines; no page
//	go run ./bench --only cnn --profile 20    where the time of our steps goes; no page
//	go run ./bench sparsity                   pruning beside PyTorch's: docs/sparsity.md
//
// A workload is a process on each side, ours and PyTorch's, that makes steps when
// it is told to. They are told in turn, with a gap between them, for some rounds;
// a ratio is the median of the rounds' ratios. Before that both make 20 steps
// whose losses have to agree, or the row does not count.
//
//	workload.go     what is measured
//	comparison.go   how, and row.go what comes of it
//	protocol/       what a process is asked, and what it answers
//	worker.go       our process: training.go; torch/worker.py is PyTorch's, and
//	                ort/worker.js ONNX Runtime's, which evaluations are compared with
//	peer.go         other libraries in Go: gomlx and gorgonia, modules of their own
//	cache.go        models, which torch/export.py makes, and examples.go
//	sweep.go        how times grow; startup.go how long it takes to begin;
//	                identity.go what losses depend on
//	products.go     the speed of matrix products
//	parts.go        what the page is made of; results.go keeps what was measured
//	report.go       the page; chart.go its pictures
//	sparsity.go     the study of pruning; sparsitysubject.go its models,
//	                sparsitymethod.go what they are pruned by, sparsitytrial.go a
//	                run of ours or of torch/prune.py, sparsitycell.go the mean of
//	                some, sparsitypage.go its page
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"finetune/bench/protocol"
)

const (
	workerVerb = "worker"
	modelFile  = "model.onnx"
	without    = "none" // as --l1-as
)

func main() {
	if len(os.Args) == 3 && os.Args[1] == workerVerb {
		if work(os.Args[2]) != nil {
			os.Exit(1)
		}
		return
	}
	verb := func(args []string) error { return run(args, os.Stdout, os.Stderr) }
	args := os.Args[1:]
	if len(args) > 0 && args[0] == sparsityVerb {
		verb, args = func(args []string) error { return runStudy(args, os.Stderr) }, args[1:]
	}
	if err := verb(args); err != nil {
		if err != flag.ErrHelp {
			fmt.Fprintln(os.Stderr, "bench:", err)
		}
		os.Exit(1)
	}
}

// bench is a run of this program.
type bench struct {
	only    string
	threads int
	torch   string
	json    bool
	rounds  int
	l1As    string
	foreach bool
	profile int
	page    string
	part    string
	keep    bool

	out, log io.Writer
	revision string
	results  *results
	cache    *cache
	python   *torch
	ort      *onnxRuntime
}

func run(args []string, out, log io.Writer) error {
	b := &bench{out: out, log: log}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(log)
	flags.StringVar(&b.only, "only", "", "measure this `NAME`: "+strings.Join(names(), ", "))
	flags.IntVar(&b.threads, "threads", 0, "use `N` threads (default 1 and 2)")
	flags.StringVar(&b.torch, "torch", "", "compare with PyTorch in this `STATE`, tuned or installed (default both), or with a peer, onnx-gomlx or gorgonia")
	flags.BoolVar(&b.json, "json", false, "print a line of JSON per row, and write no page")
	flags.IntVar(&b.rounds, "rounds", 15, "take the median of `N` rounds, or more")
	flags.StringVar(&b.l1As, "l1-as", "loss", "give L1 to PyTorch as a term of the loss, or as the sign of the weights added to the gradients, or not at all, nor a mask to its optimizer: `HOW`, loss, sign or none; with none losses are not compared")
	flags.BoolVar(&b.foreach, "foreach", false, "let PyTorch's AdamW take all tensors at once")
	flags.IntVar(&b.profile, "profile", 0, "say where the time of `N` of our steps goes, instead of comparing")
	flags.StringVar(&b.page, "page", "docs/benchmarks.md", "write the page to `FILE`, and what was measured to the folder benchmarks beside it")
	flags.StringVar(&b.part, "part", "", "measure these `PARTS` of the page, and keep the others: "+strings.Join(partNames(), ",")+"; "+onlyPage+" is none")
	flags.BoolVar(&b.keep, "keep", false, "keep what was measured at this revision, of a run that was stopped for instance")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if err := b.check(flags.Args()); err != nil {
		return err
	}
	var err error
	if b.cache, err = newCache(); err != nil {
		return err
	}
	if b.python, err = findTorch(); err != nil {
		fmt.Fprintln(log, err)
	}
	if b.ort, err = findONNXRuntime(); err != nil {
		fmt.Fprintln(log, err)
	}
	switch {
	case b.profile > 0:
		return b.profiles()
	case b.part == "" && (b.json || b.only != "" || b.threads > 0 || b.torch != ""):
		return b.printTable()
	}
	return b.report()
}

func (b *bench) check(rest []string) error {
	if b.only != "" {
		if _, err := find(b.only); err != nil {
			return err
		}
	}
	if err := b.checkParts(); err != nil {
		return err
	}
	switch {
	case len(rest) > 0:
		return fmt.Errorf("unexpected %q", rest)
	case b.threads < 0 || b.threads > 1024:
		return fmt.Errorf("--threads is %d, want 1 to 1024", b.threads)
	case b.torch != "" && b.torch != tuned && b.torch != installed && findPeer(b.torch) == nil:
		return fmt.Errorf("--torch is %q, want %s or %s, or a peer: onnx-gomlx or gorgonia", b.torch, tuned, installed)
	case b.rounds < 1:
		return fmt.Errorf("--rounds is %d, want 1 or more", b.rounds)
	case b.profile < 0:
		return fmt.Errorf("--profile is %d, want 1 or more", b.profile)
	case b.l1As != "loss" && b.l1As != "sign" && b.l1As != without:
		return fmt.Errorf("--l1-as is %q, want loss, sign or none", b.l1As)
	}
	return nil
}

// wanted are the workloads and the numbers of threads that were asked for.
func (b *bench) wanted() (list []workload, threads []int) {
	for _, w := range workloads {
		if b.only == "" || w.name == b.only {
			list = append(list, w)
		}
	}
	if b.threads > 0 {
		return list, []int{b.threads}
	}
	return list, []int{1, 2}
}

// eachRow calls f for each row that was asked for.
func (b *bench) eachRow(f func(w workload, threads int, state string) error) error {
	list, threads := b.wanted()
	for _, w := range list {
		for _, n := range threads {
			for _, state := range b.states(w) {
				if err := f(w, n, state); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// printTable measures the workloads and prints a line for each row.
func (b *bench) printTable() error {
	return b.eachRow(func(w workload, threads int, state string) error {
		r := b.row(w, setting{size: w.size, batch: w.batch, threads: threads, state: state, pace: b.pace()})
		return r.print(b.out, b.json)
	})
}

// pace is that of the table.
func (b *bench) pace() pace { return pace{rounds: b.rounds, losses: protocol.FirstSteps} }

const (
	withONNXRuntime = "onnxruntime"
	alone           = "none"
)

// states are what a workload is compared with; without PyTorch, nothing.
func (b *bench) states(w workload) []string {
	var list []string
	if w.mode == "evaluate" && b.ort != nil && b.torch == "" {
		list = append(list, withONNXRuntime)
	}
	switch {
	case b.torch != "":
		list = append(list, b.torch)
	case b.python != nil:
		list = append(list, tuned, installed)
	case list == nil:
		list = append(list, alone)
	}
	return list
}

// setting is how a workload is run.
type setting struct {
	size, batch, threads int
	sparsity             float64
	state                string // of PyTorch, or ONNX Runtime
	pace                 pace
}

// row measures a workload.
func (b *bench) row(w workload, s setting) row {
	r := row{Workload: w.name, Batch: s.batch, Threads: s.threads, Torch: s.state}
	j := w.job(s.size, s.batch, s.threads)
	j.L1As, j.Foreach, j.Sparsity = b.l1As, b.foreach, s.sparsity
	if err := b.cache.prepare(&j, w.tokens, b.python); err != nil {
		r.Note = err.Error()
		return r
	}
	var theirs func() (*process, error)
	switch {
	case findPeer(s.state) != nil:
		theirs = func() (*process, error) { return findPeer(s.state).start(b.cache, j) }
	case s.state == withONNXRuntime:
		theirs = func() (*process, error) { return b.ort.start(b.cache, j) }
	case b.python != nil:
		theirs = func() (*process, error) { return b.python.start(b.cache, j, s.state) }
	}
	compare(&r, j, s.pace, theirs)
	return r
}
