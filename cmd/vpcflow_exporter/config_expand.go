package main

import (
	"fmt"
	"regexp"
	"strings"
)

// variableName is what may stand between ${ and }.
var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// expandEnv replaces each ${NAME} by the variable's value. A value is not
// expanded again. All other dollar signs stay as they are, $$ too; a ${ that
// does not begin a reference is an error, since it can only be a slip or a
// shell's form that would silently do nothing.
func expandEnv(text string, lookup func(string) (string, bool)) (string, error) {
	var expanded strings.Builder
	for {
		before, rest, found := strings.Cut(text, "${")
		expanded.WriteString(before)
		if !found {
			return expanded.String(), nil
		}
		name, after, closed := strings.Cut(rest, "}")
		if !closed || !variableName.MatchString(name) {
			return "", fmt.Errorf("cannot expand %s, write ${NAME}", quote("${"+rest))
		}
		value, ok := lookup(name)
		if !ok {
			return "", fmt.Errorf("environment variable %s is not set", quote(name))
		}
		expanded.WriteString(value)
		text = after
	}
}
