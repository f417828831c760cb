package websocket

import (
	"math/rand/v2"
	"time"
)

// This file is who waits in turns, and who is next. All of it is called with its lock held.

// smoothed is a time that is measured again and again; 0 before the first.
type smoothed time.Duration

// measure takes a time in. One that is very long says little of the next.
func (s *smoothed) measure(took time.Duration) {
	if usual := time.Duration(*s); usual == 0 {
		*s = smoothed(took)
	} else {
		*s += smoothed(min(took, slowAnswer*usual)-usual) / 8
	}
}

// slow is from when on an answer is a slow one.
func (s *smoothed) slow() time.Duration {
	return max(slowAnswer*time.Duration(*s), slowAtLeast)
}

// makeRoom refuses another waiter of q if its turn would come too late, or if too many wait. In the second case the last
// one of the longest queue makes room for an address that has fewer waiting. When nothing is under way, nobody is refused:
// else an answer that took very long would be the last.
func (t *turns) makeRoom(q *turnQueue, left time.Duration) error {
	wait := t.wait(q)
	if (t.running > 0 || t.waiting > 0) && wait > left {
		return t.busy(wait)
	}
	if t.waiting < t.mostWaiting {
		return nil
	}

	longest := t.longest()
	if longest.waiting.Len() <= q.waiting.Len()+1 {
		return t.busy(wait)
	}
	t.counted.RefusedBusy++
	t.settle(longest.waiting.Back().Value.(*waiter), nil, t.busy(wait))

	return nil
}

// wait is how long another waiter of q would wait. Addresses take turns, so that it waits behind those of its own, and
// behind as many of each other address.
func (t *turns) wait(q *turnQueue) time.Duration {
	ahead := 1
	for _, queues := range t.deeper[:min(q.waiting.Len()+1, len(t.deeper))] {
		ahead += queues
	}

	return time.Duration(t.usual) * time.Duration(ahead) / time.Duration(t.most)
}

// busy is a refusal. The clients that are refused are to come back over the time that the others take, and not at once.
func (t *turns) busy(wait time.Duration) *busyError {
	seconds := int64(min(wait, longestRetry)/time.Second) + 1

	return &busyError{retryAfter: time.Duration(rand.Int64N(seconds)+1) * time.Second, waiting: t.waiting}
}

// longest is the queue with the most waiting. It is asked for only when no more may wait.
func (t *turns) longest() *turnQueue {
	var longest *turnQueue
	for place := t.line.Front(); place != nil; place = place.Next() {
		q := place.Value.(*turnQueue)
		if longest == nil || q.waiting.Len() > longest.waiting.Len() {
			longest = q
		}
	}

	return longest
}

// push puts a waiter at the end of its queue.
func (t *turns) push(w *waiter) {
	q := w.queue
	if depth := q.waiting.Len(); depth < len(t.deeper) {
		t.deeper[depth]++
	} else {
		t.deeper = append(t.deeper, 1)
	}
	w.place = q.waiting.PushBack(w)
	t.waiting++
	if q.place == nil {
		q.place = t.line.PushBack(q)
	}
}

// settle takes a waiter out of its queue and tells it why.
func (t *turns) settle(w *waiter, turn *turn, err error) {
	q := w.queue
	q.waiting.Remove(w.place)
	w.place = nil
	t.waiting--
	t.deeper[q.waiting.Len()]--
	for last := len(t.deeper) - 1; last >= 0 && t.deeper[last] == 0; last-- {
		t.deeper = t.deeper[:last]
	}
	if q.waiting.Len() == 0 {
		t.line.Remove(q.place)
		q.place = nil
	}

	w.turn, w.err = turn, err
	close(w.settled)
}

// tooLate tells whether a waiter has waited for so long that nobody would be there for the answer. One that came a moment
// ago is not too late, however long an answer takes: it may be quicker this time.
func (w *waiter) tooLate(now time.Time, usual time.Duration) bool {
	return w.deadline.Sub(now) < min(usual, w.deadline.Sub(w.came)/2)
}

// usualAnswer is how long an answer for a route takes.
func (t *turns) usualAnswer(route string) *smoothed {
	usual := t.usualOf[route]
	if usual == nil {
		usual = new(smoothed)
		t.usualOf[route] = usual
	}

	return usual
}

// next is the first queue in line that may have one more request with the site.
func (t *turns) next() *turnQueue {
	for place := t.line.Front(); place != nil; place = place.Next() {
		if q := place.Value.(*turnQueue); len(q.running) < t.allowance(q) {
			return q
		}
	}

	return nil
}

// allowance is how many requests of an address may be with the site at a time. One that is slow is likely to wait for a lock
// or for another server, and those behind it may do the same, or may not: each slow one allows one more, but all of them
// must leave turns for other addresses.
func (t *turns) allowance(q *turnQueue) int {
	now, slow := t.now(), 0
	for slow < len(q.running) && now.Sub(q.running[slow].began) > q.running[slow].usual.slow() {
		slow++
	}

	allowed := 1 + q.quick/quickAnswers
	half := max(1, min((t.most+1)/2, t.most-1))
	switch {
	case slow == 0:
		return allowed
	case slow < half:
		return min(allowed+slow, max(1, t.most-1))
	default:
		return 0
	}
}

// lookAgain looks soon whether an address may have more turns, if there are some and everybody waits because of allowances:
// they grow with time.
func (t *turns) lookAgain() {
	if t.looking || t.waiting == 0 || t.running >= t.most || t.pauses > 0 {
		return
	}
	t.looking = true
	time.AfterFunc(slowAtLeast, func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.looking = false
		t.dispatch()
		t.tell()
	})
}
