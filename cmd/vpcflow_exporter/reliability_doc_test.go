package main

import (
	"go/ast"
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

var testName = regexp.MustCompile("`((?:Test|Fuzz|Benchmark)[A-Za-z0-9]+)`")

// TestReliabilityNamesTests holds docs/reliability.md to what it claims: the tests that it names exist.
func TestReliabilityNamesTests(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(repositoryRoot, "docs", "reliability.md"))
	if err != nil {
		t.Fatal(err)
	}
	exists := make(map[string]bool)
	_, files := sourceFiles(t, 0)
	for _, file := range files {
		for _, declaration := range file.syntax.Decls {
			if f, ok := declaration.(*ast.FuncDecl); ok && file.test {
				exists[f.Name.Name] = true
			}
		}
	}
	names := testName.FindAllSubmatch(text, -1)
	if len(names) < 20 {
		t.Fatalf("found %d names of tests, the search is broken", len(names))
	}
	for _, m := range names {
		if !exists[string(m[1])] {
			t.Errorf("docs/reliability.md names %s, which does not exist", m[1])
		}
	}
}
