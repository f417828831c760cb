package websocket

import (
	"errors"
	"sync"
)

// defaultMaxCallBytes is the default of [App.MaxCallBytes].
const defaultMaxCallBytes = 64 << 20

// errNoRoom says that a budget is used up.
var errNoRoom = errors.New("no room")

// budget is how many bytes may be held at a time, by all together.
type budget struct {
	mu         sync.Mutex // guards what follows
	held, most uint64
}

// limit sets how many bytes there are. What is held stays.
func (b *budget) limit(most uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()

	b.most = most
}

// grow has somebody hold so many bytes instead of so many before, if there are as many. Whoever is alone may hold any number: what it may hold
// at most is said elsewhere, and otherwise it would wait for ever.
func (b *budget) grow(before, after int) bool {
	b.mu.Lock()
	defer b.mu.Unlock()

	others := b.held - uint64(before)
	if others > 0 && others+uint64(after) > b.most {
		return false
	}
	b.held = others + uint64(after)

	return true
}

// free gives bytes back.
func (b *budget) free(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()

	b.held -= uint64(n)
}
