package websocket

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	bridge "github.com/frankenphp-ws/frankenphp-ws/go-bridge"
)

const (
	// quickAnswers is how many quick answers allow an address one more request at a time. Ten tabs of one browser do not
	// get far with that; the visitors behind one proxy have all turns within a second.
	quickAnswers = 8
	// slowAnswer is how many times the usual time makes an answer a slow one, if that is more than slowAtLeast.
	slowAnswer  = 4
	slowAtLeast = 250 * time.Millisecond
	// longestRetry bounds what Retry-After says.
	longestRetry = time.Minute
)

// turns decides when a handshake is put to the site by its authorize request.
//
// Such a request takes a thread of PHP. FrankenPHP lets requests wait without a bound, and runs each of them, even if the
// client has left meanwhile: a herd of clients that give up and come again would keep PHP busy for nobody, and every page
// of the site would wait behind it. So only a few requests are with the site at a time. The other handshakes wait here.
// That costs little, and whoever leaves or runs out of time costs nothing more.
//
// Addresses take turns, so that one with many handshakes does not keep the others waiting. An address begins with one
// request at a time, and is allowed more as its answers come quickly. Slow ones may take half of the turns. So ten tabs that
// wait for the lock of one session do not take all threads.
type turns struct {
	now    func() time.Time
	report func(bridge.Authorizing) // called with mu locked, so that the numbers come in their order

	mu          sync.Mutex // guards what follows
	most        int        // how many requests may be with the site
	mostWaiting int        // how many handshakes may wait
	pauses      int        // how many ask that no request is sent
	stopped     bool       // no request is sent any more
	restarts    uint64     // of PHP; requests of before do not count any more
	looking     bool       // lookAgain is under way
	running     int
	waiting     int
	queues      map[string]*turnQueue // by address; those that wait or run, so they are bounded by both
	line        list.List             // of the *turnQueue with somebody waiting, the next first
	deeper      []int                 // at i: how many queues have more than i waiting
	usual       smoothed              // how long an answer takes
	usualOf     map[string]*smoothed  // the same by route, so that a slow page does not make those of another look slow
	counted     bridge.Authorizing    // what only grows
}

// turnQueue is one address.
type turnQueue struct {
	address string
	waiting list.List     // of *waiter
	running []*turn       // the oldest first
	quick   int           // quick answers, halved by each slow one
	place   *list.Element // in line; nil without anybody waiting
}

// waiter is a handshake that waits.
type waiter struct {
	ctx      context.Context
	route    string
	came     time.Time
	deadline time.Time
	queue    *turnQueue
	place    *list.Element // in queue.waiting; nil once it is settled
	settled  chan struct{}
	turn     *turn // if it has one
	err      error // why it has none
}

// turn is the right to have one request with the site.
type turn struct {
	queue    *turnQueue
	usual    *smoothed // of its route
	began    time.Time
	restarts uint64
}

// busyError refuses a handshake at once, as its turn would come too late.
type busyError struct {
	retryAfter time.Duration
	waiting    int
}

func (e *busyError) Error() string {
	return fmt.Sprintf("%d handshakes wait already, more than the site answers in the time this one has", e.waiting)
}

var (
	// errNoTurn refuses a handshake whose time ran out while it waited.
	errNoTurn = errors.New("its turn did not come in time")
	// errStopping refuses a handshake because the server is shutting down.
	errStopping = errors.New("the server is shutting down")
)

func newTurns(report func(bridge.Authorizing)) *turns {
	return &turns{
		now: time.Now, report: report, queues: make(map[string]*turnQueue), usualOf: make(map[string]*smoothed),
		most: defaultMaxRunning, mostWaiting: defaultMaxWaiting,
	}
}

// take waits for a turn until ctx ends, whose deadline is that of the handshake. The turn is to be given back by done.
func (t *turns) take(ctx context.Context, route, address string) (*turn, error) {
	t.mu.Lock()
	w, err := t.enter(ctx, route, address)
	t.tell()
	t.mu.Unlock()

	if err != nil {
		return nil, err
	}

	select {
	case <-w.settled:
	case <-ctx.Done():
		t.leave(w, givenUp(ctx))
	}

	return w.turn, w.err
}

// givenUp is why a handshake that waits is given up when its context has ended.
func givenUp(ctx context.Context) error {
	if err := ctx.Err(); !errors.Is(err, context.DeadlineExceeded) {
		return err
	}

	return errNoTurn
}

// enter puts a handshake in line, and gives it a turn if there is one.
func (t *turns) enter(ctx context.Context, route, address string) (*waiter, error) {
	if t.stopped {
		return nil, errStopping
	}

	q := t.queues[address]
	if q == nil {
		q = &turnQueue{address: address}
		t.queues[address] = q
	}
	defer t.forget(q)

	now := t.now()
	deadline, ok := ctx.Deadline()
	if !ok {
		deadline = now.Add(defaultAuthorizeTimeout)
	}
	if err := t.makeRoom(q, deadline.Sub(now)); err != nil {
		t.counted.RefusedBusy++

		return nil, err
	}

	w := &waiter{ctx: ctx, route: route, came: now, deadline: deadline, queue: q, settled: make(chan struct{})}
	t.push(w)
	t.dispatch()

	return w, nil
}

// leave gives up a waiter whose context has ended.
func (t *turns) leave(w *waiter, why error) {
	t.mu.Lock()
	defer t.mu.Unlock()

	switch {
	case w.place != nil:
		t.counted.GivenUp++
		t.settle(w, nil, why)
		t.forget(w.queue)
	case w.turn != nil: // it got its turn in the same moment, and does not use it
		t.counted.GivenUp++
		t.end(w.turn)
		w.turn, w.err = nil, why
	}
	t.tell()
}

// dispatch gives out turns while there are some.
func (t *turns) dispatch() {
	for t.pauses == 0 && !t.stopped && t.running < t.most {
		q := t.next()
		if q == nil {
			t.lookAgain()

			return
		}
		t.line.MoveToBack(q.place)
		w := q.waiting.Front().Value.(*waiter)

		switch now, usual := t.now(), t.usualAnswer(w.route); {
		case w.ctx.Err() != nil:
			t.counted.GivenUp++
			t.settle(w, nil, givenUp(w.ctx))
		case w.tooLate(now, time.Duration(*usual)):
			t.counted.GivenUp++
			t.settle(w, nil, errNoTurn)
		default:
			turn := &turn{queue: q, usual: usual, began: now, restarts: t.restarts}
			q.running = append(q.running, turn)
			t.running++
			t.counted.Asked++
			t.settle(w, turn, nil)
		}
		t.forget(q)
	}
}

// done gives a turn back: the site has nothing to do with its request any more.
func (t *turns) done(turn *turn) {
	t.mu.Lock()
	defer t.mu.Unlock()

	if turn.restarts != t.restarts {
		return // it does not count any more
	}

	took := t.now().Sub(turn.began)
	if took > turn.usual.slow() {
		turn.queue.quick /= 2
	} else {
		turn.queue.quick++
	}
	t.usual.measure(took)
	turn.usual.measure(took)
	t.end(turn)
	t.tell()
}

// unused gives a turn back that nothing was done with.
func (t *turns) unused(turn *turn) {
	t.mu.Lock()
	defer t.mu.Unlock()

	t.counted.GivenUp++
	t.end(turn)
	t.tell()
}

// end frees a turn for the next.
func (t *turns) end(turn *turn) {
	if turn.restarts != t.restarts {
		return
	}
	q := turn.queue
	for i, other := range q.running {
		if other == turn {
			q.running = append(q.running[:i], q.running[i+1:]...)
			t.running--

			break
		}
	}
	t.forget(q)
	t.dispatch()
}

// forget drops an address that has nothing waiting or running.
func (t *turns) forget(q *turnQueue) {
	if q.waiting.Len() == 0 && len(q.running) == 0 && t.queues[q.address] == q {
		delete(t.queues, q.address)
	}
}

// gaveUp counts a request that is with the site and whose answer nobody waits for any more.
func (t *turns) gaveUp() {
	t.mu.Lock()
	defer t.mu.Unlock()

	t.counted.GivenUp++
	t.tell()
}

// setLimits puts the limits of a configuration in force.
func (t *turns) setLimits(most, mostWaiting int) {
	t.mu.Lock()
	defer t.mu.Unlock()

	t.most, t.mostWaiting = most, mostWaiting
	clear(t.usualOf) // routes may have gone
	t.dispatch()
	t.tell()
}

// pause keeps requests from being sent while PHP restarts, until resume. It returns whether none is with the site.
func (t *turns) pause() (idle bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.pauses++

	return t.running == 0
}

// resume undoes one pause.
func (t *turns) resume() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.pauses--
	t.dispatch()
	t.tell()
}

// idle tells whether no request is with the site.
func (t *turns) idle() bool {
	t.mu.Lock()
	defer t.mu.Unlock()

	return t.running == 0
}

// restarted forgets the requests that were with the site: all threads of PHP have ended, and what did not reach one of them
// may wait in FrankenPHP for ever.
func (t *turns) restarted() {
	t.mu.Lock()
	defer t.mu.Unlock()

	t.restarts++
	t.running = 0
	for _, q := range t.queues {
		q.running = nil
		t.forget(q)
	}
	t.dispatch()
	t.tell()
}

// stop refuses all that wait and all that come: the server is about to end.
func (t *turns) stop() {
	t.mu.Lock()
	defer t.mu.Unlock()

	t.stopped = true
	for place := t.line.Front(); place != nil; place = t.line.Front() {
		q := place.Value.(*turnQueue)
		t.settle(q.waiting.Front().Value.(*waiter), nil, errStopping)
		t.forget(q)
	}
	t.tell()
}

// tell reports the numbers.
func (t *turns) tell() {
	numbers := t.counted
	numbers.Waiting, numbers.Running = uint64(t.waiting), uint64(t.running)
	t.report(numbers)
}
