package main

import (
	"bytes"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
)

// YAML renders the effective configuration: every key, with variables expanded.
// It holds no secrets, since a Config knows those by path only. It loads again
// as the same Config, unless a variable's value itself held a ${.
func (c *Config) YAML() ([]byte, error) {
	var page bytes.Buffer
	encoder := yaml.NewEncoder(&page)
	encoder.SetIndent(2)
	if err := encoder.Encode(renderNode(reflect.ValueOf(*c))); err != nil {
		return nil, fmt.Errorf("render config: %w", err)
	}
	if err := encoder.Close(); err != nil {
		return nil, fmt.Errorf("render config: %w", err)
	}
	return page.Bytes(), nil
}

// renderNode is the counterpart of decoder.set.
func renderNode(v reflect.Value) *yaml.Node {
	switch v.Kind() {
	case reflect.Struct:
		return renderStruct(v)
	case reflect.Map:
		return renderMap(v)
	case reflect.Slice:
		list := &yaml.Node{Kind: yaml.SequenceNode}
		for i := range v.Len() {
			list.Content = append(list.Content, renderNode(v.Index(i)))
		}
		return flowWhenEmpty(list)
	case reflect.Pointer:
		return renderNode(v.Elem())
	default:
		return renderScalar(v)
	}
}

func renderStruct(v reflect.Value) *yaml.Node {
	section := &yaml.Node{Kind: yaml.MappingNode}
	for i, key := range structKeys(v.Type()) {
		omitEmpty := strings.HasSuffix(v.Type().Field(i).Tag.Get("yaml"), ",omitempty")
		if omitEmpty && v.Field(i).IsZero() {
			continue
		}
		section.Content = append(section.Content, textNode(key), renderNode(v.Field(i)))
	}
	return flowWhenEmpty(section)
}

func renderMap(v reflect.Value) *yaml.Node {
	entries := make(map[string]*yaml.Node, v.Len())
	for key, value := range v.Seq2() {
		entries[key.String()] = renderNode(value)
	}
	section := &yaml.Node{Kind: yaml.MappingNode}
	for _, key := range slices.Sorted(maps.Keys(entries)) {
		section.Content = append(section.Content, textNode(key), entries[key])
	}
	return flowWhenEmpty(section)
}

// flowWhenEmpty writes an empty list or section as [] or {}; nothing at all
// would read as null.
func flowWhenEmpty(node *yaml.Node) *yaml.Node {
	if len(node.Content) == 0 {
		node.Style = yaml.FlowStyle
	}
	return node
}

func renderScalar(v reflect.Value) *yaml.Node {
	if duration, ok := reflect.TypeAssert[time.Duration](v); ok {
		return textNode(formatDuration(duration))
	}
	switch v.Kind() {
	case reflect.String:
		return textNode(v.String())
	case reflect.Bool:
		return &yaml.Node{Kind: yaml.ScalarNode, Value: strconv.FormatBool(v.Bool())}
	case reflect.Float64:
		return &yaml.Node{Kind: yaml.ScalarNode, Value: formatFloat(v.Float())}
	default:
		return &yaml.Node{Kind: yaml.ScalarNode, Value: strconv.FormatInt(v.Int(), 10)}
	}
}

// textNode is quoted by the encoder where the text would read as something else.
func textNode(text string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: text}
}

// formatDuration leaves out the zero units at the end: 168h, not 168h0m0s.
func formatDuration(duration time.Duration) string {
	text := duration.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// formatFloat writes prices and counts without an exponent, as people do.
func formatFloat(number float64) string {
	if magnitude := math.Abs(number); magnitude >= 1e-6 && magnitude < 1e15 {
		return strconv.FormatFloat(number, 'f', -1, 64)
	}
	return strconv.FormatFloat(number, 'g', -1, 64)
}
