package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/vpcflow/vpcflow_exporter/internal/flowgen"
)

// A peer is a program that reads the files of a dataset.
type peer struct {
	Name    string
	form    form
	counts  bool // counts: it says what the gateway forwards.
	prints  bool // prints: its output is a line of JSON. What it does not print is measured from outside.
	command func(files []string) []string
}

// The names of the peers that ratios are taken of.
const (
	oursGzip           = "this exporter"
	oursText           = "this exporter, inflated input"
	oursISAL           = "this exporter, ISA-L"
	readerOnly         = ", records only"
	floorLibrary       = "klauspost/compress alone"
	floorGzip          = "gzip -dc"
	floorISAL          = "igzip -dc"
	peerObvious        = "the obvious Go"
	peerMawk           = "zcat and mawk"
	peerDuckDB         = "DuckDB"
	peerDuckDBTyped    = "DuckDB, types of columns given"
	peerVRL            = "VRL parse_aws_vpc_flow_log"
	peerFlowLogsReader = "flowlogs-reader (Python)"
)

// peers builds and installs whatever can be, and notes in the report what cannot. Only what is this repository's own must work.
func (w *workshop) peers(ctx context.Context, r *report) ([]peer, error) {
	reader, err := w.build(ctx, "reader", "./bench/reader", "")
	if err != nil {
		return nil, err
	}
	obvious, err := w.build(ctx, "obvious", "./bench/obvious", "")
	if err != nil {
		return nil, err
	}
	peers := ours(oursGzip, reader, formGzip)
	peers = append(peers, ours(oursText, reader, formText)...)
	if fast, err := w.buildISAL(ctx); err != nil {
		r.miss(oursISAL, err)
	} else {
		peers = append(peers, ours(oursISAL, fast, formGzip)...)
	}
	peers = append(peers, mode(floorLibrary, reader, "inflate", formGzip, false))
	for _, floor := range []string{floorGzip, floorISAL} {
		program, flags, _ := strings.Cut(floor, " ")
		if _, err := exec.LookPath(program); err != nil {
			r.miss(floor, err)
			continue
		}
		peers = append(peers, peer{Name: floor, form: formGzip, command: arguments(program, flags)})
	}
	peers = append(peers, peer{
		Name: peerObvious, form: formGzip, counts: true, prints: true,
		command: arguments(obvious, "-interface="+flowgen.BulkGatewayENI, "-address="+flowgen.BulkGatewayAddr),
	})
	for _, foreign := range []struct {
		name    string
		install func(context.Context) (command []string, err error)
	}{
		{peerMawk, w.mawk}, {peerDuckDB, w.duckDB("auto")}, {peerDuckDBTyped, w.duckDB("typed")}, {peerVRL, w.vrl}, {peerFlowLogsReader, w.flowLogsReader},
	} {
		command, err := foreign.install(ctx)
		if err != nil {
			r.miss(foreign.name, err)
			continue
		}
		peers = append(peers, peer{Name: foreign.name, form: formGzip, counts: true, prints: true, command: arguments(command...)})
	}
	return peers, ctx.Err()
}

// ours are the two ways to run a build of this exporter's reader.
func ours(name, binary string, f form) []peer {
	return []peer{mode(name, binary, "count", f, true), mode(name+readerOnly, binary, "read", f, false)}
}

func mode(name, binary, mode string, f form, counts bool) peer {
	return peer{Name: name, form: f, counts: counts, prints: true, command: arguments(binary, "-mode="+mode)}
}

// arguments returns a function that puts files behind a command.
func arguments(command ...string) func(files []string) []string {
	return func(files []string) []string { return append(slices.Clip(command), files...) }
}

// buildISAL builds the reader with ISA-L, if the source has that choice and the machine has the library. Without the choice the tag would change nothing, and
// the same reader would be measured twice.
func (w *workshop) buildISAL(ctx context.Context) (string, error) {
	const usesC = `{{if and .Module .Module.Main .CgoFiles}}{{.ImportPath}}{{end}}`
	list := exec.CommandContext(ctx, "go", "list", "-deps", "-tags=isal", "-f", usesC, "./bench/reader")
	list.Dir = w.root
	list.Env = append(list.Environ(), "CGO_ENABLED=1")
	packages, err := output(list)
	if err != nil {
		return "", err
	}
	if packages == "" {
		return "", errors.New("no package has files for the build tag isal")
	}
	return w.build(ctx, "reader-isal", "./bench/reader", "isal")
}

func (w *workshop) mawk(context.Context) ([]string, error) {
	for _, program := range []string{"zcat", "mawk"} {
		if _, err := exec.LookPath(program); err != nil {
			return nil, err
		}
	}
	script := filepath.Join(w.root, "bench", "mawk", "nat.awk")
	pipe := fmt.Sprintf(`zcat "$@" | mawk -v eni=%s -v nat=%s -f "$0"`, flowgen.BulkGatewayENI, flowgen.BulkGatewayAddr)
	return []string{"sh", "-c", pipe, script}, nil
}

func (w *workshop) duckDB(mode string) func(context.Context) ([]string, error) {
	return func(ctx context.Context) ([]string, error) {
		dir, err := w.stage("duckdb", "package.json", "main.mjs")
		if err != nil {
			return nil, err
		}
		install := strings.Fields("npm install --no-audit --no-fund --no-package-lock --no-update-notifier")
		if err := w.once(ctx, dir, "package.json", install); err != nil {
			return nil, err
		}
		return []string{"node", filepath.Join(dir, "main.mjs"), mode, flowgen.BulkGatewayENI, flowgen.BulkGatewayAddr}, nil
	}
}

func (w *workshop) vrl(ctx context.Context) ([]string, error) {
	dir, err := w.stage("vrl", "Cargo.toml", filepath.Join("src", "main.rs"))
	if err != nil {
		return nil, err
	}
	binary := filepath.Join(dir, "target", "release", "bench-vrl")
	if _, err := os.Stat(binary); err != nil {
		fmt.Fprintln(w.progress, ">> building VRL, which takes a quarter of an hour on one core")
	}
	cargo := exec.CommandContext(ctx, "cargo", "build", "--release", "--quiet")
	cargo.Dir = dir
	if _, err := output(cargo); err != nil {
		return nil, err
	}
	return []string{binary, flowgen.BulkGatewayENI, flowgen.BulkGatewayAddr}, nil
}

func (w *workshop) flowLogsReader(ctx context.Context) ([]string, error) {
	dir, err := w.stage("flowlogsreader", "requirements.txt", "main.py")
	if err != nil {
		return nil, err
	}
	python := filepath.Join(dir, "venv", "bin", "python")
	err = w.once(ctx, dir, "requirements.txt",
		[]string{"python3", "-m", "venv", filepath.Join(dir, "venv")},
		[]string{python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--requirement", "requirements.txt"})
	if err != nil {
		return nil, err
	}
	return []string{python, "-W", "ignore", filepath.Join(dir, "main.py"), flowgen.BulkGatewayENI, flowgen.BulkGatewayAddr}, nil
}
