package e2e

import (
	"fmt"
	"sync"
	"testing"
)

// openMany connects to /lab and /core by turns, with so many dialers at once.
func openMany(t *testing.T, s *server, connections, dialers int) []*raw {
	t.Helper()
	var mu sync.Mutex // guards open
	var open []*raw
	var all sync.WaitGroup
	for dialer := range dialers {
		all.Go(func() {
			for n := dialer; n < connections; n += dialers {
				path := []string{"/lab", "/core"}[n%2]
				r, err := tryRequest(s.addr, upgradeRequest(s.addr, path))
				if err != nil || r.response.StatusCode != 101 {
					t.Errorf("connection %d: %v", n, err)
					return
				}
				mu.Lock()
				open = append(open, r)
				mu.Unlock()
			}
		})
	}
	all.Wait()
	return open
}

func TestThousandsOfConnectionsThatComeAndGoLeaveNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("opens 2,000 connections")
	}
	t.Parallel()
	s := start(t, lab())
	dial(t, s, "/lab", nil).CloseNow()
	expect(t, "connections", 0, func() int { return s.stat("connections") })
	before := s.resources()

	const connections, dialers = 2000, 40
	open := openMany(t, s, connections, dialers)
	expect(t, "connections", connections, func() int { return s.stat("connections") })
	// Go makes threads for calls into C that run at the same time, and keeps them: no more than there were dialers.
	perConnection := 0
	if s.secure {
		perConnection = connections // whoever reads TLS is a goroutine
	}
	if now := s.resources(); now.goroutines > before.goroutines+perConnection+50 || now.threads > before.threads+dialers {
		t.Errorf("%d connections cost goroutines or threads: %+v, before %+v", connections, now, before)
	}

	for n, r := range open {
		switch n % 3 {
		case 0:
			r.reset(t)
		case 1:
			r.send(t, text("never whole")[:7])
			r.Close()
		default:
			r.Close()
		}
	}
	expect(t, "connections", 0, func() int { return s.stat("connections") })
	eventually(t, func() error {
		now := s.resources()
		if now.fds > before.fds+3 || now.goroutines > before.goroutines+10 || now.threads > before.threads+dialers {
			return fmt.Errorf("%+v, before %+v", now, before)
		}
		return nil
	})
	eventually(t, func() error {
		counts := map[string]int{}
		for _, e := range s.events("") {
			counts[e.Type]++
		}
		if counts["open"] != connections/2+1 || counts["close"] != connections/2+1 {
			return fmt.Errorf("PHP was told of %d opens and %d closes, want %d of each", counts["open"], counts["close"], connections/2+1)
		}
		return nil
	})
}
