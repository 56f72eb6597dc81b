package onnxload

import (
	"errors"
	"fmt"
	"slices"

	"finetune/internal/onnxpb"
)

// checkGraph holds the graph to the rules on names: everything has one, is
// defined once, and is defined somewhere if it is read.
func checkGraph(g *onnxpb.GraphProto) error {
	defined := make(map[string]string) // what defines a name
	define := func(name, by string) error {
		if first, ok := defined[name]; ok {
			return formatError(by, "defines %q, which %s defines already", name, first)
		}
		defined[name] = by
		return nil
	}
	if len(g.Node) == 0 {
		return formatError("", "the graph has no nodes")
	}
	if len(g.Output) == 0 {
		return formatError("", "the graph has no outputs")
	}
	for i, p := range g.Input {
		if p.GetName() == "" {
			return formatError("", "input %d has no name", i)
		}
		if err := define(p.GetName(), "an input"); err != nil {
			return err
		}
	}
	// Before IR version 4 every initializer was an input as well.
	inputs := defined
	defined = make(map[string]string, len(inputs))
	for i, name := range initializerNames(g) {
		if name == "" {
			return formatError("", "initializer %d has no name", i)
		}
		if err := define(name, initializer(name)); err != nil {
			return err
		}
	}
	for name, by := range inputs {
		if defined[name] == "" {
			defined[name] = by
		}
	}
	if err := checkOperators(g.Node); err != nil {
		return err
	}
	for i, p := range g.Node {
		for _, name := range p.Output {
			if name == "" {
				continue
			}
			if err := define(name, nodeName(p, i)); err != nil {
				return err
			}
		}
	}
	for i, p := range g.Node {
		for k, name := range p.Input {
			if name != "" && defined[name] == "" {
				return formatError(nodeName(p, i), "input %d is %q, which nothing in the file defines", k, name)
			}
		}
		for _, name := range captures(p) {
			if defined[name] == "" {
				return formatError(nodeName(p, i), "a subgraph reads %q, which nothing in the file defines", name)
			}
		}
	}
	for i, p := range g.Output {
		if defined[p.GetName()] == "" {
			return formatError("", "output %d is %q, which nothing in the file defines", i, p.GetName())
		}
	}
	return nil
}

// checkOperators holds nodes and those of their subgraphs to having an operator.
func checkOperators(nodes []*onnxpb.NodeProto) error {
	for i, p := range nodes {
		if p.GetOpType() == "" {
			return formatError(nodeName(p, i), "has no operator")
		}
		for _, g := range graphs(p.Attribute) {
			if err := checkOperators(g.Node); err != nil {
				return inside(nodeName(p, i), err)
			}
		}
	}
	return nil
}

// initializerNames lists the initializers, sparse ones last.
func initializerNames(g *onnxpb.GraphProto) []string {
	var names []string
	for _, p := range g.Initializer {
		names = append(names, p.GetName())
	}
	for _, p := range g.SparseInitializer {
		names = append(names, p.GetValues().GetName())
	}
	return names
}

// captures are the names that the subgraphs of a node read from outside, each
// once, in order of first use.
func captures(p *onnxpb.NodeProto) []string {
	var names []string
	seen := make(map[string]bool)
	for _, g := range graphs(p.Attribute) {
		for _, name := range free(g) {
			if !seen[name] {
				seen[name] = true
				names = append(names, name)
			}
		}
	}
	return names
}

// free are the names that a subgraph reads and does not define.
func free(g *onnxpb.GraphProto) []string {
	own := map[string]bool{"": true}
	for _, p := range g.Input {
		own[p.GetName()] = true
	}
	for _, name := range initializerNames(g) {
		own[name] = true
	}
	for _, p := range g.Node {
		for _, name := range p.Output {
			own[name] = true
		}
	}
	var names []string
	for _, p := range g.Node {
		names = append(names, p.Input...)
		names = append(names, captures(p)...)
	}
	for _, p := range g.Output {
		names = append(names, p.GetName())
	}
	return slices.DeleteFunc(names, func(name string) bool { return own[name] })
}

// nodeName says which node of the file an error is about.
func nodeName(p *onnxpb.NodeProto, index int) string {
	return fmt.Sprintf("node %q (%s)", nameOf(p, index), p.GetOpType())
}

// nameOf is the name of a node, or the one that we give it.
func nameOf(p *onnxpb.NodeProto, index int) string {
	if name := p.GetName(); name != "" {
		return name
	}
	return defaultName(p.GetOpType(), index)
}

func defaultName(op string, index int) string { return fmt.Sprintf("%s_%d", op, index) }

// initializer says which initializer an error is about.
func initializer(name string) string { return fmt.Sprintf("initializer %q", name) }

// inside puts the place where an error was found before it.
func inside(where string, err error) error {
	f, ok := errors.AsType[*FormatError](err)
	if !ok {
		return fmt.Errorf("%s: %w", where, err)
	}
	if f.Where != "" {
		where += ": " + f.Where
	}
	f.Where = where
	return err
}
