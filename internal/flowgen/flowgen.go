// Package flowgen makes the flow logs of a simulated AWS network: conversations between instances, NAT gateways and remotes, turned into
// flow log rows at every vantage point that AWS logs.
//
// It is the independent oracle of the exporter. What is to be counted is booked in a Ledger while the traffic is made, from what the simulated
// network knows, and never by reading rows back; so the package imports nothing of the exporter. The Ledger speaks the language of the
// exporter's metrics: the same dispositions, directions, paths and label values.
//
// A Recorder turns conversations into rows, Random makes whole scenarios from a seed, and a File is a piece of a flow log under the key that
// AWS would give it.
package flowgen

import (
	"bytes"
	"compress/gzip"
)

// Gzip compresses text as AWS compresses flow log files: one gzip member.
func Gzip(text []byte) []byte { return GzipLevel(text, gzip.DefaultCompression) }

// GzipLevel is Gzip with one of the levels of package compress/gzip; it panics with any other.
func GzipLevel(text []byte, level int) []byte {
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, level)
	if err != nil {
		panic(err)
	}
	// Writes to a bytes.Buffer do not fail.
	_, _ = w.Write(text)
	_ = w.Close()
	return b.Bytes()
}
