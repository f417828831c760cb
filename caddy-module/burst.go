package websocket

import (
	"sync"
	"time"
)

// burstTime is how long trouble that was logged is only counted.
const burstTime = 5 * time.Second

// burst makes one log record of trouble that comes in numbers, since visitors can cause as much of it as they like.
type burst struct {
	mu     sync.Mutex // guards what follows
	logged time.Time
	since  int
}

// log calls write unless it did so a moment ago. before is how often it did not since the last time.
func (b *burst) log(now time.Time, write func(before int)) {
	b.mu.Lock()
	if !b.logged.IsZero() && now.Sub(b.logged) < burstTime {
		b.since++
		b.mu.Unlock()

		return
	}
	before := b.since
	b.logged, b.since = now, 0
	b.mu.Unlock()

	write(before)
}

// bursts is a burst for each kind of trouble on each route. Both are named by the configuration and by this module, so that
// there are few. The zero value is ready.
type bursts struct {
	mu  sync.Mutex // guards all
	all map[trouble]*burst
}

type trouble struct{ kind, route string }

// of is the burst of some trouble.
func (b *bursts) of(t trouble) *burst {
	b.mu.Lock()
	defer b.mu.Unlock()

	if b.all[t] == nil {
		if b.all == nil {
			b.all = make(map[trouble]*burst)
		}
		b.all[t] = new(burst)
	}

	return b.all[t]
}
