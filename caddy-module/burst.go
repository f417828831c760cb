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
