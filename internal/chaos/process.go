package chaos

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"sync/atomic"
	"syscall"
	"time"
)

// A process is one life of the exporter.
type process struct {
	cmd *exec.Cmd
	url string
	// exited is closed when the process is gone; err is then how it ended.
	exited chan struct{}
	err    error
	client *http.Client
	// killed says that somebody is about to kill it.
	killed atomic.Bool
}

var listening = regexp.MustCompile(`msg="Listening on" address=(\S+)`)

// startPatience is how long a process may take to listen. It is no measure of speed.
const startPatience = 60 * time.Second

// start runs a process until it listens. What it logs goes to log.
func start(ctx context.Context, cmd *exec.Cmd, log io.Writer) (*process, error) {
	out, in, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("start exporter: %w", err)
	}
	cmd.Stdout, cmd.Stderr = in, in
	dieWithParent(cmd)
	if err := errors.Join(cmd.Start(), in.Close()); err != nil {
		return nil, errors.Join(fmt.Errorf("start exporter: %w", err), out.Close())
	}
	p := &process{cmd: cmd, exited: make(chan struct{}), client: &http.Client{Transport: new(http.Transport)}}
	address := make(chan string, 1)
	go p.follow(out, log, address)
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	select {
	case a := <-address:
		p.url = "http://" + a
		return p, nil
	case <-p.exited:
		return nil, fmt.Errorf("start exporter: it ended before it listened: %w", p.failure())
	case <-ctx.Done():
		p.kill()
		return nil, fmt.Errorf("start exporter: it does not listen: %w", ctx.Err())
	}
}

// follow copies the log until the process is gone, and finds the address in it.
func (p *process) follow(out *os.File, log io.Writer, address chan<- string) {
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	found := false
	for lines.Scan() {
		fmt.Fprintf(log, "%s\n", lines.Bytes())
		if m := listening.FindSubmatch(lines.Bytes()); m != nil && !found {
			found = true
			address <- string(m[1])
		}
	}
	p.err = errors.Join(p.cmd.Wait(), out.Close())
	close(p.exited)
}

// failure returns how an exited process ended, which is never nil.
func (p *process) failure() error {
	if p.err == nil {
		return errors.New("exit status 0")
	}
	return p.err
}

// doom says beforehand that the process will be killed, so that nobody wonders about its end.
func (p *process) doom() { p.killed.Store(true) }

func (p *process) isKilled() bool { return p.killed.Load() }

func (p *process) hasExited() bool {
	select {
	case <-p.exited:
		return true
	default:
		return false
	}
}

// kill ends the process as kill -9 does, and waits for its end.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // One that is gone already is as good.
	<-p.exited
	p.client.CloseIdleConnections()
}

// terminate asks the process to end.
func (p *process) terminate() error { return p.cmd.Process.Signal(syscall.SIGTERM) }

// scrape reads the page of metrics. A process that dies meanwhile is an error.
func (p *process) scrape(ctx context.Context) (totals, error) {
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+"/metrics", http.NoBody)
	if err != nil {
		return totals{}, err
	}
	response, err := p.client.Do(request)
	if err != nil {
		return totals{}, err
	}
	page, err := io.ReadAll(response.Body)
	if err := errors.Join(err, response.Body.Close()); err != nil {
		return totals{}, err
	}
	if response.StatusCode != http.StatusOK {
		return totals{}, fmt.Errorf("scrape exporter: status %d: %s", response.StatusCode, page)
	}
	return parseTotals(string(page))
}
