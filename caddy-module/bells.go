package websocket

import (
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"sync"
	"time"

	"github.com/dunglas/frankenphp"
	bridge "github.com/frankenphp-ws/frankenphp-ws/go-bridge"
	"go.uber.org/zap"
)

const (
	// abandonGrace is how long after PHP's restart a bell of before may take to return. A thread that PHP's shutdown ended
	// has closed its request by then; only the goroutine that waited for it may not have run yet.
	abandonGrace = time.Second
	// bellDocumentRoot exists on no system. FrankenPHP takes a bell for a worker it does not know as a request to a script.
	bellDocumentRoot = "/dev/null/frankenphp-ws"
)

// ringer rings bells: for each it sends a request to a worker, which wakes a PHP thread to fetch events, and tells the core
// how it ended. The request carries nothing but a nonce.
type ringer struct {
	send func(w http.ResponseWriter, worker, nonce string) error
	end  func(nonce string, outcome bridge.Outcome, output []byte, failure string)
	log  func() *zap.Logger

	mu      sync.Mutex
	ringing map[*bell]struct{}  // rung and not ended
	workers map[string]struct{} // those of the configuration in force
}

// bell is a bell being rung.
type bell struct {
	bridge.Ring
}

func newRinger(
	send func(w http.ResponseWriter, worker, nonce string) error,
	end func(nonce string, outcome bridge.Outcome, output []byte, failure string),
	log func() *zap.Logger,
) *ringer {
	return &ringer{send: send, end: end, log: log, ringing: make(map[*bell]struct{})}
}

// setWorkers names the workers that there are.
func (r *ringer) setWorkers(names []string) {
	workers := make(map[string]struct{}, len(names))
	for _, name := range names {
		workers[name] = struct{}{}
	}

	r.mu.Lock()
	r.workers = workers
	r.mu.Unlock()
}

// ring rings a bell and does not wait for it.
func (r *ringer) ring(ring bridge.Ring) {
	b := &bell{ring}

	r.mu.Lock()
	r.ringing[b] = struct{}{}
	_, known := r.workers[b.Worker]
	r.mu.Unlock()

	if !known {
		r.finish(b, bridge.Abandoned, nil, fmt.Sprintf("worker %q is not in the configuration any more", b.Worker))

		return
	}

	go r.serve(b)
}

// serve sends the request and waits for its end.
func (r *ringer) serve(b *bell) {
	output := new(recorder)

	defer func() {
		if panicked := recover(); panicked != nil {
			r.log().Error("panic while ringing a worker", zap.String("worker", b.Worker), zap.Any("panic", panicked), zap.ByteString("stack", debug.Stack()))
			r.finish(b, bridge.Failed, output.bytes(), fmt.Sprint("panic: ", panicked))
		}
	}()

	err := r.send(output, b.Worker, b.Nonce)
	switch {
	case err == nil:
		r.finish(b, bridge.Served, output.bytes(), "")
	case errors.Is(err, frankenphp.ErrNotRunning), errors.Is(err, frankenphp.ErrMaxWaitTimeExceeded):
		r.finish(b, bridge.Abandoned, nil, err.Error())
	default:
		r.finish(b, bridge.Failed, output.bytes(), err.Error())
	}
}

// finish tells the core how a bell ended, once.
func (r *ringer) finish(b *bell, outcome bridge.Outcome, output []byte, failure string) {
	r.mu.Lock()
	_, open := r.ringing[b]
	delete(r.ringing, b)
	r.mu.Unlock()

	if open {
		r.end(b.Nonce, outcome, output, failure)
	}
}

// abandon gives up the bells that were rung before PHP was restarted. All its threads of then have ended, so what has not
// returned by now, or within the grace, waits where nobody will come. Its goroutine is lost; the core rings anew.
func (r *ringer) abandon() {
	r.mu.Lock()
	lost := make([]*bell, 0, len(r.ringing))
	for b := range r.ringing {
		lost = append(lost, b)
	}
	r.mu.Unlock()

	if len(lost) == 0 {
		return
	}

	time.AfterFunc(abandonGrace, func() {
		for _, b := range lost {
			r.finish(b, bridge.Abandoned, nil, "PHP was restarted before a thread of the worker was free")
		}
	})
}

// ringPHP sends a bell to a worker of FrankenPHP.
func ringPHP(w http.ResponseWriter, worker, nonce string) error {
	// Without a body that can be read FrankenPHP crashes.
	request, err := http.NewRequest(http.MethodGet, "/?fws_bell="+nonce, http.NoBody)
	if err != nil {
		return err
	}

	request, err = frankenphp.NewRequestWithContext(request,
		frankenphp.WithRequestResolvedDocumentRoot(bellDocumentRoot),
		frankenphp.WithWorkerName(worker),
	)
	if err != nil {
		return err
	}

	return frankenphp.ServeHTTP(w, request)
}
