//go:build race

package pipeline

// The race detector makes a scenario take ten times as long, and looks for what one in ten shows as well.
func init() { *scenarios /= 10 }
