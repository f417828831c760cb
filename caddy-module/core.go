package websocket

import (
	"encoding/json"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/frankenphp-ws/frankenphp-ws/caddy-module/internal/stream"
	bridge "github.com/frankenphp-ws/frankenphp-ws/go-bridge"
	"go.uber.org/zap"
)

// process is what outlives configurations: the side of the core that is Go.
var process = newProcess()

// coreProcess serves the core's wishes, and holds what is one per process.
type coreProcess struct {
	bells *ringer
	gate  *phpGate
	pipes *stream.Table
	turns *turns
	// bodies bounds those of the calls of the Pusher protocol's HTTP API.
	bodies budget

	bursts  bursts // of log records
	records *logReader

	// generations numbers the configurations; the core wants each number larger than those before.
	generations atomic.Uint64
	logger      atomic.Pointer[zap.Logger]
	// starting is the app of the configuration that is provisioned and has not started in whole yet.
	starting atomic.Pointer[App]

	mu      sync.Mutex // guards what follows: apps start and stop in turn, but Start may race with a dying watcher
	watched bool
	config  string
}

func newProcess() *coreProcess {
	p := &coreProcess{pipes: stream.NewTable(), turns: newTurns(bridge.SetAuthorizing), bodies: budget{most: defaultMaxCallBytes}}
	p.records = newLogReader(p.log)
	p.bells = newRinger(ringPHP, bridge.EndBell, p.log)
	p.gate = &phpGate{
		close:   p.closeGate,
		open:    p.openGate,
		running: phpRunning,
		restart: p.phpRestarted,
		log:     p.log,
	}

	return p
}

// closeGate keeps all requests of this module from PHP, and waits until none is with it, or until timeout. It returns how
// many bells are left.
func (p *coreProcess) closeGate(timeout time.Duration) (running int, err error) {
	p.turns.pause()
	deadline := time.Now().Add(min(timeout, authorizeGateWait))
	if running, err = bridge.CloseGate(timeout); err != nil {
		p.turns.resume()

		return running, err
	}
	for !p.turns.idle() && time.Now().Before(deadline) {
		time.Sleep(time.Millisecond)
	}

	return running, nil
}

func (p *coreProcess) openGate() {
	bridge.OpenGate()
	p.turns.resume()
}

func (p *coreProcess) phpRestarted() {
	p.bells.abandon()
	p.turns.restarted()
}

// log is the logger of the configuration in force. It is asked for anew by whoever outlives one.
func (p *coreProcess) log() *zap.Logger {
	if logger := p.logger.Load(); logger != nil {
		return logger
	}

	return caddy.Log().Named(appID)
}

// coreConfig is what the core is started with.
type coreConfig struct {
	Shards               int      `json:"shards"`
	MaxUnfinished        uint64   `json:"max_unfinished"`
	MaxPendingBytes      uint64   `json:"max_pending_bytes"`
	MaxCompressionMemory uint64   `json:"max_compression_memory"`
	MaxHistoryBytes      uint64   `json:"max_history_bytes"`
	MaxSuspended         uint64   `json:"max_suspended"`
	MaxResumeBytes       uint64   `json:"max_resume_bytes"`
	SearchTimeout        int64    `json:"search_timeout"`
	Values               *Values  `json:"values,omitempty"`
	Cluster              *Cluster `json:"cluster,omitempty"`
}

// start starts the core, the first time, and sees that somebody listens to it.
func (p *coreProcess) start(app *App) error {
	encoded := coreConfig{
		Shards: app.Shards, MaxUnfinished: app.MaxUnfinished, MaxPendingBytes: app.MaxPendingBytes,
		MaxCompressionMemory: app.MaxCompressionMemory, MaxHistoryBytes: app.MaxHistoryBytes, MaxSuspended: app.MaxSuspended,
		MaxResumeBytes: app.MaxResumeBytes, SearchTimeout: int64(app.SearchTimeout), Values: app.Values, Cluster: app.Cluster.resolved(),
	}
	config, err := json.Marshal(encoded)
	if err != nil {
		return err
	}

	if err := bridge.Start(config); err != nil {
		return err
	}

	p.mu.Lock()
	defer p.mu.Unlock()

	if p.config == "" {
		p.config = string(config)
	} else if p.config != string(config) {
		// The address of a cluster may have a password in it.
		encoded.Cluster = nil
		public, _ := json.Marshal(encoded)
		app.logger.Warn("these options of the server, and cluster, cannot change while it runs: restart it to apply", zap.ByteString("configured", public))
	}

	if p.watched {
		return nil
	}

	watcher, err := bridge.NewWatcher()
	if err != nil {
		return err
	}
	pipes, err := bridge.NewPipeWatcher()
	if err != nil {
		_ = watcher.Close()

		return err
	}
	p.watched = true
	go p.watch(watcher, pipes)

	return nil
}

// watch serves the core for the life of the process.
func (p *coreProcess) watch(watcher, pipes *bridge.Watcher) {
	ended := make(chan error, 2)
	go func() { ended <- pipes.Run(func() { bridge.DirtyPipes(p.pipes.Look) }) }()
	go func() {
		ended <- watcher.Run(func() {
			bridge.TakeBells(p.bells.ring)
			p.records.drain(bridge.TakeLog)
		})
	}()

	err := <-ended
	_ = watcher.Close()
	_ = pipes.Close()
	<-ended
	p.log().Error("the WebSocket core is no longer listened to: its events do not reach PHP until the next reload", zap.Error(err))

	p.mu.Lock()
	p.watched = false
	p.mu.Unlock()
}
