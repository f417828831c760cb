package e2e

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// herd is what `make herd` scales up by FWS_HERD=<clients>,<milliseconds of the script>,<threads of PHP>.
type herd struct {
	clients, ms, threads int
	patience, pause      time.Duration // how long a client waits for an answer, and then before it comes again
	report               bool
}

func herdFromEnvironment(t *testing.T) herd {
	t.Helper()
	h := herd{clients: 300, ms: 2, threads: 4, patience: 300 * time.Millisecond, pause: 100 * time.Millisecond}
	if scale := os.Getenv("FWS_HERD"); scale != "" {
		if _, err := fmt.Sscanf(scale, "%d,%d,%d", &h.clients, &h.ms, &h.threads); err != nil {
			t.Fatalf("FWS_HERD=%s: %v", scale, err)
		}
		h.patience, h.pause, h.report = 5*time.Second, time.Second, true
	}
	return h
}

// attempts counts how a herd's attempts ended.
type attempts struct{ in, impatient, refused, failed atomic.Int64 }

// join tries until the client is in, and returns its connection.
func (h herd) join(ctx context.Context, s *server, request string, count *attempts) *raw {
	for ctx.Err() == nil {
		r, err := dialTCP(s.addr)
		if err != nil {
			count.failed.Add(1)
			time.Sleep(h.pause)
			continue
		}
		r.SetDeadline(time.Now().Add(h.patience))
		if _, err = io.WriteString(r, request); err == nil {
			r.response, err = http.ReadResponse(r.in, nil)
		}
		switch {
		case err != nil:
			count.impatient.Add(1)
		case r.response.StatusCode == http.StatusSwitchingProtocols:
			count.in.Add(1)
			return r
		default:
			count.refused.Add(1)
		}
		r.Close()
		time.Sleep(h.pause)
	}
	return nil
}

// visits requests an ordinary page again and again, and returns how long the slowest one took.
func visits(ctx context.Context, s *server, count *atomic.Int64) (slowest time.Duration, err error) {
	for ctx.Err() == nil {
		began := time.Now()
		response, err := s.client.Get(s.url("/hello.php"))
		if err != nil {
			return slowest, err
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil || string(body) != "hello" {
			return slowest, fmt.Errorf("%s %q %w", response.Status, body, err)
		}
		slowest = max(slowest, time.Since(began))
		count.Add(1)
		time.Sleep(20 * time.Millisecond)
	}
	return slowest, nil
}

// comes lets all clients try at once, and returns the connections of those that are in.
func (h herd) comes(ctx context.Context, s *server, count *attempts, began time.Time, before int) []*raw {
	var wg sync.WaitGroup
	members := make([]*raw, h.clients)
	for n := range members {
		wg.Go(func() {
			ip := "127.0.0.1" // all of them, as behind a proxy that nobody trusts
			members[n] = h.join(ctx, s, upgradeRequest(s.addr, fmt.Sprint("/ws?ms=", h.ms), "X-Forwarded-For: "+ip), count)
		})
	}
	if h.report {
		go h.watch(ctx, s, count, began, before)
	}
	wg.Wait()
	return members
}

func TestAHerdOfClientsThatGiveUpAndComeAgainGetsIn(t *testing.T) {
	h := herdFromEnvironment(t)
	if !h.report {
		t.Parallel()
	}
	s := start(t, herded(h.threads))
	knocking(t, s, "192.0.2.1", fmt.Sprint("ms=", h.ms)).wantIn(t)
	idle, before := s.resources(), s.memory()

	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	visiting, stop := context.WithCancel(ctx)
	var pages atomic.Int64
	slowest := make(chan time.Duration, 1)
	go func() {
		took, err := visits(visiting, s, &pages)
		if err != nil {
			t.Errorf("an ordinary page: %v", err)
		}
		slowest <- took
	}()

	var count attempts
	began := time.Now()
	members := h.comes(ctx, s, &count, began, before)
	took := time.Since(began)
	stop()
	worst := <-slowest
	for _, r := range members {
		if r == nil {
			t.Fatalf("only %d of %d are in after %s", count.in.Load(), h.clients, took)
		}
		defer r.Close()
	}

	runs, given, busy := s.value("runs"), s.stat("authorize_given_up"), s.stat("authorize_refused_busy")
	turns := 1
	for s.value(fmt.Sprint("at once ", turns+1)) == 1 {
		turns++
	}
	if most := h.threads - 1; turns > most {
		t.Errorf("%d scripts ran at once, of %d threads", turns, h.threads)
	}
	if pages.Load() == 0 {
		t.Error("no ordinary page was served meanwhile")
	}
	// Whom PHP was asked about, it let in, but for those that gave up while it ran.
	if wasted := runs - 1 - h.clients; wasted > given {
		t.Errorf("%d scripts ran for nobody, and %d clients gave up", wasted, given)
	}
	if h.report {
		pure := time.Duration(h.clients*h.ms/turns) * time.Millisecond
		t.Logf("herd: %d clients in %s, %.2f times the pure time of PHP (%s with %d at once); %d scripts ran for nobody; %d gave up, %d were refused; slowest of %d pages: %s; at rest: %+v, %d MB",
			h.clients, took.Round(time.Millisecond), float64(took)/float64(pure), pure, turns, runs-1-h.clients, given, busy, pages.Load(), worst.Round(time.Millisecond), idle, before>>20)
	}
}

// watch prints what the server takes while a herd waits.
func (h herd) watch(ctx context.Context, s *server, count *attempts, began time.Time, before int) {
	for ctx.Err() == nil {
		time.Sleep(2 * time.Second)
		if count.in.Load() == int64(h.clients) {
			return
		}
		waiting, running, now := s.stat("authorize_waiting"), s.stat("authorize_running"), s.resources()
		s.t.Logf("herd: after %s %d are in, %d wait, %d with PHP; %d goroutines, %d threads, %d descriptors, %d MB more than at rest",
			time.Since(began).Round(time.Second), count.in.Load(), waiting, running, now.goroutines, now.threads, now.fds, (s.memory()-before)>>20)
	}
}
