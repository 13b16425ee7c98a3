package chaos

import (
	"maps"
	"sync"
	"time"
)

// A Point is where the exporter was with a file when it was killed.
type Point string

// The points. Between the last byte of a file and the request to delete its message only the exporter knows whether the file is committed; but what it does with
// the file after its restart shows it: a file that is not is read again.
const (
	WhileReading Point = "while_reading"
	BeforeCommit Point = "before_commit"
	BeforeDelete Point = "between_commit_and_delete"
	AfterDelete  Point = "after_delete"
	AtRandom     Point = "at_random"
	// WhileStarting is before the exporter listens, at any moment: perhaps while it reads its state.
	WhileStarting Point = "while_starting"
)

// A trigger is what the traffic shows when a kill is due.
type trigger string

const (
	halfRead      trigger = "half_read"      // A body is half sent.
	allRead       trigger = "all_read"       // The last byte of a body is sent.
	deleteAsked   trigger = "delete_asked"   // A deletion has come and is not done.
	deleteDone    trigger = "delete_done"    // A deletion is done, and not answered.
	deleteTold    trigger = "delete_told"    // A deletion is answered.
	requestCounts trigger = "request_counts" // So many requests have come.
)

// A kill is one of a plan.
type kill struct {
	on trigger
	// after is how long to wait then; after the last byte of a file this hits the commit before, within or after its write.
	after time.Duration
	// requests are what requestCounts counts down.
	requests int
	// look wants a last page of the victim.
	look bool
	// gently makes it a SIGTERM, which is no kill.
	gently bool
}

// A killer kills the process once the trigger of the armed kill is seen. It is safe for concurrent use.
type killer struct {
	mu     sync.Mutex
	armed  *kill
	paused bool
	victim *process
	before func()
	// struck gets the kill that was done.
	struck chan kill
	kills  map[Point]int
	// open are the files that had been read to the end when their reader was killed: what becomes of them next tells the point.
	open map[string]struct{}
}

func newKiller() *killer {
	return &killer{struck: make(chan kill, 1), kills: map[Point]int{}, open: map[string]struct{}{}}
}

// arm makes the next fitting moment the last one of a process, and calls before a little earlier. It says no where a kill is armed or being done.
func (k *killer) arm(next kill, victim *process, before func()) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.armed != nil || victim.isKilled() || len(k.struck) > 0 {
		return false
	}
	k.armed, k.victim, k.before = &next, victim, before
	return true
}

// revived says that the last victim has a successor.
func (k *killer) revived() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.victim = nil
}

// disarm takes back what arm did.
func (k *killer) disarm() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.armed = nil
}

// pause keeps the killer from killing until resume. It says no, and does nothing, where a kill is being done.
func (k *killer) pause() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.victim != nil && k.victim.isKilled() || len(k.struck) > 0 {
		return false
	}
	k.paused = true
	return true
}

func (k *killer) resume() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.paused = false
}

// saw is called with whatever triggers, and by which file. It returns whether the process is dead now.
func (k *killer) saw(t trigger, key string) bool {
	next := k.take(t)
	if next == nil {
		return false
	}
	if next.gently {
		k.struck <- *next
		return false
	}
	if next.after > 0 {
		time.Sleep(next.after) // The moment of a kill is the one thing here that is about time.
	}
	if next.look {
		k.before()
	}
	k.victim.kill()
	k.count(t, key)
	k.struck <- *next
	return true
}

func (k *killer) count(t trigger, key string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch t {
	case halfRead:
		k.kills[WhileReading]++
	case allRead:
		k.open[key] = struct{}{}
	case deleteAsked:
		k.kills[BeforeDelete]++
	case deleteDone, deleteTold:
		k.kills[AfterDelete]++
	case requestCounts:
		k.kills[AtRandom]++
	}
}

// take returns the armed kill if it is due.
func (k *killer) take(t trigger) *kill {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.armed == nil || k.armed.on != t || k.paused {
		return nil
	}
	if k.armed.requests > 1 {
		k.armed.requests--
		return nil
	}
	next := k.armed
	k.armed = nil
	if !next.gently {
		k.victim.doom()
	}
	return next
}

// countStart counts a process that was killed before it listened.
func (k *killer) countStart() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.kills[WhileStarting]++
}

// settled tells what became of a file after a kill at its end: it was read again, or its message was deleted unread.
func (k *killer) settled(key string, point Point) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if _, open := k.open[key]; open {
		delete(k.open, key)
		k.kills[point]++
	}
}

// counts returns the kills by point, those of which nothing more was seen left out.
func (k *killer) counts() map[Point]int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return maps.Clone(k.kills)
}
