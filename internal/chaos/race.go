//go:build race

package chaos

// The race detector makes a program take five to ten times the memory (go.dev/doc/articles/race_detector).
const memoryFactor = 5
