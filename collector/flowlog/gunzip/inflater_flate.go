//go:build !isal || !cgo

package gunzip

// Inflater names what inflates in this build.
const Inflater = "klauspost/compress"

func newInflater() inflater { return new(flateInflater) }
