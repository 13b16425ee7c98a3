package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
)

const repositoryRoot = "../.."

// sourceFile is a Go file of the repository. Its path and its package's folder
// are relative to the root, with slashes.
type sourceFile struct {
	path   string
	dir    string
	test   bool
	syntax *ast.File
}

// sourceFiles parses all Go files of the module. It reads them in-process, and
// not through the go command, because the test cache sees files that a test
// opens, but not those that a subprocess does: a cached PASS would hide a
// violation added in another package.
func sourceFiles(t *testing.T, mode parser.Mode) (*token.FileSet, []sourceFile) {
	t.Helper()
	fset := token.NewFileSet()
	var files []sourceFile
	err := filepath.WalkDir(repositoryRoot, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if name != repositoryRoot && (ignoredFolder(entry.Name()) || isModule(name)) {
				return filepath.SkipDir
			}
			return nil
		}
		if filepath.Ext(name) != ".go" {
			return nil
		}
		syntax, err := parser.ParseFile(fset, name, nil, mode)
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(repositoryRoot, name)
		if err != nil {
			return err
		}
		relative = filepath.ToSlash(relative)
		files = append(files, sourceFile{
			path:   relative,
			dir:    path.Dir(relative),
			test:   strings.HasSuffix(relative, "_test.go"),
			syntax: syntax,
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 10 {
		t.Fatalf("found %d Go files, the walk is broken", len(files))
	}
	return fset, files
}

// ignoredFolder names the folders that the go command ignores, and those that
// only hold what was built.
func ignoredFolder(name string) bool {
	return strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") ||
		name == "testdata" || name == "vendor" || name == "node_modules"
}

// isModule reports whether a folder is a module of its own.
func isModule(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "go.mod"))
	return err == nil
}
