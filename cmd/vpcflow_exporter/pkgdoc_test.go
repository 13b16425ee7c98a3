package main

import (
	"go/ast"
	"go/parser"
	"path"
	"slices"
	"strings"
	"testing"
)

// TestPackageDoc wants exactly one doc comment per package, in the file named
// like the package, so that a reader knows where to look and no second one (or a
// licence text that slipped in front of a package clause) is mixed into it.
func TestPackageDoc(t *testing.T) {
	_, files := sourceFiles(t, parser.PackageClauseOnly|parser.ParseComments)
	documented := make(map[string][]string)
	texts := make(map[string]string)
	for _, file := range files {
		if file.test {
			if file.syntax.Doc != nil {
				t.Errorf("%s: a test file must not hold package documentation", file.path)
			}
			continue
		}
		if _, known := documented[file.dir]; !known {
			documented[file.dir] = nil
		}
		if file.syntax.Doc != nil {
			documented[file.dir] = append(documented[file.dir], file.path)
			texts[file.dir] = docText(file.syntax)
		}
	}
	for dir, in := range documented {
		want := path.Join(dir, docFile(dir))
		if !slices.Equal(in, []string{want}) {
			t.Errorf("package %s must be documented once, in %s, but is in %q", dir, want, in)
			continue
		}
		checkDocText(t, dir, want, texts[dir])
	}
}

// isCommand says whether a folder holds a program and no package to import.
func isCommand(dir string) bool {
	return strings.HasPrefix(dir, "cmd/") || dir == "bench" || strings.HasPrefix(dir, "bench/")
}

// docFile names the file that documents the package in a folder.
func docFile(dir string) string {
	if isCommand(dir) {
		return "main.go"
	}
	return path.Base(dir) + ".go"
}

// docText returns the package documentation without the comment markers.
func docText(file *ast.File) string {
	return strings.TrimSpace(file.Doc.Text())
}

func checkDocText(t *testing.T, dir, file, text string) {
	t.Helper()
	prefix := "Package " + path.Base(dir) + " "
	if isCommand(dir) {
		prefix = "Command " + path.Base(dir) + " "
	}
	if !strings.HasPrefix(text, prefix) {
		t.Errorf("%s: the package documentation must begin with %q, got %q", file, prefix, firstLine(text))
	}
	if !strings.HasSuffix(text, ".") {
		t.Errorf("%s: the package documentation must end with a full stop", file)
	}
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}
