// Command finetune takes an exported ONNX model, fine-tunes it on the user's
// own data, makes it sparse, and writes ONNX back.
//
// A verb says what to do; `finetune help VERB` says how. Each verb lives in a
// file of its own, the rules of output in output.go.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/spf13/pflag"

	"finetune/internal/nearest"
	"finetune/train"
)

// Exit statuses, as `finetune help` lists them.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitInterrupted = 130
)

// A verb is one thing that finetune can do.
type verb struct {
	name  string
	args  string // what follows the name, for the usage line
	short string // one line for the list of verbs
	long  string // a paragraph or two and examples
	make  func() command
}

// A command is a verb with the values of its flags.
type command interface {
	addFlags(*pflag.FlagSet)
	run(ctx context.Context, c *console, args []string) error
}

// verbs in the order in which a newcomer needs them.
func verbs() []verb {
	return []verb{demoVerb, inspectVerb, checkVerb, paramsVerb, recipeVerb, trainVerb, evalVerb, pruneVerb, versionVerb, helpVerb}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// After the first signal a second one ends the program at once.
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run is the whole program: it returns the exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	c := newConsole(stdout, stderr)
	err := guarded(func() error { return dispatch(ctx, c, args) })
	if err == nil {
		return exitDone
	}
	c.fail(err)
	if _, ok := errors.AsType[*usageError](err); ok {
		return exitUsage
	}
	if e, ok := errors.AsType[*train.InterruptedError](err); ok && e.Checkpoint != "" {
		return exitInterrupted
	}
	return exitFailed
}

// guarded turns a panic, which is a mistake in the program, into an error.
func guarded(f func() error) (err error) {
	defer func() {
		reason := recover()
		if reason == nil {
			return
		}
		err = withHint(fmt.Errorf("internal error: %v", reason), "this is a mistake in finetune, not in what it was given; FINETUNE_TRACE=1 in the environment shows where")
		if os.Getenv("FINETUNE_TRACE") != "" {
			err = fmt.Errorf("internal error: %v\n%s", reason, debug.Stack())
		}
	}()
	return f()
}

func dispatch(ctx context.Context, c *console, args []string) error {
	if len(args) == 0 {
		fmt.Fprint(c.err, overview())
		return &usageError{what: "no verb given", hints: []string{"try `finetune demo`"}}
	}
	name := args[0]
	switch name {
	case "-h", "--help":
		name = "help"
	case "--version":
		name = "version"
	}
	v, err := findVerb(name)
	if err != nil {
		return err
	}
	cmd := v.make()
	flags := newFlagSet(v, cmd)
	c.addFlags(flags)
	if err := flags.Parse(args[1:]); err != nil {
		if errors.Is(err, pflag.ErrHelp) {
			fmt.Fprint(c.out, verbHelp(v))
			return nil
		}
		return flagError(v, flags, err)
	}
	c.flags = flags
	if err := c.start(); err != nil {
		return err
	}
	if err := c.readRecipe(flags); err != nil {
		return err
	}
	c.warnIdle(flags)
	return c.placed(cmd.run(ctx, c, flags.Args()))
}

func findVerb(name string) (verb, error) {
	var names []string
	for _, v := range verbs() {
		if v.name == name {
			return v, nil
		}
		names = append(names, v.name)
	}
	e := &usageError{what: fmt.Sprintf("unknown verb %q", name)}
	if strings.HasSuffix(name, ".onnx") {
		e.hints = append(e.hints, fmt.Sprintf("a verb comes first, as in `finetune inspect %s`", name))
	}
	e.hints = append(e.hints, didYouMean(name, names)...)
	e.hints = append(e.hints, "the verbs are "+strings.Join(names, ", "))
	return verb{}, e
}

func newFlagSet(v verb, cmd command) *pflag.FlagSet {
	flags := pflag.NewFlagSet(v.name, pflag.ContinueOnError)
	flags.SortFlags = false
	flags.Usage = func() {}
	cmd.addFlags(flags)
	return flags
}

func didYouMean(name string, have []string) []string {
	var hints []string
	for _, near := range nearest.Names(name, have) {
		hints = append(hints, fmt.Sprintf("did you mean %q?", near))
	}
	return hints
}
