package websocket

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyevents"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	frankenphpcaddy "github.com/dunglas/frankenphp/caddy"
	"github.com/frankenphp-ws/frankenphp-ws/caddy-module/internal/stream"
	bridge "github.com/frankenphp-ws/frankenphp-ws/go-bridge"
	"go.uber.org/zap"
)

const appID = "websocket"

// drainTimeout bounds how long the exit of the process waits for PHP to handle what clients have sent, in its first half, and then
// for clients to say goodbye and for PHP to handle their close events. Docker kills after 10 seconds.
const drainTimeout = 5 * time.Second

// App collects the routes of a configuration, a generation, and puts them in force in the core. It is there with its
// defaults wherever the handler is used; configuring it is optional.
type App struct {
	// Shards is how many threads serve connections. Default: one for every two CPUs. It is read when the server starts, and a reload
	// does not change it.
	Shards int `json:"shards,omitempty"`
	// MaxUnfinished is how many bytes messages that have come only in part may take, of all clients together. Beyond it, of the address
	// that holds most, the client that has held longest is closed with 1013. Default: 512 MiB. It is read when the server starts,
	// and a reload does not change it.
	MaxUnfinished uint64 `json:"max_unfinished,omitempty"`
	// MaxPendingBytes is how many bytes of events may wait for PHP, of all clients together. From there on PHP's routes refuse new clients
	// with 503, and a client that has events waiting is not read until they are handled; a quarter of it is what the clients of one address
	// may take. Default: 512 MiB. It is read when the server starts, and a reload does not change it.
	MaxPendingBytes uint64 `json:"max_pending_bytes,omitempty"`
	// MaxCompressionMemory is how many bytes compression may keep of all clients between messages. New clients are served without
	// compression when it is used up. Default: 256 MiB. It is read when the server starts, and a reload does not change it.
	MaxCompressionMemory uint64 `json:"max_compression_memory,omitempty"`
	// MaxHistoryBytes is how many bytes the histories of all channels may take, with 64 for each message and 512 for each channel. What
	// expires first is forgotten first. Default: 64 MiB. It is read when the server starts, and a reload does not change it.
	MaxHistoryBytes uint64 `json:"max_history_bytes,omitempty"`
	// MaxSuspended is how many clients are waited for after their connection broke, see [Resume]. Default: 10000.
	MaxSuspended uint64 `json:"max_suspended,omitempty"`
	// MaxResumeBytes is how many bytes of messages are kept for all clients that may come back, with 64 for each message. A client
	// whose messages cannot be kept cannot come back. Default: 256 MiB.
	MaxResumeBytes uint64 `json:"max_resume_bytes,omitempty"`
	// MaxCallBytes is how many bytes the bodies of calls of the Pusher protocol's HTTP API may take while they are received and carried out, of
	// all together. Beyond it calls are refused with 503. Default: 64 MiB. A reload applies it.
	MaxCallBytes uint64 `json:"max_call_bytes,omitempty"`
	// SearchTimeout is how long a command may look at clients, tags and stored information before it fails. Default: 1s. It is read when
	// the server starts, and a reload does not change it.
	SearchTimeout caddy.Duration `json:"search_timeout,omitempty"`
	// Values bounds the global key-value store. It is read when the server starts, and a reload does not change it.
	Values *Values `json:"values,omitempty"`
	// Cluster is where this server meets others, so that they work as one. Default: it is alone. It is read when the server starts, and
	// a reload does not change it.
	Cluster *Cluster `json:"cluster,omitempty"`
	// Control configures the control socket, by which programs on the command line reach the server. Default: it is there, for the
	// server's own user.
	Control *Control `json:"control,omitempty"`
	// Authorize bounds the authorize requests of all routes together. A reload applies it.
	Authorize *AuthorizeLimits `json:"authorize,omitempty"`

	ctx        caddy.Context
	logger     *zap.Logger
	hold       *gateHold
	generation uint64
	php        *frankenphpcaddy.FrankenPHPApp

	// These are written by handlers being provisioned, one after the other, and only read once the app has started.
	routes  map[string]*Route
	workers map[string]Worker
	servers map[*caddyhttp.Server]*served

	// http3 are the servers that have had streams of HTTP/3.
	http3 stream.HTTP3Servers
	// untaken are requests for WebSockets that no handler was there for.
	untaken burst

	mu        sync.Mutex // guards what follows: an event and the end of the configuration may come together
	staged    bool
	committed chan struct{} // closed when the routes are in force
	ended     chan struct{} // closed when they no longer are, or never will be
}

// Values bounds the global key-value store: what does not fit throws in PHP.
type Values struct {
	// MaxEntries is how many values there may be. Default: 1,000,000.
	MaxEntries uint64 `json:"max_entries,omitempty"`
	// MaxSize is how many bytes they may take, with their keys and 128 for each. Default: 256 MiB.
	MaxSize uint64 `json:"max_size,omitempty"`
}

// CaddyModule returns the Caddy module information.
func (*App) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: appID, New: func() caddy.Module { return new(App) }}
}

// Provision closes the gate, since the frankenphp app is about to restart PHP. It starts nothing: a configuration that is
// only validated gets this far.
func (a *App) Provision(ctx caddy.Context) error {
	if a.Shards < 0 {
		return fmt.Errorf("shards is a number of threads, or 0 for one for every two CPUs, not %d", a.Shards)
	}

	if _, err := a.Control.encode(project{}); err != nil {
		return err
	}
	if err := a.Authorize.check(); err != nil {
		return err
	}
	if err := a.Cluster.check(); err != nil {
		return err
	}

	a.ctx = ctx
	a.logger = ctx.Logger()
	a.routes = make(map[string]*Route)
	a.workers = make(map[string]Worker)
	a.servers = make(map[*caddyhttp.Server]*served)
	a.committed = make(chan struct{})
	a.ended = make(chan struct{})

	if err := registerMetrics(ctx.GetMetricsRegistry()); err != nil {
		return err
	}

	module, err := ctx.App("events")
	if err != nil {
		return err
	}
	events := module.(*caddyevents.App)
	if err := events.On("started", eventHandler(a.onStarted)); err != nil {
		return err
	}
	if err := events.On("stopping", eventHandler(a.onStopping)); err != nil {
		return err
	}

	a.hold = process.gate.hold(gateWait)
	process.starting.Store(a)

	return nil
}

// addRoute registers the route of a handler.
func (a *App) addRoute(route *Route) error {
	if first, taken := a.routes[route.Name]; taken {
		if err := conflict(first, route); err != nil {
			return err
		}
		// Those of a Caddyfile have their names by now, and their lines were told when it was read.
		if first.unnamed || route.unnamed {
			a.logger.Warn(oneRoute, zap.String("route", route.Name))
		}

		return nil
	}

	// In a Caddyfile these were told with their lines, but for those whose placeholders are filled in only now.
	own := route.Pusher.resolved()
	for _, name := range slices.Sorted(maps.Keys(a.routes)) {
		if app, what := own.clashing(a.routes[name].Pusher.resolved()); what != "" {
			return clashError(route, app, what, name)
		}
	}

	for _, name := range route.workers() {
		php, err := a.frankenphp()
		if err != nil {
			return fmt.Errorf("worker %q: %w", name, err)
		}

		worker, err := findWorker(php, name)
		if err != nil {
			return err
		}
		a.workers[worker.Name] = worker
	}

	a.routes[route.Name] = route

	return nil
}

// scripts are the files of the workers that handle events.
func (a *App) scripts() []string {
	if a.php == nil {
		return nil
	}
	var scripts []string
	for _, worker := range a.php.Workers {
		if _, ours := a.workers[worker.Name]; ours {
			scripts = append(scripts, caddy.NewReplacer().ReplaceKnown(worker.FileName, ""))
		}
	}

	return scripts
}

// addServer prepares a server that has a websocket handler, once.
func (a *App) addServer(server *caddyhttp.Server) {
	if _, known := a.servers[server]; known {
		return
	}
	a.servers[server] = &served{site: newAuthorizingSite(server)}
	server.RegisterOnShutdown(cutStreamsAtExit)
	server.RegisterConnContext(rememberConn)
	a.installWitness(server)
}

// frankenphp returns the frankenphp app of the configuration; nil without an error if there is none.
func (a *App) frankenphp() (*frankenphpcaddy.FrankenPHPApp, error) {
	if a.php != nil {
		return a.php, nil
	}

	module, err := a.ctx.AppIfConfigured("frankenphp")
	if errors.Is(err, caddy.ErrNotConfigured) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}

	php, ok := module.(*frankenphpcaddy.FrankenPHPApp)
	if !ok {
		return nil, fmt.Errorf("the frankenphp app is a %T, not FrankenPHP's", module)
	}
	a.php = php

	return php, nil
}

// Start starts the core, the first time, and stages the routes. They come into force when all apps have started.
func (a *App) Start() error {
	if err := a.prepare(); err != nil {
		return err
	}
	a.warnOfPublicWorkers()
	a.sayHowToRestart()

	return nil
}

// prepare does what must be done before PHP starts or the app has started, whichever comes first, once: it starts the core, keeps bells
// from ringing, and stages the routes.
func (a *App) prepare() error {
	a.mu.Lock()
	defer a.mu.Unlock()

	if a.staged || isClosed(a.ended) {
		return nil
	}

	if err := process.start(a); err != nil {
		return err
	}
	a.hold.take(0) // the core may not have run yet when the configuration was provisioned

	generation := struct {
		Routes  []*Route `json:"routes,omitempty"`
		Workers []Worker `json:"workers,omitempty"`
	}{}
	for _, name := range slices.Sorted(maps.Keys(a.routes)) {
		generation.Routes = append(generation.Routes, a.routes[name].forCore())
	}
	for _, name := range slices.Sorted(maps.Keys(a.workers)) {
		generation.Workers = append(generation.Workers, a.workers[name])
	}

	encoded, err := json.Marshal(generation)
	if err != nil {
		return err
	}

	a.generation = process.generations.Add(1)
	if err := bridge.StageRoutes(a.generation, encoded); err != nil {
		return err
	}
	a.staged = true

	return nil
}

// onStarted puts the routes in force and lets bells ring again.
func (a *App) onStarted() {
	a.mu.Lock()
	defer a.mu.Unlock()

	process.starting.CompareAndSwap(a, nil)
	if !a.staged {
		return
	}

	process.logger.Store(a.logger)
	process.bells.setWorkers(slices.Collect(maps.Keys(a.workers)))

	if err := bridge.CommitRoutes(a.generation); err != nil {
		a.logger.Error("the routes of the new configuration are not in force", zap.Error(err))
	}

	a.Control.serve(findProject(os.Args, a.scripts()), a.logger)
	a.boundAuthorizing()
	process.bodies.limit(cmp.Or(a.MaxCallBytes, defaultMaxCallBytes))

	close(a.committed)
	a.hold.end(startedState(a.ctx))
}

// onStopping says goodbye to the clients while PHP still runs, if the process is about to end. Stop would be too late:
// the apps stop in no particular order.
func (a *App) onStopping() {
	if !caddy.Exiting() {
		return
	}

	process.turns.stop()
	remaining, unhandled, err := bridge.Drain(drainTimeout)
	if err != nil {
		a.logger.Error("closing the WebSocket connections", zap.Error(err))
	}
	if remaining > 0 {
		a.logger.Warn("WebSocket connections are cut: their clients did not answer the close frame in time",
			zap.Uint64("connections", remaining), zap.Duration("timeout", drainTimeout))
	}
	if unhandled > 0 {
		a.logger.Warn("PHP did not handle the close events of WebSocket connections in time: they are lost",
			zap.Uint64("connections", unhandled), zap.Duration("timeout", drainTimeout))
	}

	// The HTTP server waits for streams of HTTP/2, for ever where there is no grace period.
	process.pipes.Cut()
	if !a.hasGracePeriod() {
		a.http3.Shutdown(drainTimeout)
	}

	// No bell may ring while PHP is shut down. The gate stays closed: nothing comes after.
	if _, err := bridge.CloseGate(time.Second); err != nil && !errors.Is(err, bridge.ErrNotRunning) {
		a.logger.Error("closing the gate", zap.Error(err))
	}

	bridge.StopControl()

	// The process may be gone before the watcher has looked.
	process.records.drain(bridge.TakeLog)
}

// hasGracePeriod tells whether Caddy itself bounds how long its servers wait for requests.
func (a *App) hasGracePeriod() bool {
	module, err := a.ctx.AppIfConfigured("http")
	if err != nil {
		return false
	}
	app, ok := module.(*caddyhttp.App)

	return ok && app.GracePeriod > 0
}

// cutStreamsAtExit is for streams that were opened while the others were closed: their server waits for them.
func cutStreamsAtExit() {
	if caddy.Exiting() {
		time.AfterFunc(drainTimeout, process.pipes.Cut)
	}
}

// Stop ends the generation. If a later one is in force, connections go on under it; if there is none, they close.
func (a *App) Stop() error {
	return a.withdraw()
}

// Cleanup ends a configuration that was never stopped, because it was never started, and lets bells ring again if it was
// never started in whole.
func (a *App) Cleanup() error {
	err := a.withdraw()

	if a.hold != nil {
		php := phpUnknown
		if a.php != nil && len(a.workers) > 0 && len(a.php.Workers) == 0 {
			// FrankenPHP's Stop empties its list of workers. To be stopped, it was started, and had restarted PHP.
			php = phpRestarted
		}
		a.hold.end(php)
	}

	return err
}

// withdraw ends the generation, once.
func (a *App) withdraw() error {
	a.mu.Lock()
	defer a.mu.Unlock()

	if a.ended == nil || isClosed(a.ended) {
		return nil
	}
	close(a.ended)

	// The configuration's logger goes with it.
	process.logger.CompareAndSwap(a.logger, nil)
	process.starting.CompareAndSwap(a, nil)

	if !a.staged {
		return nil
	}

	if err := bridge.WithdrawRoutes(a.generation); err != nil && !errors.Is(err, bridge.ErrStale) {
		return fmt.Errorf("ending the websocket routes: %w", err)
	}

	return nil
}

// waitCommitted waits until the routes are in force, or never will be, or ctx ends. It tells whether they are.
func (a *App) waitCommitted(ctx context.Context) bool {
	select {
	case <-a.committed:
		return true
	case <-a.ended:
	case <-ctx.Done():
	}

	return false
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// eventHandler is a [caddyevents.Handler].
type eventHandler func()

func (f eventHandler) Handle(context.Context, caddy.Event) error {
	f()

	return nil
}

// Interface guards
var (
	_ caddy.App           = (*App)(nil)
	_ caddy.Provisioner   = (*App)(nil)
	_ caddy.CleanerUpper  = (*App)(nil)
	_ caddyevents.Handler = eventHandler(nil)
)
