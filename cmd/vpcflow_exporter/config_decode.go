package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"

	"gopkg.in/yaml.v3"
)

// Errors of the YAML library: yamlError takes out the line, and grammarError
// tells those whose lines the library counts from 0.
var (
	yamlError    = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)$`)
	grammarError = regexp.MustCompile(`^(did not find expected|found undefined tag handle)`)
)

// parseDocument parses the only YAML document of data. Errors begin with a colon
// and go behind the file's name.
func parseDocument(data []byte) (*yaml.Node, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var document, second yaml.Node
	switch err := decoder.Decode(&document); {
	case errors.Is(err, io.EOF):
		return nil, errors.New(": config file is empty")
	case err != nil:
		return nil, syntaxError(err)
	}
	root := document.Content[0]
	if isNull(root) {
		return nil, errors.New(": config file is empty")
	}
	// The parser stops at the end of a document; what follows would be ignored.
	switch err := decoder.Decode(&second); {
	case errors.Is(err, io.EOF):
		return root, nil
	case err != nil:
		return nil, syntaxError(err)
	}
	return nil, fmt.Errorf(":%d: a second YAML document is not allowed", second.Line)
}

// syntaxError rewords an error of the YAML library.
func syntaxError(err error) error {
	match := yamlError.FindStringSubmatch(err.Error())
	if match == nil {
		return fmt.Errorf(": %w", err)
	}
	line, _ := strconv.Atoi(match[1]) // 0 when there is none.
	if grammarError.MatchString(match[2]) {
		line++
	}
	if line == 0 {
		return fmt.Errorf(": %s", match[2])
	}
	return fmt.Errorf(":%d: %s", line, match[2])
}

// decoder sets a Config from YAML nodes. The YAML library can do that too, but
// its errors speak of Go types, lack the path, and stop short of null list items
// and fractions in whole numbers. Depth is bounded by the type that is set, so
// aliases cannot make it run away.
type decoder struct {
	lookup   func(string) (string, bool)
	lines    map[string]int // By path, of everything that was set.
	problems []problem
}

func newDecoder(lookup func(string) (string, bool)) *decoder {
	return &decoder{lookup: lookup, lines: make(map[string]int)}
}

// decode sets what the nodes mention and leaves the rest of config alone.
func (d *decoder) decode(root *yaml.Node, config *Config) {
	d.set("", root, reflect.ValueOf(config).Elem(), false)
	config.FlowLogs.Format = strings.Join(strings.Fields(config.FlowLogs.Format), " ")
}

func (d *decoder) failf(path string, line int, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if path != "" {
		text = path + ": " + text
	}
	d.problems = append(d.problems, problem{path: path, line: line, text: text})
}

// set decodes node into v. Literal scalars are not expanded. A key without a
// value keeps its default.
func (d *decoder) set(path string, node *yaml.Node, v reflect.Value, literal bool) {
	node = resolve(node)
	if isNull(node) {
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		d.setStruct(path, node, v)
	case reflect.Map:
		d.setMap(path, node, v)
	case reflect.Slice:
		d.setSlice(path, node, v)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		d.setScalar(path, node, v.Elem(), literal)
	default:
		d.setScalar(path, node, v, literal)
	}
}

func (d *decoder) setStruct(path string, node *yaml.Node, v reflect.Value) {
	known := structKeys(v.Type())
	d.eachPair(path, node, v, func(key string, value *yaml.Node, line int) {
		for i, name := range known {
			if key == name {
				literal := v.Type().Field(i).Tag.Get("config") == "literal"
				d.set(childPath(path, key), value, v.Field(i), literal)
				return
			}
		}
		d.problems = append(d.problems, problem{path: path, line: line, text: unknownKey(key, known)})
	})
}

func (d *decoder) setMap(path string, node *yaml.Node, v reflect.Value) {
	entries := reflect.MakeMap(v.Type())
	d.eachPair(path, node, v, func(key string, value *yaml.Node, line int) {
		if isNull(resolve(value)) {
			d.failf(childPath(path, key), line, "value is empty")
			return
		}
		entry := reflect.New(v.Type().Elem()).Elem()
		d.set(childPath(path, key), value, entry, false)
		entries.SetMapIndex(reflect.ValueOf(key), entry)
	})
	if entries.Len() > 0 {
		v.Set(entries)
	}
}

// eachPair calls visit for the keys of a section, each of which occurs once.
func (d *decoder) eachPair(path string, node *yaml.Node, v reflect.Value, visit func(key string, value *yaml.Node, line int)) {
	if node.Kind != yaml.MappingNode {
		d.mismatch(path, node, v)
		return
	}
	first := make(map[string]int)
	for i := 0; i+1 < len(node.Content); i += 2 {
		name, value := resolve(node.Content[i]), node.Content[i+1]
		key := name.Value
		switch line, seen := first[key]; {
		case name.Kind != yaml.ScalarNode || isNull(name):
			d.failf(path, name.Line, "a key must be a name")
		case name.ShortTag() == "!!merge":
			d.failf(path, name.Line, "merging sections with << is not supported")
		case !printable(key):
			d.failf(path, name.Line, "the key %s must not contain unprintable characters", quote(key))
		case seen:
			d.failf(childPath(path, key), name.Line, "already set in line %d", line)
		default:
			first[key] = name.Line
			d.lines[childPath(path, key)] = name.Line
			visit(key, value, name.Line)
		}
	}
}

func (d *decoder) setSlice(path string, node *yaml.Node, v reflect.Value) {
	if node.Kind != yaml.SequenceNode {
		d.mismatch(path, node, v)
		return
	}
	if len(node.Content) == 0 {
		return
	}
	items := reflect.MakeSlice(v.Type(), len(node.Content), len(node.Content))
	for i, item := range node.Content {
		if isNull(resolve(item)) {
			d.failf(itemPath(path, i), item.Line, "list item is empty")
			continue
		}
		d.lines[itemPath(path, i)] = item.Line
		d.set(itemPath(path, i), item, items.Index(i), false)
	}
	v.Set(items)
}

func (d *decoder) setScalar(path string, node *yaml.Node, v reflect.Value, literal bool) {
	if node.Kind != yaml.ScalarNode {
		d.mismatch(path, node, v)
		return
	}
	if tag := node.ShortTag(); !strings.HasPrefix(tag, "!!") || tag == "!!binary" {
		d.failf(path, node.Line, "the tag %s is not supported", tag)
		return
	}
	text := node.Value
	if !literal {
		var err error
		if text, err = expandEnv(text, d.lookup); err != nil {
			d.failf(path, node.Line, "%s", err)
			return
		}
		if !printable(text) {
			d.failf(path, node.Line, "%s must not contain unprintable characters", quote(text))
			return
		}
	}
	if !parseScalar(text, v) {
		d.failf(path, node.Line, "cannot parse %s as %s%s", quote(text), typeName(v), hint(text, v))
	}
}

func (d *decoder) mismatch(path string, node *yaml.Node, v reflect.Value) {
	var got string
	switch node.Kind {
	case yaml.MappingNode:
		got = "a section"
	case yaml.SequenceNode:
		got = "a list"
	default:
		got = quote(node.Value)
	}
	want := typeName(v)
	if path == "" {
		want = "a section, the config file itself"
	}
	d.failf(path, node.Line, "must be %s, got %s", want, got)
}

// parseScalar sets v from text and reports whether text is of v's type. Quotes
// in the file do not matter: "5" from the environment is a number too.
func parseScalar(text string, v reflect.Value) bool {
	if v.Type() == reflect.TypeFor[time.Duration]() {
		duration, err := time.ParseDuration(text)
		v.SetInt(int64(duration))
		return err == nil
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
		return true
	case reflect.Int, reflect.Int64:
		number, err := strconv.ParseInt(text, 10, v.Type().Bits())
		v.SetInt(number)
		return err == nil
	case reflect.Bool:
		v.SetBool(text == "true")
		return text == "true" || text == "false"
	case reflect.Float64:
		number, err := strconv.ParseFloat(text, 64)
		v.SetFloat(number)
		return err == nil
	default:
		return false
	}
}

// typeName says in a user's words what v holds.
func typeName(v reflect.Value) string {
	if v.Type() == reflect.TypeFor[time.Duration]() {
		return "a duration"
	}
	switch v.Kind() {
	case reflect.Struct, reflect.Map:
		return "a section"
	case reflect.Slice:
		return "a list"
	case reflect.Int, reflect.Int64:
		return "a whole number"
	case reflect.Bool:
		return "true or false"
	case reflect.Float64:
		return "a number"
	default:
		return "a text"
	}
}

// hint helps with durations that other programs accept.
func hint(text string, v reflect.Value) string {
	if v.Type() != reflect.TypeFor[time.Duration]() {
		return ""
	}
	if _, err := strconv.ParseUint(text, 10, 31); err == nil {
		return fmt.Sprintf(`, did you mean "%ss"?`, text)
	}
	if number, ok := strings.CutSuffix(text, "d"); ok {
		if days, err := strconv.ParseUint(number, 10, 16); err == nil {
			return fmt.Sprintf(`, did you mean "%dh"?`, 24*days)
		}
	}
	return ""
}

// structKeys lists the YAML keys of a section by field index.
func structKeys(t reflect.Type) []string {
	keys := make([]string, t.NumField())
	for i := range keys {
		keys[i], _, _ = strings.Cut(t.Field(i).Tag.Get("yaml"), ",")
	}
	return keys
}

// resolve follows an alias; the line stays that of the alias.
func resolve(node *yaml.Node) *yaml.Node {
	if node.Kind != yaml.AliasNode {
		return node
	}
	target := *node.Alias
	target.Line = node.Line
	return &target
}

// isNull reports whether a node has no value: nothing, ~ or null.
func isNull(node *yaml.Node) bool {
	return node.Kind == yaml.ScalarNode && node.ShortTag() == "!!null"
}

// printable reports whether text can be printed, and rendered, as it is. The
// only space that counts as printable is the ASCII one.
func printable(text string) bool {
	return strings.IndexFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) < 0
}

// quote quotes input for a message and cuts it where it would drown the rest.
func quote(text string) string {
	const most = 100
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "..."
	}
	return strconv.Quote(text)
}
