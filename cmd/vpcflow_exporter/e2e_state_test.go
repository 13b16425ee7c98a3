package main

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/vpcflow/vpcflow_exporter/internal/awstest"
)

// kept are the lines of a page that a restart must not change.
var kept = regexp.MustCompile(`(?m)^vpcflow_(bytes|packets|nat|records|observed|files|file_errors|file_compressed|file_decompressed|flow_log|last_record|format|held)\w*(\{[^}]*\})? .*$`)

func (d *daemon) keptLines() string {
	d.t.Helper()
	status, text := d.request(http.MethodGet, "/metrics", "Accept", "application/openmetrics-text; version=1.0.0")
	if status != http.StatusOK {
		d.t.Fatalf("scrape: got status %d", status)
	}
	lines := kept.FindAllString(text, -1)
	lines = slices.DeleteFunc(lines, func(line string) bool { return strings.HasPrefix(line, "vpcflow_file_duration") })
	return strings.Join(lines, "\n")
}

// TestStateRestart stops a daemon and starts another one on its state: the page goes on, created timestamps included, and what is delivered again is known.
func TestStateRestart(t *testing.T) {
	s := newStand(t, 5)
	s.config.State.Path = filepath.Join(t.TempDir(), "state")
	first := s.put(logKey("1"), natFile(1000, 50_000))
	s.deliver("AWSLogs/notes.txt", []byte("no flow log"))
	d := s.start("--web.openmetrics-created")
	s.send(awstest.S3Event(first))
	d.await(skipped, 1)
	d.await(processed, 1)
	s.depth(0, 0)
	before := d.keptLines()
	if !strings.Contains(before, "vpcflow_nat_bytes_created{") || !strings.Contains(before, `vpcflow_files_total{result="skipped"} 1`) {
		t.Errorf("got %s", before)
	}
	d.terminate() // No scrape is waited for.
	d.wait()

	d = s.start("--web.openmetrics-created")
	if after := d.keptLines(); after != before {
		t.Errorf("a restart has changed\n%s", strings.Join(lineDiff(before, after), "\n"))
	}
	s.waitForLog("Restored state")
	s.send(awstest.S3Event(first))
	d.await(duplicates, 1)
	s.deliver(logKey("2"), natFile(1, 2))
	p := d.await(processed, 2)
	p.check(t, map[string]float64{natSeries("vpcflow_nat_bytes_total", "egress"): 1001, natSeries("vpcflow_nat_bytes_total", "ingress"): 50_002, skipped: 1})
	if p.values["vpcflow_state_size_bytes"] <= 0 || strings.Contains(p.text, "vpcflow_state_commit_duration_seconds_count 0\n") {
		t.Errorf("got %s", p.own())
	}
}

// TestStateLost breaks the state in a way that no waiting mends: the daemon gives the message back and ends with the reason.
func TestStateLost(t *testing.T) {
	s := newStand(t, 5)
	s.config.State.Path = t.TempDir()
	d := s.start()
	d.ready(http.StatusOK, "OK")
	closeState(t, d.app.state)
	s.deliver(logKey("1"), natFile(1000, 50_000))
	select {
	case <-d.ended:
	case <-time.After(patience):
		t.Fatal("the daemon goes on")
	}
	if d.err == nil || !strings.Contains(d.err.Error(), "write state") {
		t.Errorf("got %v", d.err)
	}
	d.err = nil // It was expected.
	s.pass(time.Minute)
	s.depth(1, 0)
	d = s.start()
	d.await(processed, 1).check(t, natTotals(1000, 50_000))
}

// TestStateRefused starts a daemon on a state that it must not touch.
func TestStateRefused(t *testing.T) {
	s := newStand(t, 5)
	s.config.State.Path = t.TempDir()
	d := s.start()
	if _, err := newApp(d.app.flags, s.config, aws.Config{}, d.app.logger, s.now); err == nil || !strings.Contains(err.Error(), "another process holds it") {
		t.Errorf("got %v", err)
	}
	d.stop()
	path := filepath.Join(s.config.State.Path, "state.db")
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	content[30] ^= 1
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := newApp(d.app.flags, s.config, aws.Config{}, d.app.logger, s.now); err == nil || !strings.Contains(err.Error(), path+`": the file is damaged`) {
		t.Errorf("got %v", err)
	}
}

// TestInspect looks into a state that is in use, one that is not, and a copy.
func TestInspect(t *testing.T) {
	s := newStand(t, 5)
	directory := filepath.Join(t.TempDir(), "state")
	configFile := s.configured("state: {path: " + directory + "}\n")
	d := s.start()
	s.deliver(logKey("1"), natFile(1000, 50_000))
	d.await(processed, 1)
	inspect := func(code int, stdout, stderr string) {
		t.Helper()
		var out, problems strings.Builder
		if got := run(t.Context(), []string{"--state.inspect", "--config.file=" + configFile}, nil, &out, &problems); got != code {
			t.Errorf("got code %d, want %d", got, code)
		}
		if !strings.Contains(out.String(), stdout) || !strings.Contains(problems.String(), stderr) || (stderr == "") != (problems.String() == "") {
			t.Errorf("got %s\n%s, want %s\n%s", out.String(), problems.String(), stdout, stderr)
		}
	}
	inspect(exitFailure, "", "another process holds it")
	inspect(exitFailure, "", "copy its file to a folder of its own")
	d.stop()
	for _, line := range []string{
		"schema version 1, undamaged",
		"Counting since 2026-03-14T10:25:00Z: 1 files, 4 data lines decided",
		"Series were created from 2026-03-14T10:25:00Z to 2026-03-14T10:25:00Z",
		"      2 vpcflow_nat_bytes_total\n",
		"  123456789012 eu-west-3 eni-0a1b2c3d4e5f60718 zonal, recognised by interface_type, seen from 2026-03-14T09:25:00Z to 2026-03-14T09:25:59Z\n",
		"duplicates: 1\n  2026-03-14       1\n",
	} {
		inspect(exitOK, line, "")
	}
	copied := copyState(t, directory)
	s.writeConfig(configFile, "state: {path: "+filepath.Join(copied, "state.db")+"}\n")
	inspect(exitOK, copied, "")
	s.writeConfig(configFile, "state: {path: "+t.TempDir()+"}\n")
	inspect(exitFailure, "", "no such file")
}
