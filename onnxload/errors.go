package onnxload

import (
	"errors"
	"fmt"
	"strings"
)

// FormatError reports that a file is not a valid ONNX model. Nothing we could
// add to this program would make it load; the file has to change.
type FormatError struct {
	Path  string // the model file; empty for Parse
	Where string // what in it is wrong: `node "conv1" (Conv)`, `initializer "fc.weight"`; may be empty
	What  string // what is wrong with it
	Hint  string // what would help; may be empty
	Err   error  // the cause, when another package reported it
}

func (e *FormatError) Error() string {
	var parts []string
	for _, s := range []string{e.Path, e.Where, e.What} {
		if s != "" {
			parts = append(parts, s)
		}
	}
	if e.Err != nil {
		parts = append(parts, e.Err.Error())
	}
	s := strings.Join(parts, ": ")
	if e.Hint != "" {
		s += " (" + e.Hint + ")"
	}
	return s
}

// Unwrap returns the cause.
func (e *FormatError) Unwrap() error { return e.Err }

// UnsupportedError reports that a valid model asks for things that this program
// cannot do yet. It holds all of them, so that a user sees at once how far the
// model is from working.
type UnsupportedError struct {
	Path  string // the model file; empty for Parse
	Nodes []Unsupported
}

// Unsupported is one node that cannot be lowered.
type Unsupported struct {
	Node   string // its name
	Op     string
	Domain string
	Opset  int64
	Reason string // what about it: "no such operator here", "mode cubic", …
}

func (e *UnsupportedError) Error() string {
	var b strings.Builder
	if e.Path != "" {
		b.WriteString(e.Path + ": ")
	}
	if len(e.Nodes) == 1 {
		b.WriteString(e.Nodes[0].String())
		return b.String()
	}
	fmt.Fprintf(&b, "%d nodes are not supported", len(e.Nodes))
	for _, n := range e.Nodes {
		b.WriteString("\n\t" + n.String())
	}
	return b.String()
}

func (u Unsupported) String() string {
	op := u.Op
	if u.Domain != "" {
		op = u.Domain + "." + op
	}
	return fmt.Sprintf("node %q: %s (opset %d): %s", u.Node, op, u.Opset, u.Reason)
}

// formatError is a FormatError about one thing in the file.
func formatError(where, format string, args ...any) error {
	return &FormatError{Where: where, What: fmt.Sprintf(format, args...)}
}

// withPath fills in the file's name where the error has a place for it.
func withPath(err error, path string) error {
	if f, ok := errors.AsType[*FormatError](err); ok {
		f.Path = path
	}
	if u, ok := errors.AsType[*UnsupportedError](err); ok {
		u.Path = path
	}
	return err
}

// joinUnsupported makes one error of several.
func joinUnsupported(list []error) error {
	if len(list) < 2 {
		return errors.Join(list...)
	}
	all := &joinedError{parts: list}
	for _, err := range list {
		all.Nodes = append(all.Nodes, Blocking(err)...)
	}
	return all
}

// Blocking lists the nodes that an error of Supported, Lower or CheckLift is about:
// those that are not supported, and those that are misused.
func Blocking(err error) []Unsupported {
	if u, ok := errors.AsType[*UnsupportedError](err); ok {
		return u.Nodes
	}
	if m, ok := errors.AsType[*misuseError](err); ok {
		return []Unsupported{m.node}
	}
	return nil
}

// misuseError is a node that is used in a way that ONNX does not define.
type misuseError struct {
	error
	node Unsupported // how a list has it
}

func (e *misuseError) Unwrap() error { return e.error }

// joinedError is an UnsupportedError that still knows its parts.
type joinedError struct {
	UnsupportedError
	parts []error
}

// Unwrap makes it an UnsupportedError to callers.
func (e *joinedError) Unwrap() []error { return append([]error{&e.UnsupportedError}, e.parts...) }
