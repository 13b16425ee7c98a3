package main

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// problem is one thing wrong with a configuration. Several are collected before
// any is reported, so that a file is mended in one go.
type problem struct {
	path string // The YAML path it is about; empty for the whole file.
	line int    // 0 when not known, or when the file does not hold the path.
	text string // Complete, with the path where it helps.
}

// locate fills in the lines of problems that are about decoded values: the line
// of the path itself, else that of the nearest section or list that holds it.
func locate(problems []problem, lines map[string]int) []problem {
	for i := range problems {
		for path := problems[i].path; path != ""; path = parentPath(path) {
			if line, ok := lines[path]; ok {
				problems[i].line = line
				break
			}
		}
	}
	return problems
}

// parentPath cuts the last key or list index.
func parentPath(path string) string {
	return path[:max(0, strings.LastIndexAny(path, ".["))]
}

// childPath adds a key to a path.
func childPath(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// itemPath adds a list index to a path.
func itemPath(path string, index int) string {
	return fmt.Sprintf("%s[%d]", path, index)
}

// problemsError renders problems in the order of the file, one per line.
func problemsError(name string, problems []problem) error {
	slices.SortStableFunc(problems, func(a, b problem) int { return cmp.Compare(a.line, b.line) })
	errs := make([]error, 0, len(problems))
	for _, p := range problems {
		if p.line > 0 {
			errs = append(errs, fmt.Errorf("%s:%d: %s", name, p.line, p.text))
		} else {
			errs = append(errs, fmt.Errorf("%s: %s", name, p.text))
		}
	}
	return errors.Join(errs...)
}
