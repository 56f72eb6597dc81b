// Package lattice holds the program to its design: which package may import
// which. It has nothing but this test.
package lattice

import (
	"errors"
	"fmt"
	"go/build"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// rooms lists our packages and what each may import of the others. A new package
// needs a row; a new import in a row is a decision about the design.
var rooms = map[string][]string{
	"internal/kernel":  {},
	"internal/op":      {"internal/kernel"},
	"internal/engine":  {"internal/op"},
	"internal/onnxpb":  {},
	"internal/nearest": {},
	"internal/recipe":  {"internal/nearest"},

	// optim knows neither graphs nor files. Its Param is the one parameter type
	// of all rooms, which is why onnxload may import it.
	"optim":      {"internal/kernel", "internal/nearest"},
	"onnxload":   {"internal/onnxpb", "internal/op", "optim"},
	"train":      {"onnxload", "internal/op", "internal/engine", "optim", "train/data"},
	"train/data": {},
	"export":     {"internal/onnxpb", "onnxload", "optim"},

	"models":         {},
	"models/dataset": {"models", "train/data"},
	"models/gen":     {"internal/onnxpb", "models", "models/dataset", "onnxload", "optim", "train", "train/data"},

	"bench":          {"bench/protocol", "internal/kernel", "internal/onnxpb", "onnxload", "optim", "train", "train/data"},
	"bench/protocol": {},

	"cmd/finetune": {"export", "internal/kernel", "internal/nearest", "internal/recipe", "models", "models/dataset", "onnxload", "optim", "train", "train/data"},

	"internal/corpus":  {},
	"internal/ort":     {},
	"internal/lattice": {},
}

// testOnly are packages that no program contains.
var testOnly = []string{"internal/corpus", "internal/ort", "internal/lattice"}

// guests are packages of others that only some rooms may import, by prefix.
var guests = map[string][]string{
	"gorgonia.org/":                   {"internal/op", "internal/engine", "onnxload", "train"},
	"github.com/owulveryck/onnx-go":   {"onnxload"},
	"github.com/yalue/onnxruntime_go": {"internal/ort"},
	"github.com/spf13/pflag":          {"cmd/finetune"},
	"github.com/goccy/go-yaml":        {"internal/recipe"},
	"flag":                            {"models/gen", "bench"},
	"github.com/schollz/progressbar/": {"cmd/finetune"},
	"github.com/jedib0t/go-pretty/":   {"cmd/finetune"},
	"golang.org/x/term":               {"cmd/finetune"},
	"log":                             {},
	"testing":                         {"internal/corpus", "internal/ort"},
	"C":                               {},
}

const module = "finetune/"

// pkg is one package of ours.
type pkg struct {
	room    string
	imports []string
}

func TestImports(t *testing.T) {
	pkgs := list(t)
	for _, v := range violations(pkgs) {
		t.Error(v)
	}
	for room := range rooms {
		if !slices.ContainsFunc(pkgs, func(p pkg) bool { return p.room == room }) {
			t.Errorf("%s has a row in the table, but there is no such package", room)
		}
	}
}

// list reads the imports of every package, tests left out; the tag makes
// internal/ort show its own. The files are read in this process, not by the go
// command, so that go test notices when they change.
func list(t *testing.T) []pkg {
	t.Helper()
	ctx := build.Default
	ctx.BuildTags = []string{"ort"}
	ctx.CgoEnabled = true
	root := filepath.Join("..", "..")
	var pkgs []pkg
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		_, noModule := os.Stat(filepath.Join(path, "go.mod"))
		if path != root && (noModule == nil || d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".") || strings.HasPrefix(d.Name(), "_")) {
			return fs.SkipDir
		}
		p, err := ctx.ImportDir(path, 0)
		if _, empty := errors.AsType[*build.NoGoError](err); empty && len(p.TestGoFiles)+len(p.XTestGoFiles) == 0 {
			return nil
		} else if err != nil && !empty {
			return err
		}
		room, err := filepath.Rel(root, path)
		pkgs = append(pkgs, pkg{filepath.ToSlash(room), p.Imports})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return pkgs
}

// contents are the packages of ours that a program is made of.
func contents(program pkg, pkgs []pkg) []string {
	var rooms []string
	for todo := []pkg{program}; len(todo) > 0; {
		p := todo[0]
		todo = todo[1:]
		for _, q := range pkgs {
			if slices.Contains(p.imports, module+q.room) && !slices.Contains(rooms, q.room) {
				rooms = append(rooms, q.room)
				todo = append(todo, q)
			}
		}
	}
	return rooms
}

// violations are the imports that the tables do not allow.
func violations(pkgs []pkg) []string {
	var found []string
	add := func(format string, args ...any) { found = append(found, fmt.Sprintf(format, args...)) }
	for _, p := range pkgs {
		room := p.room
		allowed, ok := rooms[room]
		if !ok {
			add("%s has no row in the table", room)
			continue
		}
		for _, path := range p.imports {
			if name, ours := strings.CutPrefix(path, module); ours {
				if !slices.Contains(allowed, name) {
					add("%s imports %s", room, name)
				}
				continue
			}
			for prefix, hosts := range guests {
				if (path == prefix || strings.HasSuffix(prefix, "/") && strings.HasPrefix(path, prefix)) && !slices.Contains(hosts, room) {
					add("%s imports %s", room, path)
				}
			}
		}
		if strings.HasPrefix(room, "cmd/") {
			inside := contents(p, pkgs)
			for _, name := range testOnly {
				if slices.Contains(inside, name) {
					add("%s contains %s, which is for tests", room, name)
				}
			}
		}
	}
	return found
}

func TestViolations(t *testing.T) {
	got := violations([]pkg{
		{"optim", []string{"fmt", "finetune/internal/kernel", "finetune/onnxload", "gorgonia.org/tensor"}},
		{"internal/op", []string{"gorgonia.org/gorgonia", "finetune/internal/kernel"}},
		{"internal/kernel", []string{"C"}},
		{"cmd/finetune", []string{"github.com/spf13/pflag", "finetune/train"}},
		{"train", []string{"github.com/spf13/pflag", "log/slog", "finetune/internal/corpus"}},
		{"internal/corpus", []string{"testing"}},
		{"utils", nil},
	})
	want := []string{
		"optim imports onnxload",
		"optim imports gorgonia.org/tensor",
		"internal/kernel imports C",
		"cmd/finetune contains internal/corpus, which is for tests",
		"train imports github.com/spf13/pflag",
		"train imports internal/corpus",
		"utils has no row in the table",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
