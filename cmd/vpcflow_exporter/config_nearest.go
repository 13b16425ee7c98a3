package main

import (
	"slices"
	"strings"
)

// unknownKey words the message about a key that a section does not have, given
// the keys that it has.
func unknownKey(key string, known []string) string {
	if nearest, ok := nearestKey(key, known); ok {
		return "unknown key " + quote(key) + ", did you mean " + quote(nearest) + "?"
	}
	return "unknown key " + quote(key) + ", known keys are " + strings.Join(known, ", ")
}

// nearestKey returns the known key with the smallest edit distance, the first of
// several. A key that has little in common with all of them has no nearest one:
// a wild guess misleads more than it helps.
func nearestKey(key string, known []string) (string, bool) {
	best, bestDistance := "", len(key)/3+2
	for _, candidate := range known {
		distance := editDistance(key, candidate)
		if len(key) > 2 && strings.HasPrefix(candidate, key) {
			distance = min(distance, 1) // "queue" is short for "queue_url".
		}
		if distance < bestDistance {
			best, bestDistance = candidate, distance
		}
	}
	return best, best != ""
}

// editDistance counts the insertions, deletions and replacements of bytes that
// turn a into b.
func editDistance(a, b string) int {
	previous := make([]int, len(b)+1)
	for j := range previous {
		previous[j] = j
	}
	current := slices.Clone(previous)
	for i := range len(a) {
		current[0] = i + 1
		for j := range len(b) {
			replaced := previous[j]
			if a[i] != b[j] {
				replaced++
			}
			current[j+1] = min(replaced, previous[j+1]+1, current[j]+1)
		}
		previous, current = current, previous
	}
	return previous[len(b)]
}
