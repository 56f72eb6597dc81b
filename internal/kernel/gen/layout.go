package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"

	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/gotypes"
	"github.com/mmcloughlin/avo/reg"
)

// record is a struct of package kernel to which a function gets a pointer.
type record struct {
	name string
	at   map[string]int // offsets of fields; those of nested structs are "outer.inner"
	pkg  *types.Package
}

// readRecord finds a struct in files, which must import nothing.
func readRecord(name string, files ...string) record {
	set := token.NewFileSet()
	var trees []*ast.File
	for _, file := range files {
		tree, err := parser.ParseFile(set, file, nil, 0)
		if err != nil {
			panic(err)
		}
		trees = append(trees, tree)
	}
	sizes := types.SizesFor("gc", "amd64")
	// Methods in these files may use what is declared in others.
	config := types.Config{Sizes: sizes, IgnoreFuncBodies: true}
	pkg, err := config.Check("kernel", set, trees, nil)
	if err != nil {
		panic(err)
	}
	offsets := map[string]int{}
	var walk func(prefix string, at int64, s *types.Struct)
	walk = func(prefix string, at int64, s *types.Struct) {
		var fields []*types.Var
		for i := range s.NumFields() {
			fields = append(fields, s.Field(i))
		}
		for i, offset := range sizes.Offsetsof(fields) {
			offsets[prefix+fields[i].Name()] = int(at + offset)
			if inner, ok := fields[i].Type().Underlying().(*types.Struct); ok {
				walk(prefix+fields[i].Name()+".", at+offset, inner)
			}
		}
	}
	o := pkg.Scope().Lookup(name)
	if o == nil {
		panic(fmt.Sprintf("%v: no %s", files, name))
	}
	walk("", 0, o.Type().Underlying().(*types.Struct))
	return record{name, offsets, pkg}
}

// function starts a function whose argument p points to a record.
func (r record) function(c *build.Context, name, doc string, args ...any) reg.Register {
	s, err := gotypes.ParseSignatureInPackage(r.pkg, "func(p *"+r.name+")")
	if err != nil {
		panic(err)
	}
	begin(c, name, doc, args...)
	c.Signature(s)
	return c.Load(c.Param("p"), c.GP64())
}
