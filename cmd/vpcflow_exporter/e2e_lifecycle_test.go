package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/vpcflow/vpcflow_exporter/internal/awstest"
	"github.com/vpcflow/vpcflow_exporter/internal/testlog"
)

// terminate ends the daemon as SIGTERM does, without waiting for it.
func (d *daemon) terminate() { d.cancel(errTerminated) }

// running says whether the daemon has not ended yet.
func (d *daemon) running() bool {
	select {
	case <-d.ended:
		return false
	default:
		return true
	}
}

// TestTerminate finishes the file in work, answers to be not ready meanwhile, deletes the message, and stays until the last numbers were scraped.
func TestTerminate(t *testing.T) {
	t.Parallel()
	s := newStand(t, 5)
	s.config.ShutdownGrace = patience
	held := newGate("")
	s.cloud.S3.SetHook(held.hook)
	d := s.start()
	s.deliver(logKey("aaaa"), natFile(1000, 2000))
	held.hold(t, 1)
	d.ready(http.StatusOK, "OK")
	// A poll that is cut before the server has seen it may still take a message.
	s.waitFor("a poll under way", func() bool { return s.cloud.SQS.Polls() == 1 })
	d.terminate()
	d.ready(http.StatusServiceUnavailable, "shutting down")
	s.waitFor("the end of the last poll", func() bool { return s.cloud.SQS.Polls() == 0 })
	s.send("nobody receives this")
	held.open()
	s.waitForLog("Waiting for a last scrape")
	s.depth(1, 0)
	if !d.running() {
		t.Fatal("the daemon did not wait for a scrape")
	}
	p := d.scrape()
	p.check(t, natTotals(1000, 2000))
	p.check(t, map[string]float64{deleted: 1, "vpcflow_messages_received_total": 1})
	d.wait()
}

// TestTerminateScraped does not wait for a scrape that has come already.
func TestTerminateScraped(t *testing.T) {
	t.Parallel()
	s := newStand(t, 5)
	s.config.ShutdownGrace = time.Hour
	d := s.start()
	s.deliver(logKey("aaaa"), natFile(1000, 2000))
	d.await(processed, 1)
	d.await(deleted, 1)
	d.terminate()
	d.wait()
}

// TestTerminateWithoutScraper does not wait for ever for somebody to scrape.
func TestTerminateWithoutScraper(t *testing.T) {
	t.Parallel()
	s := newStand(t, 5)
	s.config.ShutdownGrace = 2 * time.Second
	d := s.start()
	s.deliver(logKey("aaaa"), natFile(1000, 2000))
	s.waitForLog("Processed file")
	d.terminate()
	d.wait()
	s.waitForLog("Unscraped totals are lost to Prometheus")
	s.depth(0, 0)
}

// TestTerminateGraceOver gives the message of a file that does not end in time back at once, and counts nothing of it.
func TestTerminateGraceOver(t *testing.T) {
	t.Parallel()
	s := newStand(t, 5)
	s.config.ShutdownGrace = 50 * time.Millisecond
	held := newGate("")
	s.cloud.S3.SetHook(held.hook)
	d := s.start()
	s.deliver(logKey("aaaa"), natFile(1000, 2000))
	held.hold(t, 1)
	d.terminate()
	d.wait()
	s.depth(1, 0)

	s.cloud.S3.SetHook(nil)
	next := s.start()
	next.await(deleted, 1).check(t, natTotals(1000, 2000))
}

// TestInterrupt ends at once, without a scrape.
func TestInterrupt(t *testing.T) {
	t.Parallel()
	s := newStand(t, 5)
	s.config.ShutdownGrace = time.Hour
	d := s.start()
	s.deliver(logKey("aaaa"), natFile(1000, 2000))
	s.waitForLog("Processed file")
	d.stop()
	s.depth(0, 0)
	if strings.Contains(s.logs.String(), "Waiting for a last scrape") {
		t.Error("waited for a scrape although a person at a terminal wants the process to end")
	}
}

// TestFlushedDeletes deletes on the way out what SQS refused to delete before.
func TestFlushedDeletes(t *testing.T) {
	t.Parallel()
	s := newStand(t, 5)
	s.config.ShutdownGrace = patience
	s.cloud.SQS.SetHook(func(r awstest.SQSRequest) awstest.SQSFault {
		if r.Operation == "DeleteMessageBatch" && r.Number == 1 {
			return awstest.SQSFault{FailEntries: map[int]*awstest.SQSError{0: {Code: "InternalError", Message: "try again"}}}
		}
		return awstest.SQSFault{}
	})
	d := s.start()
	s.deliver(logKey("aaaa"), natFile(1000, 2000))
	d.await(processed, 1)
	s.waitForLog("Deleting messages failed")
	d.stop()
	s.depth(0, 0)
}

// writeConfig writes a configuration file that reads the stand's queue, and asks no server for names unless more says so.
func (s *stand) writeConfig(path, more string) {
	s.t.Helper()
	if !strings.Contains(more, "enrichment:") {
		more += "enrichment: {ip_ranges: \"\"}\n"
	}
	if err := os.WriteFile(path, []byte(fmt.Sprintf("sqs:\n  queue_url: %s\n%s", s.queue, more)), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// configured writes a configuration file and makes it the stand's.
func (s *stand) configured(more string) (path string) {
	s.t.Helper()
	path = filepath.Join(s.t.TempDir(), "config.yaml")
	s.writeConfig(path, more)
	config, err := LoadConfig(path, LoadOptions{LookupEnv: os.LookupEnv, NeedQueueURL: true})
	if err != nil {
		s.t.Fatal(err)
	}
	s.config = config
	return path
}

const gigabyte = 1 << 30

// TestReload brings new prices into effect from then on, over HTTP and by SIGHUP, and never changes what was billed before. A bad file changes nothing.
func TestReload(t *testing.T) {
	t.Parallel()
	s := newStand(t, 5)
	price := func(usd string) string { return "pricing: {overrides: {eu-west-3: {nat_gb: " + usd + "}}}\n" }
	path := s.configured(price("0.1"))
	d := s.start("--config.file=" + path)
	deliver := func(hash string, want float64) {
		t.Helper()
		n := d.scrape().values[processed]
		s.deliver(logKey(hash), natFile(gigabyte, 2*gigabyte))
		d.await(processed, n+1).check(t, map[string]float64{
			natSeries("vpcflow_nat_cost_usd_total", "egress"): want, natSeries("vpcflow_nat_cost_usd_total", "ingress"): 2 * want,
		})
	}
	reloaded := func(want float64) {
		t.Helper()
		d.scrape().check(t, map[string]float64{"vpcflow_config_last_reload_successful": want})
	}
	inForce := func(want float64) {
		t.Helper()
		d.scrape().check(t, map[string]float64{`vpcflow_price_usd_per_gigabyte{item="nat_gb",region="eu-west-3"}`: want})
	}
	reloaded(1)
	deliver("aaa1", 0.1)
	inForce(0.1)

	s.writeConfig(path, price("0.25"))
	if status, body := d.request(http.MethodPost, "/-/reload"); status != http.StatusOK {
		t.Fatalf("reload: got %d %s", status, body)
	}
	inForce(0.25)
	d.scrape().check(t, map[string]float64{natSeries("vpcflow_nat_cost_usd_total", "egress"): 0.1})
	deliver("aaa2", 0.35)

	s.writeConfig(path, price("-1"))
	if status, body := d.request(http.MethodPost, "/-/reload"); status != http.StatusInternalServerError || !strings.Contains(body, "nat_gb") {
		t.Errorf("bad reload: got %d %q", status, body)
	}
	reloaded(0)
	inForce(0.25)
	deliver("aaa3", 0.6)
	if _, body := d.request(http.MethodGet, "/config"); !strings.Contains(body, "nat_gb: 0.25") {
		t.Errorf("the configuration in effect is not the one before the bad one:\n%s", body)
	}

	s.writeConfig(path, "workers: many\n")
	d.hangups <- syscall.SIGHUP
	s.waitForLog("Refused configuration")
	reloaded(0)
	s.writeConfig(path, price("0.5"))
	d.hangups <- syscall.SIGHUP
	d.await("vpcflow_config_last_reload_successful", 1)
	inForce(0.5)
	deliver("aaa4", 1.1)
	if status, _ := d.request(http.MethodGet, "/-/reload"); status != http.StatusMethodNotAllowed {
		t.Errorf("got status %d for reloading by GET", status)
	}
}

// TestReloadFilters brings new filters into effect for the files that come from then on.
func TestReloadFilters(t *testing.T) {
	t.Parallel()
	s := newStand(t, 5)
	path := s.configured("flow_logs: {max_age: 0s}\n")
	d := s.start("--config.file=" + path)
	s.deliver(logKey("aaa1"), natFile(1, 2))
	d.await(processed, 1)
	s.writeConfig(path, "flow_logs: {max_age: 0s, regions: [us-east-1]}\nworkers: 7\n")
	if status, body := d.request(http.MethodPost, "/-/reload"); status != http.StatusOK {
		t.Fatalf("reload: got %d %s", status, body)
	}
	s.waitForLog("take effect at the next start")
	s.deliver(logKey("aaa2"), natFile(1, 2))
	d.await(skipped, 1).check(t, natTotals(1, 2))
}

// TestConfigPage shows the configuration in effect: the new one after a reload, the old one after a bad one, and what a reload cannot change as it was.
func TestConfigPage(t *testing.T) {
	t.Parallel()
	s := newStand(t, 5)
	path := s.configured("workers: 2\npricing: {overrides: {eu-west-3: {nat_gb: 0.1}}}\n")
	d := s.start("--config.file=" + path)
	shows := func(want, not []string) {
		t.Helper()
		status, page := d.request(http.MethodGet, "/config")
		if status != http.StatusOK {
			t.Fatalf("got status %d: %s", status, page)
		}
		for _, part := range want {
			if !strings.Contains(page, part) {
				t.Errorf("the page lacks %q:\n%s", part, page)
			}
		}
		for _, part := range not {
			if strings.Contains(page, part) {
				t.Errorf("the page has %q:\n%s", part, page)
			}
		}
	}
	shows([]string{"queue_url: " + s.queue, "workers: 2", "nat_gb: 0.1", "shutdown_grace: 20s"}, nil)

	s.writeConfig(path, "workers: 7\nshutdown_grace: 3s\nflow_logs: {regions: [us-east-1]}\n")
	if status, body := d.request(http.MethodPost, "/-/reload"); status != http.StatusOK {
		t.Fatalf("reload: got %d %s", status, body)
	}
	shows([]string{"queue_url: " + s.queue, "workers: 2", "shutdown_grace: 3s", "us-east-1"}, []string{"nat_gb", "workers: 7", "20s"})

	s.writeConfig(path, "workers: many\n")
	if status, _ := d.request(http.MethodPost, "/-/reload"); status != http.StatusInternalServerError {
		t.Errorf("got status %d for a bad configuration", status)
	}
	shows([]string{"workers: 2", "shutdown_grace: 3s", "us-east-1"}, []string{"many"})

	s.writeConfig(path, "shutdown_grace: 4s\n")
	d.hangups <- syscall.SIGHUP
	s.waitFor("the page of the next configuration", func() bool {
		_, page := d.request(http.MethodGet, "/config")
		return strings.Contains(page, "shutdown_grace: 4s")
	})
	shows([]string{"workers: 2"}, []string{"us-east-1"})
}

// TestQueueComesAndGoes answers to be not ready while the queue does not exist.
func TestQueueComesAndGoes(t *testing.T) {
	t.Parallel()
	s := newStand(t, 0)
	d := s.start()
	d.ready(http.StatusOK, "OK")
	if _, err := s.cloud.SQSClient().DeleteQueue(t.Context(), &sqs.DeleteQueueInput{QueueUrl: &s.queue}); err != nil {
		t.Fatal(err)
	}
	d.ready(http.StatusServiceUnavailable, "check the queue URL")
	if status, _ := d.request(http.MethodGet, "/-/healthy"); status != http.StatusOK {
		t.Errorf("got health %d, a missing queue is no reason to restart", status)
	}
	s.createQueue("flow-logs", nil)
	s.deliver(logKey("aaaa"), natFile(1, 2))
	d.await(deleted, 1).check(t, natTotals(1, 2))
	d.ready(http.StatusOK, "OK")
}

// TestNotReadyAtFirst answers to be not ready before the queue was read.
func TestNotReadyAtFirst(t *testing.T) {
	t.Parallel()
	s := newStand(t, 0)
	s.cloud.SQS.SetHook(func(r awstest.SQSRequest) awstest.SQSFault {
		if r.Operation == "ReceiveMessage" && r.Number == 1 {
			return awstest.SQSFault{Err: &awstest.SQSError{Status: http.StatusForbidden, Code: "AccessDenied", Message: "no"}}
		}
		return awstest.SQSFault{}
	})
	d := s.start()
	d.ready(http.StatusServiceUnavailable, "")
	d.ready(http.StatusOK, "OK")
	s.waitForLog("allow sqs:ReceiveMessage")
}

// program is a call of run.
type program struct {
	t              *testing.T
	stdout, stderr testlog.Buffer
	cancel         context.CancelCauseFunc
	code           chan int
}

func startProgram(t *testing.T, args ...string) *program {
	t.Helper()
	ctx, cancel := context.WithCancelCause(context.Background())
	p := &program{t: t, cancel: cancel, code: make(chan int, 1)}
	go func() { p.code <- run(ctx, args, make(chan os.Signal), &p.stdout, &p.stderr) }()
	t.Cleanup(func() {
		cancel(nil)
		if t.Failed() {
			t.Logf("output:\n%s\nlog:\n%s", &p.stdout, &p.stderr)
		}
	})
	return p
}

// exit waits for the exit code.
func (p *program) exit(want int) {
	p.t.Helper()
	select {
	case got := <-p.code:
		if got != want {
			p.t.Errorf("got exit code %d, want %d", got, want)
		}
	case <-time.After(patience):
		p.t.Errorf("did not end within %s", patience)
	}
}

// TestRun ends with the right exit code and says the right thing in the right place.
func TestRun(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good := file("good.yaml", "sqs: {queue_url: 'https://sqs.eu-west-3.amazonaws.com/123456789012/flow-logs'}\nworkers: 3\n")
	bad := file("bad.yaml", "sqs: {queue_url: 'https://sqs.eu-west-3.amazonaws.com/123456789012/flow-logs'}\nworker: 3\n")
	wordy := file("wordy.yaml", `
sqs: {queue_url: http://127.0.0.1:9/q}
workers: 3
flow_logs: {accounts: ["123456789012"], flow_log_ids: [fl-0a, fl-0b], max_age: 0s, nat_gateways: [{eni: eni-0123456789abcdef0}]}
pricing: {bytes_per_gb: 1000000000, overrides: {xx-nowhere-1: {nat_gb: 1}}}
`)
	durable := file("durable.yaml", "sqs: {queue_url: 'http://127.0.0.1:9/q'}\nstate: {path: /var/lib/x}\n")
	claiming := file("claiming.yaml", "sqs: {queue_url: 'http://127.0.0.1:9/q'}\nstate: {path: /var/lib/x}\nclaim: {bucket: claims, prefix: p/}\n")
	later := file("later.yaml", "sqs: {queue_url: 'http://127.0.0.1:9/q'}\nbackfill: {bucket: logs}\n")
	taken := newStand(t, 0).start().app.address()
	const local = "--web.listen-address=127.0.0.1:0"
	cases := []struct {
		name           string
		args           []string
		code           int
		stdout, stderr string // Parts of the output; "" is none at all.
	}{
		{"version", []string{"--version"}, exitOK, "vpcflow_exporter, version", ""},
		{"help", []string{"--help"}, exitOK, "--config.file", ""},
		{"unknown flag", []string{"--colour"}, exitUsage, "", "unknown long flag '--colour', try --help"},
		{"too fast", []string{"--demo", "--demo.speed=0"}, exitUsage, "", "--demo.speed"},
		{"good config", []string{"--config.check", "--config.file=" + good}, exitOK, "workers: 3", ""},
		{"what a config means", []string{"--config.check", "--config.file=" + wordy}, exitOK, "wordy.yaml is valid. The exporter would\n" +
			"# - read the queue http://127.0.0.1:9/q in the region of the AWS environment\n" +
			"# - read 3 files at a time, of 1 account, all regions and 2 flow logs, of any age\n" +
			"# - know 1 NAT gateway from here, and the others from the records\n" +
			"# - know the prices of 37 regions, for GB of 1000000000 bytes\n" +
			"# - keep the totals in memory only: a restart begins anew, see docs/reliability.md\n# This is what", ""},
		{"where a config keeps totals", []string{"--config.check", "--config.file=" + durable}, exitOK, `# - keep the totals and all that was learned in "/var/lib/x" over restarts`, ""},
		{"where a config claims files", []string{"--config.check", "--config.file=" + claiming}, exitOK, "# - claim each file in s3://claims/p/, so that one of several replicas counts it\n", ""},
		{"inspect without a state", []string{"--state.inspect", "--config.file=" + good}, exitFailure, "", "good.yaml sets no state.path"},
		{"config of a later version", []string{"--config.check", "--config.file=" + later}, exitOK, "bucket: logs", later + ": backfill has no effect in this version"},
		{"bad config", []string{"--config.check", "--config.file=" + bad}, exitFailure, "", bad + `:2: unknown key "worker", did you mean "workers"?`},
		{"no config", []string{"--config.check", "--config.file=" + dir + "/none.yaml"}, exitFailure, "", "none.yaml: no such file or directory (name a file with --config.file"},
		{"start with a bad config", []string{"--config.file=" + bad, local}, exitFailure, "", "did you mean"},
		{"start without a config", []string{"--config.file=" + dir + "/none.yaml", local}, exitFailure, "", "no such file"},
		{"explain", []string{"--flowlogs.explain=testdata/e2e/zonal.log", "--config.file=" + good}, exitOK, "counted         4        14495514624", ""},
		{"explain as JSON", []string{"--flowlogs.explain=testdata/e2e/zonal.log", "--flowlogs.format=json"}, exitOK, `"totals":[{"disposition":"counted","records":4,"bytes":14495514624}`, ""},
		{"explain a file that is not there", []string{"--flowlogs.explain=" + dir + "/none.log"}, exitFailure, "", "none.log: no such file"},
		{"explain with a config that is not there", []string{"--flowlogs.explain=testdata/e2e/zonal.log", "--config.file=" + dir + "/none.yaml"}, exitFailure, "", "none.yaml: no such file"},
		{"port in use", []string{"--demo", "--web.listen-address=" + taken}, exitFailure, "", "address already in use"},
		{"second port in use", []string{"--demo", local, "--web.listen-address=" + taken}, exitFailure, "", "address already in use"},
		{"bad path", []string{"--demo", local, "--web.telemetry-path=metrics"}, exitFailure, "", "--web.telemetry-path"},
		{"bad web config", []string{"--demo", local, "--web.config.file=" + dir + "/none.yaml"}, exitFailure, "Metrics", "no such file"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := startProgram(t, c.args...)
			p.exit(c.code)
			for _, output := range []struct{ name, got, want string }{{"stdout", p.stdout.String(), c.stdout}, {"stderr", p.stderr.String(), c.stderr}} {
				if !strings.Contains(output.got, output.want) || output.want == "" && output.got != "" {
					t.Errorf("%s: got %q, want %q", output.name, output.got, output.want)
				}
			}
		})
	}
}

// TestToolkitListens leaves to the web toolkit what only it can open.
func TestToolkitListens(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args []string
		want bool
	}{
		{nil, false},
		{[]string{"--web.listen-address=127.0.0.1:9779", "--web.listen-address=[::1]:9779"}, false},
		{[]string{"--web.systemd-socket"}, true},
		{[]string{"--web.listen-address=127.0.0.1:9779", "--web.listen-address=vsock://:9779"}, true},
	} {
		f, _, err := parseFlags(c.args, io.Discard, io.Discard)
		if err != nil || f.toolkitListens() != c.want {
			t.Errorf("%q: got %t, %v, want %t", c.args, f.toolkitListens(), err, c.want)
		}
	}
}

var listening = regexp.MustCompile(`msg="Listening on" address=(\S+)`)

// TestRunDaemon runs the whole program with a configuration file and the SDK's environment variables, and ends it by SIGTERM.
func TestRunDaemon(t *testing.T) {
	s := newStand(t, 5)
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL_S3": s.cloud.S3URL, "AWS_ENDPOINT_URL_SQS": s.cloud.SQSURL, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
		"AWS_REGION": "", "AWS_DEFAULT_REGION": "", "AWS_PROFILE": "", "AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
		"FLOW_LOG_QUEUE": s.queue,
	} {
		t.Setenv(name, value)
	}
	path := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(path, []byte("sqs: {queue_url: '${FLOW_LOG_QUEUE}'}\nflow_logs: {max_age: 0s}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	program := startProgram(t, "--config.file="+path, "--web.listen-address=127.0.0.1:0", "--log.level=debug")
	var address []string
	s.waitFor("the address", func() bool {
		address = listening.FindStringSubmatch(program.stderr.String())
		return address != nil
	})
	d := &daemon{stand: s, client: &http.Client{Transport: new(http.Transport)}, at: address[1]}
	s.deliver(logKey("aaaa"), natFile(1000, 2000))
	d.await(processed, 1)
	d.await(deleted, 1).check(t, natTotals(1000, 2000))
	d.ready(http.StatusOK, "OK")
	if status, body := d.request(http.MethodGet, "/"); status != http.StatusOK || !strings.Contains(body, `href="/metrics"`) && !strings.Contains(body, `href="metrics"`) {
		t.Errorf("start page: got %d\n%s", status, body)
	}
	program.cancel(errTerminated)
	program.exit(exitOK)
	s.depth(0, 0)
}

// TestNoLeaks compares the number of goroutines before a daemon's life with that after it, however it ends.
func TestNoLeaks(t *testing.T) {
	before := runtime.NumGoroutine()
	for name, live := range map[string]func(s *stand, d *daemon){
		"idle": func(_ *stand, d *daemon) { d.ready(http.StatusOK, "OK") },
		"after a file": func(s *stand, d *daemon) {
			s.deliver(logKey("aaaa"), natFile(1, 2))
			d.await(deleted, 1)
		},
		"after failures": func(s *stand, d *daemon) {
			s.deliver(logKey("aaaa"), []byte("not gzip"))
			s.send("hello")
			d.await(returned, 1)
			d.await(invalid, 1)
		},
		"in the middle of a file": func(s *stand, _ *daemon) {
			held := newGate("")
			s.cloud.S3.SetHook(held.hook)
			s.deliver(logKey("aaaa"), natFile(1, 2))
			held.hold(s.t, 1)
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStand(t, 5)
			s.config.ShutdownGrace = 50 * time.Millisecond
			live(s, s.start())
		})
		end := time.Now().Add(patience)
		ticker := time.NewTicker(glance)
		for ; runtime.NumGoroutine() > before; <-ticker.C {
			if time.Now().After(end) {
				stacks := make([]byte, 1<<20)
				t.Fatalf("%s: %d goroutines before, %d after:\n%s", name, before, runtime.NumGoroutine(), stacks[:runtime.Stack(stacks, true)])
			}
		}
		ticker.Stop()
	}
}
