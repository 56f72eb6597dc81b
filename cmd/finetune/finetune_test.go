package main

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"

	"finetune/internal/corpus"
	"finetune/internal/onnxpb"
	"finetune/onnxload"
	"finetune/optim"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"finetune": main})
}

// TestScripts runs every script in testdata: one behaviour of the program each.
// Besides the usual commands they have
//
//	make NAME…                    one of the fixtures of fixtures_test.go
//	onnx FILE.pb MODEL.onnx       a model written as protobuf text
//	refuse STATUS COMMAND…        the command ends with that status, says one error
//	                              and no result, and leaves all files as they were
//	interrupt STATUS FILE COMMAND…  the command gets an interrupt as soon as the file
//	                              is there, and ends with that status
//	[!] same-weights A B NAME…    parameters of two models are equal to the bit
//	zeros MODEL NAME N            a parameter has exactly N zeros
//
// and the condition [corpus], whether the models and data of ../shared are there;
// $CORPUS is their folder. With FINETUNE_UPDATE=1 in the environment the texts that
// scripts compare with are written anew: look at the difference.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:           "testdata",
		UpdateScripts: os.Getenv("FINETUNE_UPDATE") != "",
		Setup: func(e *testscript.Env) error {
			e.Setenv("CORPUS", corpus.Root())
			return nil
		},
		Condition: func(name string) (bool, error) {
			if name != "corpus" {
				return false, errors.New("unknown condition " + name)
			}
			_, err := os.Stat(filepath.Join(corpus.Root(), "models"))
			if err != nil && os.Getenv("CI") != "" {
				return false, err
			}
			return err == nil, nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"make":         makeFixtures,
			"onnx":         encodeModel,
			"refuse":       refuse,
			"interrupt":    interrupt,
			"same-weights": sameWeights,
			"zeros":        zeros,
		},
	})
}

func makeFixtures(ts *testscript.TestScript, neg bool, args []string) {
	for _, name := range args {
		build := fixtures[name]
		if build == nil {
			ts.Fatalf("no fixture %q", name)
		}
		ts.Check(build(ts.MkAbs(name)))
	}
}

func encodeModel(ts *testscript.TestScript, neg bool, args []string) {
	var m onnxpb.ModelProto
	ts.Check(prototext.Unmarshal([]byte(ts.ReadFile(args[0])), &m))
	b, err := proto.Marshal(&m)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), b, 0o666))
}

func refuse(ts *testscript.TestScript, neg bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	before := listing(ts)
	status := 0
	err = ts.Exec(args[1], args[2:]...)
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		status = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if status != want {
		ts.Fatalf("got exit status %d, want %d", status, want)
	}
	if out := ts.ReadFile("stdout"); out != "" {
		ts.Fatalf("got %q on standard output, want nothing", out)
	}
	if n := strings.Count(ts.ReadFile("stderr"), "finetune: error: "); n != 1 {
		ts.Fatalf("got %d errors, want 1", n)
	}
	if after := listing(ts); !slices.Equal(before, after) {
		ts.Fatalf("got files %q, want those from before: %q", after, before)
	}
}

// listing is every file of the script's folder with its content.
func listing(ts *testscript.TestScript) []string {
	var list []string
	ts.Check(filepath.WalkDir(ts.MkAbs("."), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		list = append(list, path+"\x00"+string(b))
		return err
	}))
	return list
}

func interrupt(ts *testscript.TestScript, neg bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	cmd := exec.Command(args[2], args[3:]...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = ts.MkAbs("."), ts.Stdout(), ts.Stderr()
	ts.Check(cmd.Start())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for {
		if _, err := os.Stat(ts.MkAbs(args[1])); err == nil {
			break
		}
		select {
		case <-ended:
			ts.Fatalf("the command ended before %s was there", args[1])
		case <-time.After(2 * time.Millisecond):
		}
	}
	ts.Check(cmd.Process.Signal(os.Interrupt))
	<-ended
	if status := cmd.ProcessState.ExitCode(); status != want {
		ts.Fatalf("got exit status %d, want %d", status, want)
	}
}

func sameWeights(ts *testscript.TestScript, neg bool, args []string) {
	for _, name := range args[2:] {
		a, b := parameter(ts, args[0], name), parameter(ts, args[1], name)
		if same := slices.Equal(a.Value, b.Value); same == neg {
			ts.Fatalf("parameter %s: got equal %v, want %v", name, same, !neg)
		}
	}
}

func zeros(ts *testscript.TestScript, neg bool, args []string) {
	want, err := strconv.Atoi(args[2])
	ts.Check(err)
	if got := parameter(ts, args[0], args[1]).Zeros(); got != want {
		ts.Fatalf("parameter %s: got %d zeros, want %d", args[1], got, want)
	}
}

func parameter(ts *testscript.TestScript, path, name string) *optim.Param {
	m, err := onnxload.Open(ts.MkAbs(path))
	ts.Check(err)
	for _, p := range m.Params {
		if p.Name == name {
			return p
		}
	}
	ts.Fatalf("%s has no parameter %q", path, name)
	return nil
}

// Help pages fit a terminal of 80 columns, and each flag has a heading.
func TestHelpFits(t *testing.T) {
	pages := [][]string{{"help"}}
	for topic := range topics {
		pages = append(pages, []string{"help", topic})
	}
	for _, v := range verbs() {
		pages = append(pages, []string{"help", v.name})
	}
	for _, page := range pages {
		var out, err bytes.Buffer
		if status := run(t.Context(), page, &out, &err); status != exitDone {
			t.Fatalf("%q: got status %d, want %d: %s", page, status, exitDone, &err)
		}
		for line := range strings.Lines(out.String()) {
			if n := len([]rune(strings.TrimRight(line, "\n"))); n > pageWidth && !strings.HasPrefix(line, "  finetune ") {
				t.Errorf("%q: got a line of %d characters, want at most %d: %s", page, n, pageWidth, line)
			}
		}
	}
}

// A mistake of ours is an error like any other, without a trace unless asked for.
func TestPanicIsAnError(t *testing.T) {
	t.Setenv("FINETUNE_TRACE", "")
	err := guarded(func() error { panic("kernel: 3 is not 4") })
	if err == nil || err.Error() != "internal error: kernel: 3 is not 4" {
		t.Errorf("got %v, want an internal error", err)
	}
	t.Setenv("FINETUNE_TRACE", "1")
	err = guarded(func() error { panic("kernel: 3 is not 4") })
	if err == nil || !strings.Contains(err.Error(), "TestPanicIsAnError") {
		t.Errorf("got %v, want a trace", err)
	}
}
