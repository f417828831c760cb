package websocket

import (
	"fmt"
	"runtime"

	"github.com/dunglas/frankenphp"
	frankenphpcaddy "github.com/dunglas/frankenphp/caddy"
)

const (
	// defaultMaxRunning is how many authorize requests are with a site that has no PHP, where none is configured.
	defaultMaxRunning = 32
	// defaultMaxWaiting is how many handshakes wait for their turn, where none is configured.
	defaultMaxWaiting = 4096
)

// AuthorizeLimits bounds the authorize requests of all routes together. They share the threads of PHP with the site's
// pages.
type AuthorizeLimits struct {
	// MaxRunning is how many requests may be with the site at a time. Default: three quarters of the threads of PHP that
	// serve its pages; 32 without PHP.
	MaxRunning int `json:"max_running,omitempty"`
	// MaxWaiting is how many handshakes may wait until theirs is sent; further ones get 503. Default: 4096.
	MaxWaiting int `json:"max_waiting,omitempty"`
}

// check refuses what could not work.
func (l *AuthorizeLimits) check() error {
	if l != nil && (l.MaxRunning < 0 || l.MaxWaiting < 0) {
		return fmt.Errorf("max_running and max_waiting of authorize are numbers, or 0 for the default, not %d and %d", l.MaxRunning, l.MaxWaiting)
	}

	return nil
}

// boundAuthorizing puts the limits of the configuration in force. PHP runs by now, with its threads.
func (a *App) boundAuthorizing() {
	php, err := a.frankenphp()
	if err != nil {
		php = nil // it is not this app that says what is wrong with it
	}
	process.turns.setLimits(a.Authorize.limits(php, a.workers))
}

// limits are the numbers in force; php is nil where there is none.
func (l *AuthorizeLimits) limits(php *frankenphpcaddy.FrankenPHPApp, workers map[string]Worker) (running, waiting int) {
	if l != nil {
		running, waiting = l.MaxRunning, l.MaxWaiting
	}
	if running == 0 && php == nil {
		running = defaultMaxRunning
	}
	if running == 0 {
		running = turnsOf(pagePools(php, workers, frankenphp.DebugState()))
	}
	if waiting == 0 {
		waiting = defaultMaxWaiting
	}

	return running, waiting
}

// pagePools are the groups of threads that serve pages, by how many there can come to be: the ordinary ones first, then
// those of each worker that no route has for its events.
func pagePools(php *frankenphpcaddy.FrankenPHPApp, events map[string]Worker, state frankenphp.FrankenPHPDebugState) []int {
	ordinary, more := len(state.ThreadDebugStates), state.ReservedThreadCount
	pools := []int{0}
	for _, worker := range php.Workers {
		num := worker.Num
		if num <= 0 {
			num = 2 * runtime.GOMAXPROCS(0)
		}
		ordinary -= num
		if _, used := events[worker.Name]; used {
			continue
		}

		most := num + more // automatic scaling may give all it has to one group
		if worker.MaxThreads > 0 {
			most = min(most, max(num, worker.MaxThreads))
		}
		pools = append(pools, most)
	}
	pools[0] = max(ordinary, 0) + more

	return pools
}

// turnsOf is how many authorize requests may be with PHP at a time: three quarters of the threads of a group, rounded up,
// but not all of three or more. Which group answers them only a request can tell, so it is the smallest. One of a single
// thread is left out if there are others: it is what FrankenPHP leaves beside a worker that serves the whole site.
func turnsOf(pools []int) int {
	least := 1
	for _, threads := range pools {
		if threads > 1 && (least == 1 || threads < least) {
			least = threads
		}
	}
	if least < 3 {
		return least
	}

	return min((3*least+3)/4, least-1)
}
