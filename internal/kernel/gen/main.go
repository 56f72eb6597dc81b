// Command gen writes the assembly of package kernel:
//
//	go run . -out .. [family ...]
//
// Without families it writes all. A family is a set of functions in a file of
// this folder; for each instruction set it becomes zz_FAMILY_ISA_amd64.s with
// the functions and zz_FAMILY_ISA_amd64.go with their declarations.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/pass"
	"github.com/mmcloughlin/avo/printer"
)

// output is a pair of files to write.
type output struct {
	family, isa string
	write       func(c *build.Context)
}

// outputs is filled by the files of the families.
var outputs []output

// register adds a pair of files to those that are written.
func register(family, isa string, write func(c *build.Context)) {
	outputs = append(outputs, output{family, isa, write})
}

// texts are files that are written without avo.
var texts []text

type text struct {
	family, file string
	write        func() string
}

// registerText adds a file to those that are written.
func registerText(family, file string, write func() string) {
	texts = append(texts, text{family, file, write})
}

func main() {
	flags := flag.NewFlagSet("gen", flag.ExitOnError) // avo has filled the usual one
	out := flags.String("out", "..", "write to `FOLDER`")
	flags.Parse(os.Args[1:])
	for _, o := range outputs {
		if flags.NArg() > 0 && !slices.Contains(flags.Args(), o.family) {
			continue
		}
		if err := o.generate(*out); err != nil {
			fmt.Fprintf(os.Stderr, "gen: %s for %s: %v\n", o.family, o.isa, err)
			os.Exit(1)
		}
	}
	for _, t := range texts {
		if flags.NArg() > 0 && !slices.Contains(flags.Args(), t.family) {
			continue
		}
		if err := os.WriteFile(filepath.Join(*out, t.file), []byte(t.write()), 0o666); err != nil {
			fmt.Fprintln(os.Stderr, "gen:", err)
			os.Exit(1)
		}
	}
}

// function starts a function that keeps no pointer to its arguments.
func function(c *build.Context, name, signature, doc string, args ...any) {
	begin(c, name, doc, args...)
	c.SignatureExpr(signature)
}

func begin(c *build.Context, name, doc string, args ...any) {
	c.Function(name)
	c.Attributes(attr.NOSPLIT)
	c.Pragma("noescape")
	c.Doc(fmt.Sprintf(doc, args...))
}

func (o output) generate(folder string) error {
	c := build.NewContext()
	c.ConstraintExpr("amd64,!purego")
	o.write(c)
	file, err := c.Result()
	if err != nil {
		return err
	}
	if err := pass.Compile.Execute(file); err != nil {
		return err
	}
	config := printer.Config{Pkg: "kernel", Name: "gen/" + o.family + ".go"}
	name := filepath.Join(folder, "zz_"+o.family+"_"+o.isa+"_amd64")
	for ext, p := range map[string]printer.Printer{
		".s":  printer.NewGoAsm(config),
		".go": printer.NewStubs(config),
	} {
		text, err := p.Print(file)
		if err != nil {
			return err
		}
		if err := os.WriteFile(name+ext, text, 0o666); err != nil {
			return err
		}
	}
	return nil
}
