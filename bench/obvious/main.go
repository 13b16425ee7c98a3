// Command obvious reads flow log files as a Go programmer would in an afternoon: lines by bufio.Scanner, columns by strings.Fields, sums in maps of strings. It
// sums what a NAT gateway forwards by remote and by client, and prints one line of JSON. The runner in bench starts it as the standard to be faster than.
package main

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
)

type result struct {
	Seconds  float64 `json:"seconds"`
	Records  uint64  `json:"records"`
	NATBytes uint64  `json:"nat_bytes"`
}

// sums are the bytes that the gateway forwards.
type sums struct {
	records  uint64
	byRemote map[string]uint64
	byClient map[string]uint64
}

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

func run(args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("obvious", flag.ContinueOnError)
	flags.SetOutput(stderr)
	eni := flags.String("interface", "", "interface of the NAT gateway")
	address := flags.String("address", "", "private address of the NAT gateway")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	begin := time.Now()
	s := sums{byRemote: make(map[string]uint64), byClient: make(map[string]uint64)}
	for _, name := range flags.Args() {
		if err := s.readFile(name, *eni, *address); err != nil {
			fmt.Fprintln(stderr, "obvious:", err)
			return 1
		}
	}
	r := result{Records: s.records}
	for _, bytes := range s.byRemote {
		r.NATBytes += bytes
	}
	r.Seconds = time.Since(begin).Seconds()
	if err := json.NewEncoder(stdout).Encode(r); err != nil {
		fmt.Fprintln(stderr, "obvious:", err)
		return 1
	}
	return 0
}

func (s *sums) readFile(name, eni, address string) error {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }() // It was only read.
	text, err := gzip.NewReader(file)
	if err != nil {
		return fmt.Errorf("read %q: %w", name, err)
	}
	var header []string
	lines := bufio.NewScanner(text)
	for lines.Scan() {
		values := strings.Fields(lines.Text())
		if header == nil {
			header = values
			continue
		}
		row := make(map[string]string, len(header))
		for i, field := range header {
			row[field] = values[i]
		}
		s.add(row, eni, address)
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read %q: %w", name, err)
	}
	return nil
}

// add counts a row by the rule for a zonal gateway whose interface and address are known.
func (s *sums) add(row map[string]string, eni, address string) {
	s.records++
	if row["interface-id"] != eni || row["action"] != "ACCEPT" || row["log-status"] != "OK" {
		return
	}
	bytes, err := strconv.ParseUint(row["bytes"], 10, 64)
	if err != nil {
		return
	}
	switch {
	case row["dstaddr"] == address && row["pkt-dstaddr"] != address:
		s.byRemote[row["pkt-dstaddr"]] += bytes
		s.byClient[row["pkt-srcaddr"]] += bytes
	case row["srcaddr"] == address && row["pkt-srcaddr"] != address:
		s.byRemote[row["pkt-srcaddr"]] += bytes
		s.byClient[row["pkt-dstaddr"]] += bytes
	}
}
