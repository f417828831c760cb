package websocket

import (
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/dunglas/frankenphp"
	bridge "github.com/frankenphp-ws/frankenphp-ws/go-bridge"
	"go.uber.org/zap"
)

// gateWait bounds how long a reload waits for running bells to end, with the gate closed. They end at their next
// nextEvent(), so only an event that takes longer is overtaken; PHP's own shutdown then waits for it, up to 30 seconds.
const gateWait = 10 * time.Second

// authorizeGateWait is the same for authorize requests, of which none is sent while the gate is closed. A request that PHP
// has taken is served to its end in any case. The wait is for one that has just been sent: if PHP restarts before a thread
// takes it, it may never be answered.
const authorizeGateWait = time.Second

// phpGate keeps bells from ringing while a reload restarts PHP, and while PHP is not there at all.
//
// Two things go wrong with a bell that rings then. FrankenPHP's table of workers is written without a lock while PHP
// starts, so looking a worker up may end the process. And a request that waits for a thread of a worker waits for ever
// when the threads have gone, since nobody reads its channel any more. The second can happen nevertheless: to a bell that
// found no free thread before the reload and was not taken within [gateWait]. As soon as PHP has been restarted it is
// known to be lost, and is given up ([ringer.abandon]).
//
// Restarts without a reload (POST /frankenphp/workers/restart, opcache_reset(), watch) do not need the gate: there the
// workers and their channels stay, so bells wait until the threads are back.
type phpGate struct {
	close   func(timeout time.Duration) (running int, err error)
	open    func()
	running func() bool // whether PHP runs
	restart func()      // called when PHP has been restarted, or has gone, while the gate was closed
	log     func() *zap.Logger

	mu    sync.Mutex
	holds int  // holds that keep the gate closed: the app and the admin endpoint of a configuration have one each
	had   bool // PHP was running
	down  bool // PHP has gone; one closing of the gate is kept until it is back
}

// phpState is what a configuration knows of PHP when it ends its hold on the gate.
type phpState int

const (
	// phpUnknown: the configuration has no PHP, or was not started in whole.
	phpUnknown phpState = iota
	// phpRestarted: PHP was shut down and started again.
	phpRestarted
)

// startedState is what a configuration that has started in whole knows of PHP.
func startedState(ctx caddy.Context) phpState {
	if _, err := ctx.AppIfConfigured("frankenphp"); err != nil {
		return phpUnknown // it leaves PHP as it was
	}

	return phpRestarted
}

// gateHold is a configuration's hold on the gate, from its provisioning until it has started or is given up.
type gateHold struct {
	gate *phpGate

	mu    sync.Mutex
	held  bool
	ended bool
}

// hold closes the gate and waits until no bell runs, or until timeout.
func (g *phpGate) hold(timeout time.Duration) *gateHold {
	h := &gateHold{gate: g}
	h.take(timeout)

	return h
}

// take closes the gate unless h already keeps it closed.
func (h *gateHold) take(timeout time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()

	if h.held || h.ended {
		return
	}

	if !h.gate.enter() {
		timeout = 0 // another has waited already
	}
	running, err := h.gate.close(timeout)
	if err != nil {
		h.gate.leave()
	}

	switch {
	case errors.Is(err, bridge.ErrNotRunning):
		return // no core, no bells
	case err != nil:
		h.gate.log().Error("closing the gate before PHP restarts", zap.Error(err))

		return
	case running > 0 && timeout > 0:
		h.gate.log().Warn("WebSocket events are still being handled while PHP restarts: FrankenPHP waits for them, then kills them",
			zap.Int("bells", running), zap.Duration("waited", timeout))
	}
	h.held = true
}

// end ends the hold, once. The gate opens unless PHP has gone.
func (h *gateHold) end(php phpState) {
	h.mu.Lock()
	defer h.mu.Unlock()

	if h.ended {
		return
	}
	h.ended = true

	release := h.gate.settle(php, h.held)
	if !h.held {
		return
	}
	h.gate.leave()
	if release {
		h.gate.open()
	}
}

// enter counts a hold, and tells whether it is the first.
func (g *phpGate) enter() (first bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.holds++

	return g.holds == 1
}

// leave undoes enter.
func (g *phpGate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.holds--
}

// settle finds out what became of PHP, and tells whether the hold may be released.
func (g *phpGate) settle(php phpState, held bool) (release bool) {
	g.mu.Lock()
	defer g.mu.Unlock()

	running := g.running()
	gone := g.had && !running

	if php == phpRestarted || gone {
		g.restart()
	}

	switch {
	case running && g.down:
		g.down = false
		g.open()
		g.log().Info("PHP is back: waiting WebSocket events are handled")
	case gone && !g.down && held:
		// FrankenPHP shuts the old PHP down before it starts the new one. This hold becomes the one that is kept.
		g.down = true
		g.log().Error("PHP is not running since a configuration failed to start: connections stay and their events wait, new ones to PHP get 503; load a configuration that starts")

		return false
	}
	g.had = g.had || running

	return true
}

// isDown tells whether PHP has gone.
func (g *phpGate) isDown() bool {
	g.mu.Lock()
	defer g.mu.Unlock()

	return g.down
}

// phpRunning asks FrankenPHP by a request it is bound to refuse: with one error if it does not run, else with another.
func phpRunning() bool {
	request, err := http.NewRequest(http.MethodGet, "/", http.NoBody)
	if err != nil {
		return false
	}

	return !errors.Is(frankenphp.ServeHTTP(new(recorder), request), frankenphp.ErrNotRunning)
}
