package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
)

// A report is all figures of a run.
type report struct {
	Machine        machine        `json:"machine"`
	Comparisons    []*comparison  `json:"comparisons"`
	Workers        []workersRatio `json:"workers"`
	Growth         []growthRow    `json:"growth"`
	LargePeakBytes int64          `json:"large_peak_bytes"`
	Profile        profile        `json:"profile"`
	Missing        []missing      `json:"missing"`
	Failures       []string       `json:"failures"`
}

// machine is what the figures were taken on. It names no host.
type machine struct {
	CPU      string   `json:"cpu"`
	Cores    int      `json:"cores"`
	Platform string   `json:"platform"`
	Go       string   `json:"go"`
	Pinned   bool     `json:"pinned"`
	Versions []string `json:"versions"`
}

// missing is a program that was not measured, and why.
type missing struct {
	Name   string `json:"name"`
	Reason string `json:"reason"`
}

func newReport(ctx context.Context, pinned bool) *report {
	model, cores := processor()
	r := &report{Machine: machine{
		CPU: model, Cores: cores, Platform: runtime.GOOS + "/" + runtime.GOARCH, Go: runtime.Version(), Pinned: pinned,
		Versions: versions(ctx),
	}}
	if !r.Machine.Pinned {
		r.miss("pinning to a core", errors.New("there is no taskset"))
	}
	return r
}

func (r *report) miss(name string, reason error) {
	r.Missing = append(r.Missing, missing{Name: name, Reason: reason.Error()})
}

func (r *report) fail(where string, m *measurement) {
	if m.Failure != "" {
		r.Failures = append(r.Failures, fmt.Sprintf("%s: %s: %s", where, m.Name, m.Failure))
	}
}

// processor is how the processor names itself and how many cores the machine has, whatever this process may use. Where it cannot be asked, the architecture and
// what Go knows will do.
func processor() (model string, cores int) {
	info, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(info)) {
		key, value, _ := strings.Cut(line, ":")
		switch strings.TrimSpace(key) {
		case "processor":
			cores++
		case "model name":
			model = strings.TrimSpace(value)
		}
	}
	if cores == 0 {
		cores = runtime.NumCPU()
	}
	if model == "" {
		model = runtime.GOARCH
	}
	return model, cores
}

// versions are the first lines with which the programs of the machine name themselves. Those of the others are in their manifests.
func versions(ctx context.Context) []string {
	var all []string
	for _, command := range [][]string{{"gzip", "--version"}, {"igzip", "--version"}, {"mawk", "-W", "version"}, {"node", "--version"}, {"python3", "--version"}, {"rustc", "--version"}} {
		text, err := output(exec.CommandContext(ctx, command[0], command[1:]...))
		if err != nil {
			continue // The programs that need it are named as missing.
		}
		first, _, _ := strings.Cut(text, "\n")
		words := strings.FieldsFunc(first, func(c rune) bool { return c == ' ' || c == ',' })
		for _, word := range words {
			if strings.ContainsAny(word, "0123456789") {
				all = append(all, command[0]+" "+strings.TrimPrefix(word, "v"))
				break
			}
		}
	}
	return all
}
