package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/klauspost/compress/gzip"

	"github.com/vpcflow/vpcflow_exporter/collector/aggregator"
	"github.com/vpcflow/vpcflow_exporter/collector/classifier"
	"github.com/vpcflow/vpcflow_exporter/collector/flowlog"
)

// modes are what can be measured, by their names on the command line.
var modes = map[string]func(files []string, workers int) (result, error){
	"inflate": inflateAll,
	"read":    readAll,
	"count":   countAll,
}

// deltaKeys is the default of limits.delta_keys.
const deltaKeys = 1_000_000

// share lets workers take one file after the other, as the daemon's do, and returns what went wrong. Start makes a worker's function, which keeps its memory
// from file to file.
func share(files []string, workers int, start func() func(name string, file io.Reader) error) error {
	var next atomic.Int64
	work := func() error {
		read := start()
		for {
			i := int(next.Add(1)) - 1
			if i >= len(files) {
				return nil
			}
			if err := readFile(files[i], read); err != nil {
				return err
			}
		}
	}
	errs := make([]error, workers)
	var wait sync.WaitGroup
	for i := range workers {
		wait.Go(func() { errs[i] = work() })
	}
	wait.Wait()
	return errors.Join(errs...)
}

func readFile(name string, read func(name string, file io.Reader) error) error {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }() // It was only read.
	if err := read(name, file); err != nil {
		return fmt.Errorf("read %q: %w", name, err)
	}
	return nil
}

// inflateAll is the floor under reading: the same library and the same buffer, and nothing is done with the bytes.
func inflateAll(files []string, workers int) (result, error) {
	return result{}, share(files, workers, func() func(string, io.Reader) error {
		r, block := new(gzip.Reader), make([]byte, 256<<10)
		return func(_ string, file io.Reader) error {
			if err := r.Reset(file); err != nil {
				return err
			}
			_, err := io.CopyBuffer(onlyWriter{io.Discard}, onlyReader{r}, block)
			return err
		}
	})
}

// onlyReader and onlyWriter hide the methods by which io.CopyBuffer would go around its buffer.
type (
	onlyReader struct{ io.Reader }
	onlyWriter struct{ io.Writer }
)

func readAll(files []string, workers int) (result, error) {
	var records atomic.Uint64
	err := share(files, workers, func() func(string, io.Reader) error {
		reader := flowlog.NewReader(flowlog.Config{})
		return func(_ string, file io.Reader) error {
			n, err := each(reader, file, func(*flowlog.Record) {})
			records.Add(n)
			return err
		}
	})
	return result{Records: new(records.Load())}, err
}

// countAll does what the daemon does with a file between its stream and its commit, and the commit.
func countAll(files []string, workers int) (result, error) {
	a := aggregator.New(aggregator.DefaultConfig(), noPrices{}, time.Now)
	var records, identity atomic.Uint64
	err := share(files, workers, func() func(string, io.Reader) error {
		networks := classifier.NewNetworks(nil)
		reader, delta := flowlog.NewReader(flowlog.Config{}), aggregator.NewDelta(networks, deltaKeys)
		return func(name string, file io.Reader) error {
			delta.Reset(networks)
			delta.Watch(a.Watch())
			n, err := each(reader, file, delta.Add)
			if err != nil {
				return err
			}
			records.Add(n)
			// A file that is named twice counts twice.
			id := fmt.Sprintf("%s %d", name, identity.Add(1))
			_, err = a.Commit(aggregator.File{Identity: id, AccountID: "123456789012", Region: "eu-west-3", FlowLogID: "fl-0123456789abcdef0"}, delta)
			return err
		}
	})
	r := result{Records: new(records.Load()), NATBytes: new(uint64)}
	for nat := range a.Snapshot().NAT() {
		*r.NATBytes += nat.Value.Bytes
	}
	return r, err
}

// each hands each record of a file to add and returns their number. A line that cannot be read is an error: the files of a benchmark hold none.
func each(reader *flowlog.Reader, file io.Reader, add func(*flowlog.Record)) (records uint64, err error) {
	if err := reader.ResetText(file); err != nil {
		return 0, err
	}
	var record flowlog.Record
	for {
		switch err := reader.Read(&record); {
		case errors.Is(err, io.EOF):
			return records, nil
		case err != nil:
			return records, err
		}
		records++
		add(&record)
	}
}

// noPrices prices nothing: what is measured ends before the dollars.
type noPrices struct{}

func (noPrices) NATPrice(string, string, string) (aggregator.Price, bool) {
	return aggregator.Price{}, false
}
