package onnxload

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
)

//go:generate go test -run TestOperatorsDocument -update .

const document = "../docs/operators.md"

// TestOperatorsDocument holds docs/operators.md to the table of operators and to
// the comments of the functions in it. With -update it writes the document.
func TestOperatorsDocument(t *testing.T) {
	want := operatorsDocument(t)
	if *update {
		if err := os.WriteFile(document, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%s is not what the table of operators says; run go generate ./onnxload", document)
	}
}

// operatorsDocument is the text of docs/operators.md.
func operatorsDocument(t *testing.T) string {
	families := parseFamilies(t)
	all, differentiable := Operators(), 0
	for _, o := range all {
		if o.Differentiable() {
			differentiable++
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, `# Operators

<!-- Made by go generate ./onnxload from the table in onnxload/operators.go. -->

%d operators are understood, %d of them with a gradient. It flows to the inputs
in **bold**, if these hold floats, and to what `+"`If`, `Loop` and `Scan`"+` read from
outside. The others have none, or it would be of no use: indices, conditions,
shapes. `+"`TestOperatorGradients`"+` holds the table to central differences.

Element types are float32, float64, float16 and bfloat16, all computed in float32,
the integers and bool. The file of an operator has its formula. What is rejected is
said with the name of the node, before any work is done: `+"`finetune check MODEL`"+`.
`, len(all), differentiable)
	domain := "none yet"
	for _, o := range all {
		if o.Domain != domain {
			domain = o.Domain
			name := "ai.onnx"
			if domain != "" {
				name = domain
			}
			fmt.Fprintf(&b, "\n## %s, opset 1 to %d\n\nA model of a newer opset is tried, with a warning.\n\n", name, domains[domain].newest)
			b.WriteString("| operator | opsets | gradient | inputs | file | rejected |\n|---|---|---|---|---|---|\n")
		}
		f := families.of(domains[o.Domain].operators[o.Name])
		gradient := "no"
		if o.Differentiable() {
			gradient = "yes"
		}
		fmt.Fprintf(&b, "| [%s](%s) | %d–%d | %s | %s | [%s](../onnxload/%s) | %s |\n", o.Name, page(o), o.Since, domains[o.Domain].newest,
			gradient, inputsText(o.Inputs), f.file, f.file, strings.ReplaceAll(f.rejected, "|", `\|`))
	}
	return b.String()
}

// page is the address of an operator's specification.
func page(o Operator) string {
	domain := "onnx"
	if o.Domain != "" {
		domain += "_" + strings.ReplaceAll(o.Domain, ".", "")
	}
	return fmt.Sprintf("https://onnx.ai/onnx/operators/%s__%s.html", domain, o.Name)
}

func inputsText(list []OperatorInput) string {
	var parts []string
	for _, in := range list {
		s := strings.ReplaceAll(in.Name, "_", `\_`)
		if in.Gradient {
			s = "**" + s + "**"
		}
		if in.Variadic {
			s += ", …"
		}
		parts = append(parts, s)
	}
	return strings.Join(parts, ", ")
}

// family is what the comment of a lowering function says.
type family struct{ file, rejected string }

// families are the source files of this package.
type families struct {
	set   *token.FileSet
	files map[string]*ast.File
}

func parseFamilies(t *testing.T) families {
	t.Helper()
	f := families{token.NewFileSet(), map[string]*ast.File{}}
	paths, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		if f.files[path], err = parser.ParseFile(f.set, path, nil, parser.ParseComments); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

// of finds the function that lowers an operator, or that makes such a function.
func (f families) of(o *operator) family {
	if o.lower == nil { // Constant
		return family{file: "constant_value.go"}
	}
	entry := reflect.ValueOf(o.lower).Pointer()
	path, line := runtime.FuncForPC(entry).FileLine(entry)
	fam := family{file: filepath.Base(path)}
	for _, d := range f.files[fam.file].Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok || line < f.set.Position(fn.Pos()).Line || line > f.set.Position(fn.End()).Line {
			continue
		}
		_, rejected, _ := strings.Cut(fn.Doc.Text(), "Rejected:")
		fam.rejected = strings.TrimSuffix(strings.Join(strings.Fields(rejected), " "), ".")
	}
	return fam
}
