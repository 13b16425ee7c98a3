package main

import (
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/vpcflow/vpcflow_exporter/collector/aggregator"
)

const examplePath = "../../config.example.yaml"

func TestExampleHoldsTheDefaults(t *testing.T) {
	got, err := LoadConfig(examplePath, LoadOptions{LookupEnv: noEnv, NeedQueueURL: true})
	if err != nil {
		t.Fatal(err)
	}
	want := DefaultConfig()
	want.SQS.QueueURL = "https://sqs.eu-west-3.amazonaws.com/123456789012/vpc-flow-logs"
	if !reflect.DeepEqual(got, want) {
		t.Errorf("config.example.yaml differs from DefaultConfig():\n got %+v\nwant %+v", got, want)
	}
}

// TestExampleHoldsEveryKey holds the example to the struct itself, since loading
// it says nothing about a key that it leaves out.
func TestExampleHoldsEveryKey(t *testing.T) {
	data, err := os.ReadFile(examplePath)
	if err != nil {
		t.Fatal(err)
	}
	root, err := parseDocument(data)
	if err != nil {
		t.Fatal(err)
	}
	set := make(map[string]*yaml.Node)
	collectKeys("", root, set)
	checked := 0
	eachKey("", reflect.TypeFor[Config](), func(path string, field reflect.StructField) {
		checked++
		key, ok := set[path]
		if !ok {
			t.Errorf("config.example.yaml lacks the key %s", path)
			return
		}
		if field.Type.Kind() != reflect.Struct && !strings.HasPrefix(key.HeadComment, "# ") {
			t.Errorf("config.example.yaml:%d: %s has no comment above it", key.Line, path)
		}
	})
	if checked < 40 {
		t.Errorf("checked %d keys, the walk over Config is broken", checked)
	}
}

// TestExampleNamesItemKeys covers the keys of list items and the price items,
// which the defaults leave empty: the comments must name them.
func TestExampleNamesItemKeys(t *testing.T) {
	data, err := os.ReadFile(examplePath)
	if err != nil {
		t.Fatal(err)
	}
	words := append(structKeys(reflect.TypeFor[NATGatewayConfig]()), priceItems...)
	words = append(words, natVantages...)
	for _, kind := range aggregator.SourceKinds() {
		words = append(words, string(kind))
	}
	for _, word := range words {
		if !regexp.MustCompile(`(?m)^ *#.*\b` + word + `\b`).Match(data) {
			t.Errorf("no comment of config.example.yaml names %s", word)
		}
	}
}

// eachKey calls visit for the keys of a section and of those below it.
func eachKey(path string, section reflect.Type, visit func(path string, field reflect.StructField)) {
	for i, key := range structKeys(section) {
		field := section.Field(i)
		visit(childPath(path, key), field)
		if field.Type.Kind() == reflect.Struct {
			eachKey(childPath(path, key), field.Type, visit)
		}
	}
}

// collectKeys gathers the key nodes of a section and of those below it by path.
func collectKeys(path string, node *yaml.Node, into map[string]*yaml.Node) {
	if node.Kind != yaml.MappingNode {
		return
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		child := childPath(path, node.Content[i].Value)
		into[child] = node.Content[i]
		collectKeys(child, node.Content[i+1], into)
	}
}
