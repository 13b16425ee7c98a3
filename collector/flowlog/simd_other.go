//go:build !amd64

package flowlog

const hasSIMD = false

// indexAVX2 and fourV4 stand for the functions of those names, which cannot run here.

func indexAVX2(*byte, int, int, *uint32, *uint32) (separators, lines int) { return 0, 0 }

func fourV4(*byte, *[maxFastColumns + 1]uint32, *[4]uint32, *[4]Addr) bool { return false }
