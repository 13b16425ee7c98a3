package chaos

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/vpcflow/vpcflow_exporter/internal/flowgen"
)

const (
	// A process that is to die while it starts is killed within so long.
	startTakes = 60 * time.Millisecond
	// A round looks around so often, and scrapes.
	glance      = 2 * time.Millisecond
	scrapeEvery = 15 * time.Millisecond
	// Messages that nobody can be working on are hidden for so long before the queue's clock is moved.
	idleFor = 100 * time.Millisecond
	// A round may last for so long without any progress. It is no measure of speed.
	patience = 3 * time.Minute
)

// A round is one scenario under chaos.
type round struct {
	config  Config
	seed    uint64
	rng     *rand.Rand
	dir     string
	log     *os.File
	cloud   *cloud
	weather *weather
	killer  *killer
	load    *load
	plan    []kill
	process *process
	// portion is the most messages that are sent at once.
	portion int
	// sdkAttempts is how often the SDK tries by itself.
	sdkAttempts int

	badSent  map[string]bool // badSent are the messages sent that never succeed.
	terms    int
	moved    time.Time // moved is when the queue's clock was moved last.
	progress time.Time // progress is when anything was last seen to change.
	depth    [3]int

	mu      sync.Mutex
	last    totals // last is the newest page.
	scrapes int
	fell    error // fell says which counter fell from one page to the next.
}

func newRound(config Config, seed uint64, dir string) (*round, error) {
	rng := rand.New(rand.NewPCG(seed, 0x6368616f73))
	r := &round{config: config, seed: seed, rng: rng, dir: dir, killer: newKiller(), badSent: map[string]bool{}, portion: 8, weather: newWeather(rand.New(rand.NewPCG(seed, 1)))}
	r.sdkAttempts = 1 + 2*rng.IntN(2)
	r.plan = newPlan(rng, config.Kills)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	var err error
	if r.log, err = os.Create(filepath.Join(dir, "exporter.log")); err != nil {
		return nil, err
	}
	if r.cloud, err = newCloud(); err != nil {
		return nil, err
	}
	if r.load, err = newLoad(r.cloud, rng, seed, config.Files); err != nil {
		return nil, err
	}
	err = r.cloud.serve(
		&faultyS3{
			proper: r.cloud.s3, weather: r.weather, killer: r.killer, patient: config.Patient, unconditional: rng.IntN(4) == 0,
			replace: func(path string) { r.load.replace(path, r.weather.intN(10)) },
		},
		&faultySQS{
			proper: r.cloud.sqs, weather: r.weather, killer: r.killer, patient: config.Patient, expire: r.cloud.expire,
			keysOf: func(body string) []string { return r.load.keys[body] }, handles: map[string][]string{},
		},
	)
	r.cloud.sqs.SetHook(r.weather.sqsHook)
	return r, err
}

// newPlan makes so many kills, a fifth of them at each point.
func newPlan(rng *rand.Rand, kills int) []kill {
	plan := make([]kill, 0, kills)
	for i := range kills {
		var k kill
		switch i % 6 {
		case 0:
			k = kill{on: halfRead}
		case 1:
			k = kill{on: allRead}
		case 2:
			// At once this is before the commit, after some milliseconds behind it; between them is its write.
			k = kill{on: allRead, after: time.Duration(rng.Int64N(int64(8 * time.Millisecond)))}
		case 3:
			k = kill{on: deleteAsked}
		case 4:
			k = kill{on: [...]trigger{deleteDone, deleteTold}[rng.IntN(2)]}
		case 5:
			k = kill{on: requestCounts, requests: 1 + rng.IntN(20), gently: rng.IntN(6) == 0}
		}
		k.look = rng.IntN(2) == 0
		plan = append(plan, k)
	}
	rng.Shuffle(len(plan), func(i, j int) { plan[i], plan[j] = plan[j], plan[i] })
	return plan
}

// run is the whole round.
func (r *round) run(ctx context.Context) error {
	if err := r.start(ctx); err != nil {
		return err
	}
	for _, messages := range r.load.phases {
		if err := r.phase(ctx, messages); err != nil {
			return err
		}
	}
	return r.finish(ctx)
}

// start begins a life of the exporter, and holds its first page against the last one of the life before.
func (r *round) start(ctx context.Context) error {
	if err := os.WriteFile(r.configPath(), []byte(r.configuration()), 0o600); err != nil {
		return err
	}
	p, err := start(ctx, r.command(), r.log)
	if err != nil {
		return err
	}
	r.mu.Lock()
	r.process = p
	r.mu.Unlock()
	r.killer.revived()
	if _, err := r.scrape(ctx); err != nil && !p.isKilled() {
		return err
	}
	go r.watch(ctx, p)
	return nil
}

func (r *round) configPath() string { return filepath.Join(r.dir, "config.yaml") }

// command is a life of the exporter that has not begun.
func (r *round) command() *exec.Cmd {
	fmt.Fprintln(r.log, "--- start")
	command := r.config.Command("--config.file="+r.configPath(), "--web.listen-address=127.0.0.1:0")
	command.Env = append(command.Environ(), r.cloud.environment(r.sdkAttempts)...)
	return command
}

// configuration is the exporter's configuration file.
func (r *round) configuration() string {
	var b strings.Builder
	fmt.Fprintf(&b, "sqs: {queue_url: %q, visibility_timeout: %ds}\nworkers: 4\nshutdown_grace: 10s\nenrichment: {ip_ranges: \"\"}\n", r.cloud.queue, visibilitySeconds)
	fmt.Fprintf(&b, "flow_logs:\n  nat_vantage: %s\n", cmp.Or(r.load.scenario.Vantage, flowgen.VantageAuto))
	if len(r.load.scenario.NATGateways) > 0 {
		fmt.Fprintln(&b, "  nat_gateways:")
	}
	for _, g := range r.load.scenario.NATGateways {
		fmt.Fprintf(&b, "  - {eni: %q, id: %q, name: %q}\n", g.ENI, g.ID, g.Name)
	}
	if r.config.Durable {
		fmt.Fprintf(&b, "state: {path: %q}\n", filepath.Join(r.dir, "state"))
	}
	return b.String()
}

// scrape reads a page and compares it with the one before. No counter may fall: what was on a page must survive whatever comes.
func (r *round) scrape(ctx context.Context) (totals, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	t, err := r.process.scrape(ctx)
	if err != nil {
		return t, err
	}
	r.scrapes++
	if fallen := r.last.fallen(t); fallen != "" && r.fell == nil && r.config.Durable {
		r.fell = fmt.Errorf("counters fell from one page to the next:\n%s", fallen)
	}
	r.last = t
	return t, r.fell
}

// watch scrapes a process until it is gone.
func (r *round) watch(ctx context.Context, p *process) {
	ticker := time.NewTicker(scrapeEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.exited:
			return
		case <-ticker.C:
			_, _ = r.scrape(ctx) // A dead process answers nothing, and what fell is kept.
		}
	}
}

// phase sends messages and goes on until nothing of them is left but those that never succeed.
func (r *round) phase(ctx context.Context, messages []string) error {
	all := messages
	mustRequeue := r.rng.IntN(3) == 0
	ticker := time.NewTicker(glance)
	defer ticker.Stop()
	r.progress = time.Now()
	for {
		messages = r.feed(messages)
		if mustRequeue && len(messages) < len(all)/2 && r.killer.pause() {
			mustRequeue = false
			err := r.requeue(ctx)
			r.killer.resume()
			if err != nil {
				return err
			}
			// What was in the queue is gone. Of earlier messages that can only be those that never succeed.
			messages = append(slices.Sorted(maps.Keys(r.badSent)), without(all, r.badSent)...)
		}
		done, err := r.look()
		if err != nil || done && len(messages) == 0 {
			return err
		}
		if err := r.await(ctx, ticker.C); err != nil {
			return err
		}
	}
}

func without(messages []string, left map[string]bool) []string {
	return slices.DeleteFunc(slices.Clone(messages), func(body string) bool { return left[body] })
}

// feed sends a few messages when there are none to take, so that the exporter is now and then idle.
func (r *round) feed(messages []string) []string {
	if visible, _, _ := r.cloud.sqs.Depth(r.cloud.queue); visible > 0 || len(messages) == 0 {
		return messages
	}
	n := min(1+r.rng.IntN(r.portion), len(messages))
	for _, body := range messages[:n] {
		if err := r.cloud.sqs.Send(r.cloud.queue, body); err != nil {
			panic(err) // The queue is in this process, and exists.
		}
		r.load.sent++
		if r.load.bad[body] {
			r.badSent[body] = true
		}
	}
	return messages[n:]
}

// requeue deletes the queue and makes it anew, some time later.
func (r *round) requeue(ctx context.Context) error {
	r.weather.count("queue_deleted")
	if err := r.cloud.deleteQueue(); err != nil {
		return err
	}
	if err := r.until(ctx, "the exporter is not ready without a queue", func() bool { return r.status(ctx, "/-/ready") == http.StatusServiceUnavailable }); err != nil {
		return err
	}
	return r.cloud.createQueue()
}

// status asks the exporter for a page and returns the status, 0 if it does not answer.
func (r *round) status(ctx context.Context, path string) int {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, r.process.url+path, http.NoBody)
	if err != nil {
		return 0
	}
	response, err := r.process.client.Do(request)
	if err != nil {
		return 0
	}
	_ = response.Body.Close()
	return response.StatusCode
}

// look says whether the queue holds nothing but the messages that never succeed. It moves the queue's clock when only that can bring one back.
func (r *round) look() (done bool, err error) {
	r.mu.Lock()
	err = r.fell
	r.mu.Unlock()
	visible, hidden, delayed := r.cloud.sqs.Depth(r.cloud.queue)
	if now := [3]int{visible, hidden, delayed}; now != r.depth {
		r.depth, r.progress = now, time.Now()
	}
	if time.Since(r.progress) > patience {
		return false, fmt.Errorf("nothing has changed for %s: %d messages are visible, %d hidden; see %s", patience, visible, hidden, r.log.Name())
	}
	if visible == 0 && hidden+delayed > 0 && r.cloud.sqs.Polls() > 0 && time.Since(r.progress) > idleFor && time.Since(r.moved) > idleFor {
		r.moved = time.Now()
		r.cloud.expire()
	}
	return visible+hidden+delayed <= len(r.badSent), err
}

// await waits for the next moment, and lets the exporter live on if it was killed.
func (r *round) await(ctx context.Context, tick <-chan time.Time) error {
	if len(r.plan) > 0 && r.killer.arm(r.plan[0], r.process, func() { _, _ = r.scrape(ctx) }) {
		r.plan = r.plan[1:]
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case k := <-r.killer.struck:
		return r.revive(ctx, k)
	case <-r.process.exited:
		if !r.process.isKilled() {
			return fmt.Errorf("the exporter ended by itself: %w; see %s", r.process.failure(), r.log.Name())
		}
		return r.revive(ctx, <-r.killer.struck)
	case <-tick:
		return nil
	}
}

// revive starts the exporter again. The messages of the dead one come back when their time is over, which is now.
func (r *round) revive(ctx context.Context, k kill) error {
	if k.gently {
		r.terms++
		if err := r.terminate(ctx); err != nil {
			return err
		}
	}
	r.cloud.expire()
	r.moved, r.progress = time.Now(), time.Now()
	for r.rng.IntN(5) == 0 {
		if err := r.stillborn(); err != nil {
			return err
		}
	}
	return r.start(ctx)
}

// stillborn begins a life of the exporter and ends it within the time that a start takes.
func (r *round) stillborn() error {
	command := r.command()
	command.Stdout, command.Stderr = r.log, r.log
	dieWithParent(command)
	if err := command.Start(); err != nil {
		return fmt.Errorf("start exporter: %w", err)
	}
	time.Sleep(time.Duration(r.rng.Int64N(int64(startTakes)))) // The moment of a kill is the one thing here that is about time.
	_ = command.Process.Kill()                                 // It may have ended, which the next line tells.
	if err := command.Wait(); command.ProcessState.Exited() {
		return fmt.Errorf("the exporter ended while it started: %w; see %s", err, r.log.Name())
	}
	r.killer.countStart()
	return nil
}

// terminate ends the exporter as an operator does. It stays until a last scrape.
func (r *round) terminate(ctx context.Context) error {
	if err := r.process.terminate(); err != nil {
		return err
	}
	if err := r.until(ctx, "the exporter does not end after SIGTERM", r.process.hasExited); err != nil {
		return err
	}
	if r.process.err != nil {
		return fmt.Errorf("the exporter ended badly after SIGTERM: %w; see %s", r.process.err, r.log.Name())
	}
	return nil
}

// until waits for a condition.
func (r *round) until(ctx context.Context, unless string, condition func() bool) error {
	ticker := time.NewTicker(glance)
	defer ticker.Stop()
	for begin := time.Now(); !condition(); {
		if time.Since(begin) > patience {
			return fmt.Errorf("%s for %s; see %s", unless, patience, r.log.Name())
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
	return nil
}

// finish ends the chaos, lets the exporter bring to an end what is left, and compares.
func (r *round) finish(ctx context.Context) error {
	r.plan = nil
	r.killer.disarm()
	r.weather.settle()
	if err := r.settle(ctx); err != nil {
		return err
	}
	if err := r.compare(ctx); err != nil {
		return err
	}
	if err := r.terminate(ctx); err != nil || !r.config.Durable {
		return err
	}
	if err := r.start(ctx); err != nil {
		return err
	}
	if err := r.compare(ctx); err != nil {
		return fmt.Errorf("after a restart: %w", err)
	}
	return r.terminate(ctx)
}

// settle waits until each message is deleted or in the dead-letter queue, as it must be.
func (r *round) settle(ctx context.Context) error {
	if err := r.cloud.redriveAfter(1); err != nil {
		return err
	}
	ticker := time.NewTicker(glance)
	defer ticker.Stop()
	for {
		visible, hidden, delayed := r.cloud.sqs.Depth(r.cloud.queue)
		if visible+hidden+delayed == 0 {
			break
		}
		if _, err := r.look(); err != nil {
			return err
		}
		// A kill may have begun just before the end of them.
		if err := r.await(ctx, ticker.C); err != nil {
			return err
		}
	}
	dead, err := r.cloud.deadLetters()
	if err != nil {
		return err
	}
	want := map[string]bool{}
	for body := range r.load.bad {
		want[body] = true
	}
	for _, body := range dead {
		if !want[body] {
			return fmt.Errorf("a message is in the dead-letter queue that is good, or for a second time: %s", body)
		}
		delete(want, body)
	}
	if len(want) > 0 {
		return fmt.Errorf("%d messages that never succeed are not in the dead-letter queue", len(want))
	}
	return nil
}

// compare holds a page against the ledger.
func (r *round) compare(ctx context.Context) error {
	got, err := r.scrape(ctx)
	if err != nil {
		return err
	}
	if d := r.load.want.diff(got); d != "" {
		return fmt.Errorf("totals differ from the ledger (- is what must be, + what is); see %s\n%s\n%s", r.log.Name(), d, r.load.scenario)
	}
	return nil
}

// close ends what runs. The files stay.
func (r *round) close() error {
	if r.process != nil {
		r.process.kill()
	}
	return errors.Join(r.cloud.close(), r.log.Close())
}
