// Package update rewrites rates.csv with the prices of one of AWS's bulk price list files,
// and prints what has changed.
//
// The file is the JSON of a service, for one region or all, as
// https://pricing.us-east-1.amazonaws.com/offers/v1.0/aws/AmazonEC2/current/eu-west-3/index.json.
// It is read as a stream up to the reserved terms, since such a file has hundreds
// of megabytes. Prices that the file does not hold stay as they are.
package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/vpcflow/vpcflow_exporter/pricing"
)

// source is the source of prices from bulk files; rates.csv explains it.
const source = "L"

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// run updates the list of the first argument from the file of the second.
func run(args []string, stdout, stderr io.Writer) int {
	if len(args) != 2 || args[1] == "" {
		fmt.Fprintln(stderr, "usage: make prices FILE=index.json")
		return 2
	}
	if err := update(args[0], args[1], stdout); err != nil {
		fmt.Fprintln(stderr, "update prices:", err)
		return 1
	}
	return 0
}

func update(ratesPath, filePath string, stdout io.Writer) (err error) {
	rates, err := os.ReadFile(ratesPath)
	if err != nil {
		return err
	}
	old, err := pricing.Load(bytes.NewReader(rates))
	if err != nil {
		return err
	}
	file, err := os.Open(filePath)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	rows, err := readBulk(bufio.NewReaderSize(file, 1<<20), old)
	if err != nil {
		return fmt.Errorf("read %s: %w", filePath, err)
	}
	merged, err := old.Merge(rows)
	if err != nil {
		return err
	}
	if err := replace(ratesPath, rates, merged); err != nil {
		return err
	}
	return diff(stdout, old, rows)
}

// replace writes the list below the comment that stands above the old one.
func replace(path string, old []byte, table *pricing.Table) error {
	var page bytes.Buffer
	for line := range strings.Lines(string(old)) {
		if !strings.HasPrefix(line, "#") {
			break
		}
		page.WriteString(line)
	}
	if err := table.Write(&page); err != nil {
		return err
	}
	next := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".tmp")
	if err := os.WriteFile(next, page.Bytes(), 0o644); err != nil {
		return err
	}
	return os.Rename(next, path)
}

// diff prints a line per price of the file, and how many are new.
func diff(w io.Writer, old *pricing.Table, rows []pricing.Row) error {
	var page strings.Builder
	changed := 0
	for _, row := range rows {
		was, ok := old.Price(row.Region, row.Item)
		text := "none"
		if ok {
			text = usd(was.USD)
		}
		mark := "="
		if !ok || was.USD != row.Rate.USD {
			mark, changed = "!", changed+1
		}
		fmt.Fprintf(&page, "%s %s %s: %s -> %s\n", mark, row.Region, row.Item, text, usd(row.Rate.USD))
	}
	fmt.Fprintf(&page, "%d prices read, %d changed\n", len(rows), changed)
	_, err := io.WriteString(w, page.String())
	return err
}

func usd(price float64) string { return strconv.FormatFloat(price, 'f', -1, 64) }
