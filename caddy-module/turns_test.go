package websocket

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	bridge "github.com/frankenphp-ws/frankenphp-ws/go-bridge"
)

// lane is a queue of turns with a clock of its own.
type lane struct {
	*turns
	t       *testing.T
	clock   time.Time
	numbers bridge.Authorizing // as reported last
}

func newLane(t *testing.T, most, mostWaiting int) *lane {
	t.Helper()

	l := &lane{t: t, clock: time.Unix(1_000_000, 0)}
	l.turns = newTurns(func(n bridge.Authorizing) { l.numbers = n })
	l.now = func() time.Time { return l.clock }
	l.setLimits(most, mostWaiting)

	return l
}

// visitor is a handshake in a lane.
type visitor struct {
	*waiter
	lane    *lane
	err     error // why it was refused at once
	goes    context.CancelFunc
	address string
}

// patience is a context that ends only when it is told, with a deadline by the lane's clock.
type patience struct {
	context.Context
	until time.Time
}

func (p patience) Deadline() (time.Time, bool) { return p.until, true }

// comes brings a handshake that has ten seconds.
func (l *lane) comes(address string) *visitor {
	l.t.Helper()
	ctx, goes := context.WithCancel(l.t.Context())
	v := &visitor{lane: l, goes: goes, address: address}
	l.mu.Lock()
	v.waiter, v.err = l.enter(patience{ctx, l.clock.Add(10 * time.Second)}, "chat", address)
	l.tell()
	l.mu.Unlock()

	return v
}

// asked tells whether its request is with the site.
func (v *visitor) asked() bool {
	return v.waiter != nil && isClosed(v.settled) && v.waiter.turn != nil
}

// waits tells whether it is still in line.
func (v *visitor) waits() bool {
	return v.waiter != nil && !isClosed(v.settled)
}

// answered ends its request, which has taken so long.
func (v *visitor) answered(took time.Duration) {
	v.lane.clock = v.lane.clock.Add(took)
	v.lane.done(v.waiter.turn)
}

// quick lets a lane know how long an answer takes.
func (l *lane) quick(usual time.Duration) {
	l.comes("somebody").answered(usual)
}

func count(visitors []*visitor, is func(*visitor) bool) (n int) {
	for _, v := range visitors {
		if is(v) {
			n++
		}
	}

	return n
}

func TestNoMoreRequestsAreWithTheSiteThanMay(t *testing.T) {
	l := newLane(t, 3, 100)
	var all []*visitor
	for i := range 10 {
		all = append(all, l.comes(fmt.Sprint("address ", i)))
	}
	for i := range 10 {
		for j, v := range all {
			if v.asked() != (j < i+3) {
				t.Fatalf("after %d answers, request %d with the site: %v", i, j, v.asked())
			}
		}
		if l.numbers.Running != uint64(min(3, 10-i)) || l.numbers.Waiting != uint64(max(0, 7-i)) {
			t.Errorf("after %d answers the numbers are %+v", i, l.numbers)
		}
		all[i].answered(20 * time.Millisecond)
	}
	if want := (bridge.Authorizing{Asked: 10}); l.numbers != want || len(l.queues) != 0 || len(l.deeper) != 0 {
		t.Errorf("at the end %+v, %d addresses and %v are kept", l.numbers, len(l.queues), l.deeper)
	}
}

func TestAddressesTakeTurns(t *testing.T) {
	l := newLane(t, 1, 1000)
	first := l.comes("greedy")
	for range 100 {
		l.comes("greedy")
	}
	a, b := l.comes("a"), l.comes("b")
	first.answered(time.Millisecond) // one of the greedy has waited for longest
	if a.asked() || b.asked() {
		t.Error("an address came before its turn")
	}
	l.done(l.queues["greedy"].running[0])
	if !a.asked() {
		t.Error("a waits behind a hundred of another address")
	}
	a.answered(time.Millisecond)
	if !b.asked() {
		t.Error("b waits behind a hundred of another address")
	}
}

func TestTenTabsBehindALockLeaveTurnsForOthers(t *testing.T) {
	for most, held := range map[int]int{2: 1, 3: 2, 4: 2, 5: 3, 12: 6} {
		l := newLane(t, most, 1000)
		l.quick(20 * time.Millisecond)
		var tabs []*visitor
		for range 10 {
			tabs = append(tabs, l.comes("tabs"))
		}
		if n := count(tabs, (*visitor).asked); n != 1 {
			t.Errorf("of %d turns the tabs have %d before any answer", most, n)
		}
		for range 100 { // five seconds in which nothing is answered to them, but quickly to others
			l.clock = l.clock.Add(50 * time.Millisecond)
			other := l.comes("other")
			if !other.asked() {
				t.Fatalf("with %d turns another visitor waits, while the tabs have %d", most, count(tabs, (*visitor).asked))
			}
			l.done(other.waiter.turn)
		}
		if n := count(tabs, (*visitor).asked); n != held {
			t.Errorf("of %d turns the tabs have %d, want %d", most, n, held)
		}
	}
}

func TestOneWhoseRequestIsStuckDoesNotStopTheOthersOfItsAddress(t *testing.T) {
	l := newLane(t, 3, 1000)
	l.quick(20 * time.Millisecond)
	l.comes("proxy")
	next := l.comes("proxy")
	if next.asked() {
		t.Fatal("an address begins with two")
	}
	// Nothing but time passes: no event makes room.
	l.mu.Lock()
	if !l.looking {
		t.Error("nobody will look again")
	}
	l.clock = l.clock.Add(slowAtLeast + time.Millisecond)
	l.dispatch()
	l.mu.Unlock()
	if !next.asked() {
		t.Error("the next one waits although the first is slow and there are turns")
	}
}

func TestManyVisitorsOfOneAddressGetAllTurnsWhileAnswersAreQuick(t *testing.T) {
	l := newLane(t, 3, 10_000)
	var all []*visitor
	for range 500 {
		all = append(all, l.comes("herd"))
	}
	answers, full := 0, 0
	for next := 0; next < len(all); next++ {
		if l.numbers.Running == 3 {
			full++
		}
		if !all[next].asked() {
			t.Fatalf("visitor %d of one address is not asked though those before it are answered", next)
		}
		all[next].answered(7 * time.Millisecond)
		answers++
	}
	if answers != 500 || full < 500-3*quickAnswers {
		t.Errorf("%d answers, all turns taken for %d of them", answers, full)
	}
}

func TestWhoLeavesWhileWaitingCostsNothing(t *testing.T) {
	l := newLane(t, 1, 100)
	first := l.comes("a")
	results := make(chan error, 50)
	var leave []context.CancelFunc
	for range 50 {
		ctx, cancel := context.WithCancel(t.Context())
		leave = append(leave, cancel)
		go func() {
			_, err := l.take(patience{ctx, l.clock.Add(10 * time.Second)}, "chat", "a")
			results <- err
		}()
	}
	waiting := func() int {
		l.mu.Lock()
		defer l.mu.Unlock()

		return l.waiting
	}
	eventually(t, func() bool { return waiting() == 50 }, func() { t.Fatal(waiting()) })
	for _, cancel := range leave {
		cancel()
	}
	for range leave {
		if err := comes(t, results, "the end of one that left"); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	}
	l.mu.Lock()
	if l.waiting != 0 || l.running != 1 || l.counted.GivenUp != 50 || l.counted.Asked != 1 {
		t.Errorf("%+v", l.numbers)
	}
	l.mu.Unlock()
	last := l.comes("a")
	first.answered(time.Millisecond)
	if !last.asked() {
		t.Error("one that stayed is not asked")
	}
}

func TestATurnIsPassedOnWhenItComesToOneThatIsLeaving(t *testing.T) {
	l := newLane(t, 1, 100)
	first, leaving, next, last := l.comes("a"), l.comes("a"), l.comes("a"), l.comes("a")
	leaving.goes() // and its goroutine has not run yet
	first.answered(time.Millisecond)
	if leaving.asked() || !next.asked() {
		t.Fatal("a turn was given to one that had left")
	}
	// The other way round: it got the turn, and its goroutine sees only that its client has left.
	l.leave(next.waiter, context.Canceled)
	if next.asked() || !errors.Is(next.waiter.err, context.Canceled) || !last.asked() || l.numbers.GivenUp != 2 {
		t.Errorf("%v, %v, %+v", next.waiter.err, last.asked(), l.numbers)
	}
}

func TestWhoWouldWaitForTooLongIsRefusedAtOnce(t *testing.T) {
	l := newLane(t, 2, 10_000)
	l.quick(100 * time.Millisecond) // so that 200 are answered in ten seconds
	taken, refused := 0, &busyError{}
	for range 1000 {
		if v := l.comes("herd"); v.err == nil {
			taken++
		} else if !errors.As(v.err, &refused) {
			t.Fatal(v.err)
		}
	}
	if taken < 195 || taken > 205 || l.numbers.RefusedBusy != uint64(1000-taken) {
		t.Errorf("%d of 1000 were let into the line, %+v", taken, l.numbers)
	}
	if refused.retryAfter < time.Second || refused.retryAfter > 11*time.Second || refused.retryAfter%time.Second != 0 {
		t.Errorf("to come again in %s", refused.retryAfter)
	}
	// That is the matter of this address alone.
	if v := l.comes("another"); v.err != nil {
		t.Errorf("another address: %v", v.err)
	}
}

func TestRefusedClientsAreToComeAgainAtDifferentTimes(t *testing.T) {
	l := newLane(t, 1, 10)
	at := make(map[time.Duration]int)
	for range 1000 {
		at[l.busy(9500*time.Millisecond).retryAfter]++
	}
	if len(at) != 10 {
		t.Errorf("%v", at)
	}
	if longest := l.busy(time.Hour).retryAfter; longest > longestRetry+time.Second {
		t.Errorf("%s", longest)
	}
}

func TestWhoseTimeIsAlmostOverIsNotPutToTheSite(t *testing.T) {
	l := newLane(t, 1, 10)
	l.quick(2 * time.Second)
	first, late, next := l.comes("a"), l.comes("b"), l.comes("b")
	l.clock = l.clock.Add(9 * time.Second) // the deadlines of all are in a second
	fresh := l.comes("c")
	first.answered(0)
	if !errors.Is(late.waiter.err, errNoTurn) || !fresh.asked() {
		t.Errorf("%v, and one that has time was asked: %v", late.waiter.err, fresh.asked())
	}
	fresh.answered(0)
	if !errors.Is(next.waiter.err, errNoTurn) || l.numbers.GivenUp != 2 {
		t.Errorf("%v, %+v", next.waiter.err, l.numbers)
	}
}

func TestAnswersThatTookVeryLongAreNotTheLast(t *testing.T) {
	l := newLane(t, 1, 10)
	for range 3 {
		v := l.comes("a")
		if !v.asked() {
			t.Fatal("nobody is asked any more")
		}
		v.answered(time.Minute)
	}
	// Another page of the site is not slow for that.
	if usual := l.usualAnswer("news"); usual.slow() != slowAtLeast {
		t.Errorf("a page that has not been asked yet is slow after %s", usual.slow())
	}
}

func TestWhereTooManyWaitTheLastOfTheLongestQueueMakesRoom(t *testing.T) {
	l := newLane(t, 1, 4)
	l.comes("greedy")
	var greedy []*visitor
	for range 4 {
		greedy = append(greedy, l.comes("greedy"))
	}
	if v := l.comes("greedy"); v.err == nil {
		t.Error("more wait than may")
	}
	a := l.comes("a")
	if busy := new(busyError); a.err != nil || !errors.As(greedy[3].waiter.err, &busy) || !greedy[2].waits() {
		t.Errorf("%v, %v", a.err, greedy[3].waiter.err)
	}
	l.comes("b")
	if v := l.comes("a"); v.err == nil {
		t.Error("the greedy has as many as a would have, and makes room again")
	}
	if l.numbers.Waiting != 4 || l.numbers.RefusedBusy != 4 {
		t.Errorf("%+v", l.numbers)
	}
}

func TestNothingIsSentWhilePHPRestartsAndWhatWasSentBeforeIsForgotten(t *testing.T) {
	l := newLane(t, 2, 10)
	lost := l.comes("a")
	if l.pause() {
		t.Error("idle with a request under way")
	}
	l.pause() // another one asks for it as well
	waiting := l.comes("b")
	if waiting.asked() || l.idle() {
		t.Error("a request was sent into the restart")
	}
	l.restarted()
	l.resume()
	if waiting.asked() {
		t.Error("one of two pauses is over, and a request was sent")
	}
	l.resume()
	if !waiting.asked() || l.numbers.Running != 1 {
		t.Errorf("after the restart: %v, %+v", waiting.asked(), l.numbers)
	}
	lost.answered(time.Hour) // too late to count
	if l.numbers.Running != 1 || l.usual != 0 {
		t.Errorf("%+v, usual %d", l.numbers, l.usual)
	}
}

func TestTheEndOfTheServerRefusesAllThatWait(t *testing.T) {
	l := newLane(t, 1, 10)
	l.comes("a")
	b, c := l.comes("b"), l.comes("b")
	l.stop()
	if !errors.Is(b.waiter.err, errStopping) || !errors.Is(c.waiter.err, errStopping) {
		t.Errorf("%v, %v", b.waiter.err, c.waiter.err)
	}
	if d := l.comes("d"); !errors.Is(d.err, errStopping) || l.numbers.Waiting != 0 {
		t.Errorf("%v, %+v", d.err, l.numbers)
	}
}

func TestALimitOfANewConfigurationCountsAtOnce(t *testing.T) {
	l := newLane(t, 1, 10)
	l.comes("a")
	b, c := l.comes("b"), l.comes("c")
	l.setLimits(2, 10)
	if !b.asked() || c.asked() {
		t.Errorf("%v, %v", b.asked(), c.asked())
	}
}

// check compares what a lane says with what its visitors see.
func (l *lane) check(t *testing.T, all []*visitor, pauses int) {
	t.Helper()
	running, waiting := count(all, (*visitor).asked), count(all, (*visitor).waits)
	if running != l.running || waiting != l.waiting || running > 3 || waiting > 20 || running+waiting != len(all) {
		t.Fatalf("%d asked, %d waiting, %d in all; the lane says %d and %d", running, waiting, len(all), l.running, l.waiting)
	}
	depths, places := 0, 0
	for _, n := range l.deeper {
		depths += n
	}
	for _, q := range l.queues {
		if q.waiting.Len()+len(q.running) == 0 {
			t.Fatal("an address is kept that nobody has")
		}
		if q.place != nil {
			places++
		}
	}
	if depths != waiting || places != l.line.Len() {
		t.Fatalf("%d places for %d waiting, %d addresses in line for %d", depths, waiting, l.line.Len(), places)
	}
	if pauses == 0 && waiting > 0 && running == 0 {
		t.Fatal("somebody waits and nobody is asked")
	}
}

func TestWhateverHappensNobodyIsLostAndTheBoundsHold(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	l := newLane(t, 3, 20)
	var all []*visitor
	pauses := 0
	for range 20_000 {
		switch random.IntN(12) {
		case 0, 1, 2, 3:
			all = append(all, l.comes(fmt.Sprint("address ", random.IntN(6))))
		case 4, 5, 6, 7, 8:
			for _, v := range all {
				if v.asked() {
					v.answered(time.Duration(random.IntN(400)) * time.Millisecond)
					v.waiter = nil

					break
				}
			}
		case 9:
			if len(all) > 0 {
				if v := all[random.IntN(len(all))]; v.waiter != nil {
					v.goes()
					l.leave(v.waiter, context.Canceled)
				}
			}
		case 10:
			l.clock = l.clock.Add(time.Duration(random.IntN(2000)) * time.Millisecond)
		case 11:
			if pauses > 0 {
				l.resume()
				pauses--
			} else if random.IntN(10) == 0 {
				l.pause()
				pauses++
			}
		}
		kept := all[:0]
		for _, v := range all {
			if v.err == nil && v.waiter != nil && v.waiter.err == nil {
				kept = append(kept, v)
			}
		}
		all = kept

		l.check(t, all, pauses)
	}
}

func TestIPv6AddressesAreOneByTheirNetwork(t *testing.T) {
	for _, c := range [][2]string{
		{"192.0.2.1", "192.0.2.1"}, {"::ffff:192.0.2.1", "192.0.2.1"}, {"2001:db8:1:2::1", "2001:db8:1:2::"},
		{"2001:db8:1:2:ffff::9", "2001:db8:1:2::"}, {"fe80::1%eth0", "fe80::"}, {"", ""}, {"@", ""},
	} {
		if got := neighbourhood(c[0]); got != c[1] {
			t.Errorf("%s: %q, want %q", c[0], got, c[1])
		}
	}
}
