package chaos

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vpcflow/vpcflow_exporter/internal/flowgen"
)

// FleetConfig says how several replicas with a state each read one queue, and how badly they are treated.
type FleetConfig struct {
	// Command makes a process of the exporter with these arguments, which is not started yet.
	Command func(args ...string) *exec.Cmd
	// Seed is that of the first round; each further one has the next number.
	Seed uint64
	// Rounds is the least number of rounds. More begin until Duration has passed.
	Rounds   int
	Duration time.Duration
	// Replicas are at most 9. Files is roughly the number of files of a round.
	Replicas, Files int
	// Kills is how often a round kills a replica, and Stops how often it ends one by SIGTERM and starts it again.
	Kills, Stops int
	// Claims has the replicas claim files. Faults and second deliveries come with it: without claims they make files count twice.
	Claims bool
	// Faults makes the servers fail, and delivers messages again.
	Faults bool
	// Directory is for configurations, states and logs, and is empty.
	Directory string
	// Logf tells what is going on.
	Logf func(format string, args ...any)
}

// A FleetReport is what a run has done and found. Counts are of all rounds.
type FleetReport struct {
	Seed     uint64  `json:"seed"`
	Rounds   int     `json:"rounds"`
	Seconds  float64 `json:"duration_seconds"`
	Replicas int     `json:"replicas"`
	Claims   bool    `json:"claims"`

	Files    int            `json:"files"`
	Messages int            `json:"messages"`
	Kills    map[Point]int  `json:"kills"`
	Terms    int            `json:"terms"`
	Faults   map[string]int `json:"faults"`
	Scrapes  int            `json:"scrapes"`

	Ledger Sums `json:"ledger"`
	Totals Sums `json:"totals"`
	Equal  bool `json:"totals_equal_ledger"`
}

// ErrTotals says that the replicas together have not counted what the ledger has.
var ErrTotals = errors.New("the sum of the replicas differs from the ledger")

// RunFleet runs all rounds.
func RunFleet(ctx context.Context, config FleetConfig) (FleetReport, error) {
	began := time.Now()
	report := FleetReport{
		Seed: config.Seed, Replicas: config.Replicas, Claims: config.Claims, Kills: map[Point]int{}, Faults: map[string]int{},
		Ledger: Sums{Records: map[flowgen.Disposition]uint64{}}, Totals: Sums{Records: map[flowgen.Disposition]uint64{}},
	}
	err := rounds(config.Seed, config.Rounds, config.Duration, config.Directory, func(seed uint64, directory string) error {
		r, err := newFleetRound(config, seed, directory)
		if err == nil {
			err = errors.Join(r.run(ctx), r.close())
			report.add(r)
		}
		report.Seconds = time.Since(began).Round(time.Millisecond).Seconds()
		if err != nil {
			return err
		}
		config.Logf("Round of seed %d: %d files, %v kills, totals equal to the ledger after %s", seed, report.Files, report.Kills, time.Since(began).Round(time.Second))
		return nil
	})
	report.Equal = err == nil
	return report, err
}

func (f *FleetReport) add(r *fleetRound) {
	f.Rounds++
	f.Files += len(r.load.files)
	f.Messages += r.load.sent
	f.Terms += r.terms
	f.Scrapes += r.scrapes
	for p, n := range r.kills {
		f.Kills[p] += n
	}
	for kind, n := range r.weather.counts() {
		f.Faults[kind] += n
	}
	f.Ledger.add(r.load.want)
	f.Totals.add(r.last)
}

// A fleetRound is one scenario for a fleet.
type fleetRound struct {
	config  FleetConfig
	rng     *rand.Rand
	dir     string
	cloud   *cloud
	weather *weather
	load    *load
	queue   []string // queue are the messages that are not sent yet.
	plan    []fleetKill
	late    sync.WaitGroup // late are requests that are carried out after their connections broke.

	requests atomic.Int64
	terms    int
	scrapes  int
	last     totals
	moved    time.Time
	progress time.Time
	seen     [4]int

	mu       sync.Mutex
	replicas []*replica
	armed    *fleetKill
	kills    map[Point]int
}

// A fleetKill is one of a plan.
type fleetKill struct {
	on Point
	// skip is how many such moments pass before.
	skip int
	// after is how long to wait then.
	after time.Duration
	// gently makes it a SIGTERM.
	gently bool
}

// A replica is one exporter with its state, in one life after the other.
type replica struct {
	name    string
	dir     string
	log     *os.File
	process *process
	// back is when the next life begins.
	back time.Time
}

func newFleetRound(config FleetConfig, seed uint64, dir string) (*fleetRound, error) {
	rng := rand.New(rand.NewPCG(seed, 0x666c656574))
	r := &fleetRound{config: config, rng: rng, dir: dir, kills: map[Point]int{}, weather: newWeather(rand.New(rand.NewPCG(seed, 2)))}
	if !config.Faults {
		r.weather.settle()
	}
	r.plan = newFleetPlan(rng, config)
	var err error
	if r.cloud, err = newCloud(); err != nil {
		return nil, err
	}
	if err := r.cloud.s3.CreateBucket(background, claimBucket); err != nil {
		return nil, err
	}
	// What a replica has learned it has from its own files. NAT gateways that are configured need no learning.
	r.load, err = newGoodLoad(r.cloud, rng, seed, config.Files, flowgen.Options{Recognition: flowgen.Configured, Everyday: true})
	if err != nil {
		return nil, err
	}
	r.messages()
	err = r.cloud.serve(
		&fleetHandler{round: r, claims: r.cloud.s3, proper: &faultyS3{
			proper: r.cloud.s3, weather: r.weather, killer: newKiller(), replace: func(path string) { r.load.replace(path, r.weather.intN(10)) },
		}},
		&fleetHandler{round: r, proper: &faultySQS{
			proper: r.cloud.sqs, weather: r.weather, killer: newKiller(), expire: r.cloud.expire,
			keysOf: func(string) []string { return nil }, handles: map[string][]string{},
		}},
	)
	r.cloud.sqs.SetHook(r.weather.sqsHook)
	for i := range config.Replicas {
		if err == nil {
			err = r.add(i)
		}
	}
	return r, err
}

// messages makes the queue of what is sent: each file in one message, or, with faults, some in several, now or later.
func (r *fleetRound) messages() {
	if !r.config.Faults {
		for _, o := range r.load.objects {
			r.queue = append(r.queue, r.load.announce(o))
		}
		r.load.shuffled(r.queue)
		return
	}
	for _, phase := range r.load.phases {
		for _, body := range phase {
			r.queue = append(r.queue, body)
			if r.rng.IntN(3) == 0 {
				r.queue = append(r.queue, body)
			}
		}
	}
	r.load.shuffled(r.queue)
}

func newFleetPlan(rng *rand.Rand, config FleetConfig) []fleetKill {
	points := []Point{WhileReading, BeforeClaim, AfterClaim, BeforeFinish, AfterFinish, BeforeDelete, AfterDelete, AtRandom}
	if !config.Claims {
		points = []Point{WhileReading, BeforeDelete, AfterDelete, AtRandom}
	}
	var plan []fleetKill
	for i := range config.Kills {
		k := fleetKill{on: points[i%len(points)], skip: rng.IntN(6)}
		if rng.IntN(3) == 0 {
			k.after = time.Duration(rng.Int64N(int64(8 * time.Millisecond)))
		}
		plan = append(plan, k)
	}
	for range config.Stops {
		plan = append(plan, fleetKill{on: AtRandom, skip: rng.IntN(30), gently: true})
	}
	rng.Shuffle(len(plan), func(i, j int) { plan[i], plan[j] = plan[j], plan[i] })
	// The last kills of a plan may find no file left. These must not be among them.
	for first, on := range []Point{AfterClaim, BeforeFinish} {
		if i := slices.IndexFunc(plan, func(k fleetKill) bool { return k.on == on }); i > first {
			plan[first], plan[i] = plan[i], plan[first]
		}
	}
	return plan
}

// add makes a replica that has not begun.
func (r *fleetRound) add(i int) error {
	p := &replica{name: fmt.Sprint("replica-", i), dir: filepath.Join(r.dir, fmt.Sprint("replica-", i))}
	if err := os.MkdirAll(p.dir, 0o700); err != nil {
		return err
	}
	var err error
	if p.log, err = os.Create(filepath.Join(p.dir, "exporter.log")); err != nil {
		return err
	}
	r.replicas = append(r.replicas, p)
	return os.WriteFile(filepath.Join(p.dir, "config.yaml"), []byte(r.configuration(p)), 0o600)
}

func (r *fleetRound) configuration(p *replica) string {
	var b strings.Builder
	fmt.Fprintf(&b, "sqs: {queue_url: %q, visibility_timeout: %ds}\nworkers: 3\nshutdown_grace: 10s\nstate: {path: %q}\n",
		r.cloud.queue, visibilitySeconds, filepath.Join(p.dir, "state"))
	if r.config.Claims {
		fmt.Fprintf(&b, "claim: {bucket: %s, prefix: some/}\n", claimBucket)
	}
	fmt.Fprintf(&b, "flow_logs:\n  nat_gateways:\n")
	for _, g := range r.load.scenario.NATGateways {
		fmt.Fprintf(&b, "  - {eni: %q, id: %q, name: %q}\n", g.ENI, g.ID, g.Name)
	}
	return b.String()
}

// saw is called with whatever may be a moment to kill a replica, and returns whether it is dead now.
func (r *fleetRound) saw(on Point, replica int) bool {
	r.mu.Lock()
	k := r.armed
	if on == "" || k == nil || k.on != on || replica < 0 || r.replicas[replica].process == nil || r.replicas[replica].process.isKilled() {
		r.mu.Unlock()
		return false
	}
	if k.skip > 0 {
		k.skip--
		r.mu.Unlock()
		return false
	}
	r.armed = nil
	p := r.replicas[replica].process
	p.doom()
	r.mu.Unlock()
	if k.gently {
		_ = p.terminate() // It may be gone, which the loop sees.
		return false
	}
	if k.after > 0 {
		time.Sleep(k.after) // The moment of a kill is the one thing here that is about time.
	}
	p.kill()
	r.mu.Lock()
	r.kills[on]++
	r.mu.Unlock()
	return true
}

// run is the whole round.
func (r *fleetRound) run(ctx context.Context) error {
	ticker := time.NewTicker(glance)
	defer ticker.Stop()
	r.progress = time.Now()
	for {
		if err := r.revive(ctx); err != nil {
			return err
		}
		done, err := r.step()
		if err != nil {
			return err
		}
		if done {
			break
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
	if err := r.settle(ctx, ticker.C); err != nil {
		return err
	}
	return r.restartAll(ctx)
}

// step sends messages, arms the next kill, and says whether the queue is empty with nothing more to come.
func (r *fleetRound) step() (done bool, err error) {
	visible, hidden, delayed := r.cloud.sqs.Depth(r.cloud.queue)
	if visible == 0 && len(r.queue) > 0 {
		for range min(1+r.rng.IntN(8), len(r.queue)) {
			if err := r.cloud.sqs.Send(r.cloud.queue, r.queue[0]); err != nil {
				return false, err
			}
			r.queue = r.queue[1:]
			r.load.sent++
		}
	}
	if now := [4]int{visible, hidden, delayed, len(r.queue)}; now != r.seen {
		r.seen, r.progress = now, time.Now()
	}
	if time.Since(r.progress) > patience {
		return false, fmt.Errorf("nothing has changed for %s: %d messages are visible, %d hidden; see %s", patience, visible, hidden, r.dir)
	}
	// Without claims a message must not come again while somebody works on it.
	idle := idleFor
	if !r.config.Faults {
		idle = 20 * idleFor
	}
	if visible == 0 && hidden+delayed > 0 && time.Since(r.progress) > idle && time.Since(r.moved) > idle {
		r.moved = time.Now()
		r.cloud.expire()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.armed == nil && len(r.plan) > 0 {
		r.armed, r.plan = &r.plan[0], r.plan[1:]
	}
	empty := visible+hidden+delayed+len(r.queue) == 0
	if empty && (len(r.plan) > 0 || r.armed != nil) {
		// There is nothing left to kill anybody at.
		r.armed, r.plan = nil, nil
	}
	return empty, nil
}

// revive starts the replicas that are to live, and leaves the killed ones dead for a while.
func (r *fleetRound) revive(ctx context.Context) error {
	for i, p := range r.replicas {
		switch {
		case p.process == nil:
			if time.Now().Before(p.back) {
				continue
			}
			if err := r.start(ctx, i); err != nil {
				return err
			}
		case p.process.hasExited():
			if !p.process.isKilled() {
				return fmt.Errorf("%s ended by itself: %w; see %s", p.name, p.process.failure(), p.log.Name())
			}
			if p.process.cmd.ProcessState.Exited() {
				r.terms++
				if p.process.err != nil {
					return fmt.Errorf("%s ended badly after SIGTERM: %w; see %s", p.name, p.process.err, p.log.Name())
				}
			}
			r.mu.Lock()
			p.process = nil
			r.mu.Unlock()
			p.back = time.Now().Add(time.Duration(r.rng.Int64N(int64(500 * time.Millisecond))))
		}
	}
	return nil
}

func (r *fleetRound) start(ctx context.Context, i int) error {
	p := r.replicas[i]
	fmt.Fprintln(p.log, "--- start")
	command := r.config.Command("--config.file="+filepath.Join(p.dir, "config.yaml"), "--web.listen-address=127.0.0.1:0")
	command.Env = append(command.Environ(), r.cloud.environment(1+2*r.rng.IntN(2))...)
	command.Env = append(command.Env, "AWS_SDK_UA_APP_ID="+p.name)
	process, err := start(ctx, command, p.log)
	if err != nil {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	p.process = process
	return nil
}

// settle ends all faults, and waits until each replica has finished what it has claimed. Then it compares.
func (r *fleetRound) settle(ctx context.Context, tick <-chan time.Time) error {
	r.mu.Lock()
	r.armed, r.plan = nil, nil
	r.mu.Unlock()
	r.weather.settle()
	r.late.Wait()
	began := time.Now()
	for {
		if err := r.revive(ctx); err != nil {
			return err
		}
		if visible, hidden, delayed := r.cloud.sqs.Depth(r.cloud.queue); visible+hidden+delayed > 0 {
			began = time.Now()
			if _, err := r.step(); err != nil {
				return err
			}
		}
		sum, unfinished, err := r.sum(ctx)
		if err == nil && unfinished == 0 && (sum.processed >= r.load.want.processed || time.Since(began) > 5*time.Second) {
			return r.compare(ctx)
		}
		if time.Since(began) > patience {
			return fmt.Errorf("%d claims are not finished for %s, %w; see %s", unfinished, patience, errors.Join(err, ErrTotals), r.dir)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick:
		}
	}
}

// sum adds the pages of all replicas. Each must be up.
func (r *fleetRound) sum(ctx context.Context) (sum totals, unfinished int, err error) {
	for i, p := range r.replicas {
		if p.process == nil {
			return sum, 0, fmt.Errorf("%s is down", p.name)
		}
		t, err := p.process.scrape(ctx)
		if err != nil {
			return sum, 0, err
		}
		r.scrapes++
		unfinished += int(t.gauges["vpcflow_claims_unfinished"])
		if i == 0 {
			sum = t
			continue
		}
		sum.add(t)
	}
	return sum, unfinished, nil
}

// compare holds the sum of all replicas against the ledger, as far as that does not depend on which replica has read which file: files, what they inflate to,
// records, and the bytes of the NAT gateways by series.
func (r *fleetRound) compare(ctx context.Context) error {
	got, _, err := r.sum(ctx)
	if err != nil {
		return err
	}
	r.last = got
	var lines []string
	for _, c := range []struct {
		name      string
		want, got uint64
	}{
		{"files processed", r.load.want.processed, got.processed},
		{"inflated bytes", r.load.want.inflated, got.inflated},
		{"records", sumOf(r.load.want.ledger.Records), sumOf(got.ledger.Records) + got.held},
	} {
		if c.want != c.got {
			lines = append(lines, fmt.Sprintf("%s: got %d, want %d", c.name, c.got, c.want))
		}
	}
	nat := func(l flowgen.Ledger) flowgen.Ledger { return flowgen.Ledger{NATBytes: l.NATBytes} }
	want := nat(r.load.want.ledger)
	if d := want.Diff(nat(got.ledger)); d != "" {
		lines = append(lines, d)
	}
	if len(lines) > 0 {
		return fmt.Errorf("%w (- is what must be, + what is); see %s\n%s", ErrTotals, r.dir, strings.Join(lines, "\n"))
	}
	return nil
}

func sumOf[K comparable](m map[K]uint64) (n uint64) {
	for _, v := range m {
		n += v
	}
	return n
}

// restartAll ends all replicas in order and starts them again: their sum is the same.
func (r *fleetRound) restartAll(ctx context.Context) error {
	for i, p := range r.replicas {
		p.process.doom()
		if err := p.process.terminate(); err != nil {
			return err
		}
		select {
		case <-p.process.exited:
		case <-ctx.Done():
			return ctx.Err()
		}
		if p.process.err != nil {
			return fmt.Errorf("%s ended badly after SIGTERM: %w; see %s", p.name, p.process.err, p.log.Name())
		}
		if err := r.start(ctx, i); err != nil {
			return err
		}
	}
	if err := r.compare(ctx); err != nil {
		return fmt.Errorf("after a restart: %w", err)
	}
	return nil
}

func (r *fleetRound) close() error {
	var errs []error
	for _, p := range r.replicas {
		if p.process != nil {
			p.process.doom()
			p.process.kill()
		}
		errs = append(errs, p.log.Close())
	}
	r.weather.settle()
	r.late.Wait()
	return errors.Join(append(errs, r.cloud.close())...)
}
