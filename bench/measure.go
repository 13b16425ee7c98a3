package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A stand runs programs and takes their time.
type stand struct {
	*workshop
	cores  cores
	runs   int
	budget time.Duration
}

// cores are the cores that programs run on, as taskset names them; both are empty where there is no taskset.
type cores struct {
	one, all string
	many     bool // many: all is more than one core.
}

// chooseCores takes the cores that the process may use.
func chooseCores(o options) (cores, error) {
	if !installed("taskset") {
		return cores{many: runtime.NumCPU() > 1}, nil
	}
	allowed := o.cores
	if allowed == "" {
		allowed = allowedCores()
	}
	c := cores{all: allowed, one: allowed[strings.LastIndexAny(allowed, ",-")+1:], many: strings.ContainsAny(allowed, ",-")}
	if o.core >= 0 {
		c.one = strconv.Itoa(o.core)
	}
	if _, err := output(exec.Command("taskset", "--cpu-list", c.one, "true")); err != nil {
		return c, fmt.Errorf("pin to core %q: %w", c.one, err)
	}
	return c, nil
}

func installed(program string) bool {
	_, err := exec.LookPath(program)
	return err == nil
}

// allowedCores is the list of cores that the kernel lets the process run on.
func allowedCores() string {
	status, _ := os.ReadFile("/proc/self/status") // Elsewhere the number of cores will do.
	for line := range strings.Lines(string(status)) {
		if list, ok := strings.CutPrefix(line, "Cpus_allowed_list:"); ok {
			return strings.TrimSpace(list)
		}
	}
	return fmt.Sprintf("0-%d", runtime.NumCPU()-1)
}

// A sample is one run of a program.
type sample struct {
	Seconds   float64 `json:"seconds"`
	Records   *uint64 `json:"records"`
	NATBytes  *uint64 `json:"nat_bytes"`
	PeakBytes int64   `json:"peak_bytes"` // PeakBytes is 0 where neither the program nor the system tells.
}

// start runs a program on the given cores. The time is what the program says, or else how long it ran: then it includes its start.
func (s *stand) start(ctx context.Context, on string, prints bool, command []string, environment ...string) (sample, error) {
	if on != "" {
		command = append([]string{"taskset", "--cpu-list", on}, command...)
	}
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Env = append(cmd.Environ(), environment...)
	var stdout, stderr bytes.Buffer
	cmd.Stderr = &stderr
	if prints {
		cmd.Stdout = &stdout
	}
	begin := time.Now()
	if err := cmd.Run(); err != nil {
		return sample{}, fmt.Errorf("run: %w%s", err, complaint(stderr.String()))
	}
	taken := sample{Seconds: time.Since(begin).Seconds(), PeakBytes: peakBytes(cmd.ProcessState)}
	if prints {
		if err := json.NewDecoder(&stdout).Decode(&taken); err != nil && err != io.EOF {
			return sample{}, fmt.Errorf("read what it printed: %w", err)
		}
	}
	return taken, nil
}

// A measurement is the runs of one program on one dataset.
type measurement struct {
	Name             string    `json:"name"`
	Seconds          []float64 `json:"seconds"`
	MedianSeconds    float64   `json:"median_seconds"`
	RecordsPerSecond float64   `json:"records_per_second"`
	MiBPerSecond     float64   `json:"mib_per_second"` // MiBPerSecond is of inflated text.
	RatioToOurs      float64   `json:"ratio_to_ours,omitempty"`
	PeakBytes        int64     `json:"peak_bytes,omitempty"`
	NATBytes         *uint64   `json:"nat_bytes,omitempty"`
	NATEqual         *bool     `json:"nat_equal,omitempty"` // NATEqual is absent where the program does not count.
	Failure          string    `json:"failure,omitempty"`

	peer  peer
	spent time.Duration
}

// add notes a run and holds what came out to the generator.
func (m *measurement) add(d *dataset, taken sample) {
	m.Seconds = append(m.Seconds, taken.Seconds)
	m.PeakBytes = max(m.PeakBytes, taken.PeakBytes)
	if taken.Records != nil && *taken.Records != d.records() {
		m.Failure = fmt.Sprintf("read %d records of %d", *taken.Records, d.records())
	}
	if !m.peer.counts {
		return
	}
	m.NATBytes = taken.NATBytes
	equal := taken.NATBytes != nil && *taken.NATBytes == d.NATBytes
	if m.NATEqual = &equal; !equal {
		m.Failure = fmt.Sprintf("the NAT sum is not the generator's %d", d.NATBytes)
	}
}

func (m *measurement) finish(d *dataset) {
	if len(m.Seconds) == 0 {
		return
	}
	m.MedianSeconds = median(m.Seconds)
	m.RecordsPerSecond = float64(d.records()) / m.MedianSeconds
	m.MiBPerSecond = float64(d.TextBytes) / (1 << 20) / m.MedianSeconds
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// run measures programs on a dataset in rounds: each round starts every program once, so that a machine that is slower for a while is slower for all.
func (s *stand) run(ctx context.Context, d *dataset, peers []peer) ([]*measurement, error) {
	if err := d.warm(); err != nil {
		return nil, err
	}
	all := make([]*measurement, len(peers))
	for i, p := range peers {
		all[i] = &measurement{Name: p.Name, peer: p}
	}
	for round := range s.runs {
		for _, m := range all {
			if m.Failure != "" || m.spent > s.budget {
				continue
			}
			begin := time.Now()
			taken, err := s.start(ctx, s.cores.one, m.peer.prints, m.peer.command(d.paths[m.peer.form]))
			m.spent += time.Since(begin)
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			if err != nil {
				m.Failure = err.Error()
				continue
			}
			m.add(d, taken)
			fmt.Fprintf(s.progress, ">> %s, round %d, %s: %.2f s\n", d.Title, round+1, m.Name, taken.Seconds)
		}
	}
	for _, m := range all {
		m.finish(d)
	}
	return all, nil
}
