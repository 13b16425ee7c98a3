package enrich

import (
	"context"
	"net/netip"
	"sync"
)

// An askQueue is the list of addresses to ask IPinfo about, each once, in the order in which they came. It is bounded: what finds no room comes again at
// the next Lookup. It is safe for concurrent use.
type askQueue struct {
	ready chan struct{} // Holds a value when the queue may not be empty.

	mu      sync.Mutex
	limit   int
	waiting []netip.Addr
	known   map[netip.Addr]struct{}
}

func newAskQueue(limit int) *askQueue {
	return &askQueue{ready: make(chan struct{}, 1), limit: limit, known: make(map[netip.Addr]struct{})}
}

func (q *askQueue) resize(limit int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.limit = limit
}

func (q *askQueue) add(addr netip.Addr) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if _, known := q.known[addr]; known || len(q.waiting) >= q.limit {
		return
	}
	q.known[addr] = struct{}{}
	q.waiting = append(q.waiting, addr)
	select {
	case q.ready <- struct{}{}:
	default:
	}
}

// next waits for an address and takes it. It returns false when ctx has ended.
func (q *askQueue) next(ctx context.Context) (netip.Addr, bool) {
	for {
		if addr, ok := q.take(); ok {
			return addr, true
		}
		select {
		case <-ctx.Done():
			return netip.Addr{}, false
		case <-q.ready:
		}
	}
}

func (q *askQueue) take() (netip.Addr, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) == 0 {
		return netip.Addr{}, false
	}
	addr := q.waiting[0]
	q.waiting = q.waiting[1:]
	delete(q.known, addr)
	return addr, true
}

func (q *askQueue) clear() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting = nil
	clear(q.known)
}
