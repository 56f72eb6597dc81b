package recipe

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// Limits of a file. Recipes have some hundred lines and are three levels deep.
const (
	mostBytes   = 64 << 10
	mostNested  = 16  // brackets in brackets
	mostMarks   = 16  // what opens a level, in one line
	mostIndent  = 200 // spaces before the first word of a line
	mostAliases = 1000
)

// document is the tree of a file. It is read in place: an alias is followed where
// it stands, so that the tree is never larger than the file.
type document struct {
	path    string
	root    []pair
	anchors map[string]ast.Node
	aliases int // followed so far
}

// pair is one line of a map.
type pair struct {
	key   string
	line  int
	value ast.Node
}

func (d *document) fail(line int, format string, args ...any) error {
	return &Error{Path: d.path, Line: line, What: fmt.Sprintf(format, args...)}
}

// open parses text.
func open(path string, text []byte) (*document, error) {
	d := &document{path: path, anchors: map[string]ast.Node{}}
	if len(text) > mostBytes {
		return nil, d.fail(0, "%d bytes are too many for a recipe, want at most %d", len(text), mostBytes)
	}
	if !utf8.Valid(text) || bytes.IndexByte(text, 0) >= 0 {
		return nil, d.fail(0, "is no text")
	}
	if strings.HasSuffix(path, ".md") {
		text = frontMatter(text)
	}
	file, err := d.parse(string(text))
	if err != nil {
		return nil, err
	}
	var body ast.Node
	for _, doc := range file.Docs {
		if doc.Body == nil || doc.Body.Type() == ast.NullType {
			continue
		}
		if body != nil {
			return nil, d.fail(lineOf(doc.Body), "a second document begins; a recipe is one")
		}
		body = doc.Body
	}
	if body == nil {
		return nil, d.fail(0, "is empty")
	}
	ast.Walk(d, body)
	d.root, err = d.pairs(body, "a recipe")
	return d, err
}

// frontMatter blanks what is not between the first two lines of dashes, so that
// lines keep their numbers.
func frontMatter(text []byte) []byte {
	lines := bytes.Split(text, []byte("\n"))
	inside := 0
	for i, line := range lines {
		dashes := string(bytes.TrimRight(line, " \r")) == "---"
		if dashes && inside < 2 {
			inside++
		}
		if dashes || inside != 1 {
			lines[i] = nil
		}
	}
	return bytes.Join(lines, []byte("\n"))
}

// parse makes a tree of text once it is known to be no deeper than a call stack is
// good for.
func (d *document) parse(text string) (file *ast.File, err error) {
	defer func() {
		// The parser gives up on some malformed files by a panic.
		if reason := recover(); reason != nil {
			err = d.fail(0, "cannot be read as YAML: %v", reason)
		}
	}()
	tokens := lexer.Tokenize(text)
	if err := d.checkDepth(tokens); err != nil {
		return nil, err
	}
	file, err = parser.Parse(tokens, 0)
	if syntax, ok := errors.AsType[*yaml.SyntaxError](err); ok {
		line := 0
		if t := syntax.GetToken(); t != nil {
			line = t.Position.Line
		}
		return nil, d.fail(line, "cannot be read as YAML: %s", syntax.GetMessage())
	}
	if err != nil {
		return nil, d.fail(0, "cannot be read as YAML: %v", err)
	}
	return file, nil
}

// checkDepth bounds the depth of the tree that tokens make.
func (d *document) checkDepth(tokens token.Tokens) error {
	nested, marks, line := 0, 0, 0
	for _, t := range tokens {
		if t.Position.Line != line {
			line, marks = t.Position.Line, 0
			if t.Position.Column > mostIndent {
				return d.fail(line, "is indented by more than %d", mostIndent)
			}
		}
		switch t.Type {
		case token.MappingStartType, token.SequenceStartType:
			nested++
		case token.MappingEndType, token.SequenceEndType:
			nested--
		case token.MappingValueType:
			if nested <= 0 {
				marks++
			}
		case token.SequenceEntryType, token.MappingKeyType, token.TagType, token.AnchorType:
			marks++
		}
		if nested > mostNested || marks > mostMarks {
			return d.fail(line, "is nested too deeply")
		}
	}
	return nil
}

// Visit collects anchors, for ast.Walk.
func (d *document) Visit(n ast.Node) ast.Visitor {
	if a, ok := n.(*ast.AnchorNode); ok {
		d.anchors[a.Name.GetToken().Value] = a.Value
	}
	return d
}

// follow looks through anchors and aliases.
func (d *document) follow(n ast.Node) (ast.Node, error) {
	for {
		switch v := n.(type) {
		case *ast.AnchorNode:
			n = v.Value
		case *ast.AliasNode:
			name := v.Value.GetToken().Value
			if d.aliases++; d.aliases > mostAliases {
				return nil, d.fail(lineOf(v), "too many aliases, want at most %d", mostAliases)
			}
			if n = d.anchors[name]; n == nil {
				return nil, d.fail(lineOf(v), "alias *%s has no anchor &%s", name, name)
			}
		default:
			return n, nil
		}
	}
}

// pairs are the lines of the map that n is. what says what n stands for.
func (d *document) pairs(n ast.Node, what string) ([]pair, error) {
	at, err := d.follow(n)
	if err != nil {
		return nil, err
	}
	var values []*ast.MappingValueNode
	switch v := at.(type) {
	case *ast.MappingNode:
		values = v.Values
	case *ast.MappingValueNode:
		values = []*ast.MappingValueNode{v}
	default:
		return nil, d.fail(lineOf(n), "%s is a map of names to values, not %s", what, shapeOf(at))
	}
	var list []pair
	seen := map[string]bool{}
	for _, v := range values {
		line := lineOf(v.Key)
		key, ok := ast.Node(v.Key).(ast.ScalarNode)
		if _, merge := ast.Node(v.Key).(*ast.MergeKeyNode); !ok || merge {
			return nil, d.fail(line, "%s has a name that is no text", what)
		}
		name := key.GetToken().Value
		if seen[name] {
			return nil, d.fail(line, "%s is given twice", name)
		}
		seen[name] = true
		list = append(list, pair{name, line, v.Value})
	}
	return list, nil
}

// items are the elements of the list that n is, if it is one.
func (d *document) items(n ast.Node) ([]ast.Node, bool, error) {
	at, err := d.follow(n)
	if list, ok := at.(*ast.SequenceNode); ok {
		return list.Values, true, err
	}
	return nil, false, err
}

// value is the single value that n is.
func (d *document) value(n ast.Node, key string) (Value, error) {
	at, err := d.follow(n)
	if err != nil {
		return Value{}, err
	}
	v := Value{Line: lineOf(n)}
	switch s := at.(type) {
	case *ast.StringNode:
		v.Text, v.Kind = s.Value, Text
		if s.Token.Type == token.StringType {
			v.Kind = kindOf(s.Value)
		}
	case *ast.LiteralNode:
		v.Text, v.Kind = s.Value.Value, Text
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		v.Text = s.GetToken().Value
		v.Kind = kindOf(v.Text)
	case *ast.InfinityNode, *ast.NanNode:
		v.Text, v.Kind = strings.Replace(s.GetToken().Value, ".", "", 1), Number
	case *ast.NullNode:
		return v, d.fail(v.Line, "%s has no value", key)
	default:
		return v, d.fail(v.Line, "%s is %s, want a value", key, shapeOf(at))
	}
	return v, nil
}

// entries reads the document as settings.
func (d *document) entries() ([]Entry, error) {
	var list []Entry
	for _, p := range d.root {
		e := Entry{Key: p.key, Line: p.line}
		items, many, err := d.items(p.value)
		if err != nil {
			return nil, err
		}
		if !many {
			items = []ast.Node{p.value}
		}
		e.List = many
		for _, item := range items {
			values, err := d.valuesOf(item, p.key)
			if err != nil {
				return nil, err
			}
			e.List = e.List || len(values) > 0 && values[0].Pair
			e.Values = append(e.Values, values...)
		}
		list = append(list, e)
	}
	return list, nil
}

// valuesOf are the value that n is, or those of the map that it is.
func (d *document) valuesOf(n ast.Node, key string) ([]Value, error) {
	at, err := d.follow(n)
	if err != nil {
		return nil, err
	}
	if _, ok := at.(ast.MapNode); !ok {
		v, err := d.value(n, key)
		return []Value{v}, err
	}
	pairs, err := d.pairs(n, key)
	if err != nil {
		return nil, err
	}
	var list []Value
	for _, p := range pairs {
		v, err := d.value(p.value, key+", "+p.key)
		if err != nil {
			return nil, err
		}
		if strings.Contains(v.Text, ": ") {
			// In braces a colon ends a name even where no space is behind it.
			return nil, d.fail(v.Line, "%s: a name with a colon in it wants quotes here", key)
		}
		v.Text, v.Pair = p.key+"="+v.Text, true
		list = append(list, v)
	}
	return list, nil
}

// lineOf is where n begins.
func lineOf(n ast.Node) int {
	if t := n.GetToken(); t != nil && t.Position != nil {
		return t.Position.Line
	}
	return 0
}

// shapeOf says what n is, to a person.
func shapeOf(n ast.Node) string {
	switch v := n.(type) {
	case *ast.SequenceNode:
		return "a list"
	case ast.MapNode:
		return "a map"
	case *ast.TagNode:
		return "a " + v.Start.Value
	case *ast.NullNode:
		return "nothing"
	}
	return "a single value"
}
