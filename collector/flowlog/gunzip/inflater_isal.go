//go:build isal && cgo

package gunzip

// Inflater names what inflates in this build.
const Inflater = "isa-l"

func newInflater() inflater { return newISALInflater() }
