package main

// The rules of output:
//
//   - Results go to standard output: tables for people, or with --json one
//     object a line. Nothing else does.
//   - Everything else goes to standard error with a "finetune:" prefix, without
//     capitalized initials and without periods at the end.
//   - An error is one "finetune: error:" line, then "finetune: hint:" lines
//     that say what would help.
//   - A progress bar is drawn only where standard error is a terminal that can, and
//     is gone when the work is done.
//   - NO_COLOR is honoured by never using colour.

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"finetune/internal/kernel"
)

// console is where a command writes, and the flags that all verbs share.
type console struct {
	out, err io.Writer
	terminal bool // err is one, which can draw a bar
	json     bool
	quiet    bool
	threads  int
	flags    *pflag.FlagSet // of the verb, parsed
	recipe   string         // path of --recipe
	origin   map[string]int // lines of the recipe that flags come from
}

func newConsole(stdout, stderr io.Writer) *console {
	f, isFile := stderr.(*os.File)
	return &console{out: stdout, err: stderr, terminal: isFile && drawsBar(f)}
}

// drawsBar reports whether f is a terminal that can go back to the start of a line,
// and whose lines are long enough for a bar.
func drawsBar(f *os.File) bool {
	const bar = 72
	width, _, err := term.GetSize(int(f.Fd()))
	return err == nil && (width == 0 || width >= bar) && os.Getenv("TERM") != "dumb"
}

func (c *console) addFlags(flags *pflag.FlagSet) {
	flags.BoolVar(&c.json, "json", false, "print results as JSON, one object a line")
	flags.BoolVarP(&c.quiet, "quiet", "q", false, "print results and errors only")
	flags.IntVar(&c.threads, "threads", 0, "use `N` processor cores; 0 is all. Results do not depend on it")
	heading(flags, "General")
}

// start applies the shared flags.
func (c *console) start() error {
	if err := kernel.CheckISA(); err != nil {
		return err
	}
	const most = 1024
	if c.threads < 0 || c.threads > most {
		return &usageError{what: fmt.Sprintf("--threads is %d, want 0 (all) to %d", c.threads, most)}
	}
	if c.threads > 0 {
		kernel.SetThreads(c.threads)
		runtime.GOMAXPROCS(c.threads) // for what is no number crunching, such as decoding images
	}
	return nil
}

// printf writes a result.
func (c *console) printf(format string, args ...any) { fmt.Fprintf(c.out, format, args...) }

// notef tells what is going on.
func (c *console) notef(format string, args ...any) {
	if !c.quiet {
		fmt.Fprintf(c.err, "finetune: "+format+"\n", args...)
	}
}

// warnf tells what the user should know even with --quiet.
func (c *console) warnf(format string, args ...any) {
	fmt.Fprintf(c.err, "finetune: warning: "+format+"\n", args...)
}

// object writes one line of JSON.
func (c *console) object(v any) error {
	return json.NewEncoder(c.out).Encode(v)
}

// table writes rows under a header. Columns named in right are aligned right.
func (c *console) table(header table.Row, rows []table.Row, right ...string) {
	t := table.NewWriter()
	style := table.StyleDefault
	style.Options = table.OptionsNoBordersAndSeparators
	style.Box.PaddingLeft = ""
	style.Box.PaddingRight = "  "
	style.Format.Header = text.FormatDefault
	style.Format.Footer = text.FormatDefault
	t.SetStyle(style)
	t.AppendHeader(header)
	t.AppendRows(rows)
	var configs []table.ColumnConfig
	for _, name := range right {
		configs = append(configs, table.ColumnConfig{Name: name, Align: text.AlignRight, AlignHeader: text.AlignRight})
	}
	t.SetColumnConfigs(configs)
	t.SuppressTrailingSpaces()
	fmt.Fprintln(c.out, t.Render())
}

// fail writes an error and its hints.
func (c *console) fail(err error) {
	fmt.Fprintf(c.err, "finetune: error: %s\n", strings.TrimPrefix(err.Error(), "finetune: "))
	var h interface{ Hints() []string }
	if errors.As(err, &h) {
		for _, hint := range h.Hints() {
			fmt.Fprintf(c.err, "finetune: hint: %s\n", hint)
		}
	}
}

// A usageError is a mistake on the command line: exit status 2.
type usageError struct {
	what  string
	hints []string
}

func (e *usageError) Error() string   { return e.what }
func (e *usageError) Hints() []string { return e.hints }

// A hintedError adds what would help to an error of another package.
type hintedError struct {
	error
	hints []string
}

func (e *hintedError) Unwrap() error   { return e.error }
func (e *hintedError) Hints() []string { return e.hints }

func withHint(err error, hints ...string) error { return &hintedError{err, hints} }
