//go:build conformance

package conformance

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/vpcflow/vpcflow_exporter/internal/testlog"
)

const (
	// A test waits so long for what must come. It is no measure of speed.
	patience = 3 * time.Minute
	// It looks so often.
	glance = 50 * time.Millisecond
)

// waitFor waits until a condition holds.
func waitFor(t *testing.T, what string, condition func() bool) {
	t.Helper()
	ticker := time.NewTicker(glance)
	defer ticker.Stop()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	for !condition() {
		select {
		case <-ticker.C:
		case <-deadline.C:
			t.Fatalf("waited %s in vain for %s", patience, what)
		}
	}
}

// A process is a program that runs beside the test, and what it has printed.
type process struct {
	command *exec.Cmd
	output  *testlog.Buffer
	ended   chan struct{}
	err     error // err is what became of it, once ended is closed.
}

// start starts a program in an environment of its own, so that the machine's credentials and endpoints do not matter. The end of the test kills it, and a
// failed one shows what it has printed.
func start(t *testing.T, environment []string, name string, args ...string) *process {
	t.Helper()
	p := &process{command: exec.CommandContext(context.Background(), name, args...), output: new(testlog.Buffer), ended: make(chan struct{})}
	p.command.Env = append(environment, "PATH="+os.Getenv("PATH"), "HOME="+os.Getenv("HOME"), "AWS_EC2_METADATA_DISABLED=true")
	p.command.Stdout, p.command.Stderr = p.output, p.output
	p.command.Dir = t.TempDir()
	if err := p.command.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		p.err = p.command.Wait()
		close(p.ended)
	}()
	t.Cleanup(func() {
		if err := p.command.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
			t.Errorf("kill %s: %v", name, err)
		}
		<-p.ended
		if t.Failed() {
			t.Logf("output of %s:\n%s", name, p.output)
		}
	})
	return p
}

// hasEnded says whether the process has ended.
func (p *process) hasEnded() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// terminate sends SIGTERM and waits for a clean end.
func (p *process) terminate(t *testing.T) {
	t.Helper()
	if err := p.command.Process.Signal(syscall.SIGTERM); err != nil {
		t.Errorf("send SIGTERM: %v", err)
		return
	}
	waitFor(t, "the end after SIGTERM", p.hasEnded)
	if p.err != nil {
		t.Errorf("after SIGTERM: got %v, want exit status 0", p.err)
	}
}

// freeAddress returns an address on which nobody listens. Somebody else may take it before the server does, which then fails.
func freeAddress(t *testing.T) (host, port string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return "127.0.0.1", strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}

// answers waits until a server answers requests, whatever it says.
func (p *process) answers(t *testing.T, url string) {
	t.Helper()
	waitFor(t, "an answer of "+url, func() bool {
		if p.hasEnded() {
			t.Fatalf("server of %s has ended: %v", url, p.err)
		}
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return false
		}
		return response.Body.Close() == nil
	})
}
