package e2e

import (
	"fmt"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// ended waits until the server has ended.
func (s *server) ended() {
	s.t.Helper()
	select {
	case <-s.exited:
	case <-time.After(2 * bound):
		s.t.Fatalf("the server has not ended within %s", 2*bound)
	}
	if s.err != nil {
		s.t.Errorf("the server ended with %v", s.err)
	}
}

func TestSIGTERMClosesWith1001AndDeliversTheCloseEvents(t *testing.T) {
	t.Parallel()
	s := start(t, lab())
	ids := make([]string, 20)
	var all sync.WaitGroup
	for i := range ids {
		c, facts := dialLab(t, s, "/lab", nil)
		ids[i] = facts.ID
		all.Go(func() {
			_, message, err := c.tryReceive()
			if websocket.CloseStatus(err) != websocket.StatusGoingAway {
				t.Errorf("received %q, then %v; want close code 1001", message, err)
			}
		})
	}
	core := dial(t, s, "/core", nil)
	s.signal(syscall.SIGTERM)
	core.wantClose(t, websocket.StatusGoingAway)
	all.Wait()
	s.ended()
	for _, id := range ids {
		if got := s.closeEvent(id); got.Code != 1001 {
			t.Errorf("PHP was told %+v", got)
		}
	}
}

func TestSIGTERMIsNotHeldUpByClientsThatNeverRead(t *testing.T) {
	t.Parallel()
	want := lab()
	want.body = strings.Replace(want.body, "worker lab\n", "worker lab\n\t\tslow_client drop_newest\n", 1)
	s := start(t, want)
	for range 5 {
		r := dialRaw(t, s.addr, "/lab", "")
		if err := r.socket().SetReadBuffer(4096); err != nil {
			t.Fatal(err)
		}
		r.send(t, text("flood 16384")) // far more than the kernel takes
	}
	reads, facts := dialLab(t, s, "/lab", nil)
	// Everything that PHP was told to send has been sent, into outboxes that nobody empties.
	expect(t, "messages that PHP has handled", 6+5, func() int {
		_, acknowledged, _, _ := s.settled()
		return acknowledged
	})
	s.signal(syscall.SIGTERM)
	reads.wantClose(t, websocket.StatusGoingAway)
	s.ended()
	s.closeEvent(facts.ID)
}

func TestSIGTERMIsHeldUpByAHandlerThatHangsNoLongerThanFrankenPHPLets(t *testing.T) {
	if testing.Short() {
		t.Skip("FrankenPHP waits 30 seconds for a thread that hangs")
	}
	t.Parallel()
	s := start(t, lab())
	c, facts := dialLab(t, s, "/lab", nil)
	c.send(t, "sleep 60000")
	eventually(t, func() error {
		if len(s.events(facts.ID)) < 2 {
			return fmt.Errorf("PHP has not begun to sleep")
		}
		return nil
	})
	s.signal(syscall.SIGTERM)
	c.wantClose(t, websocket.StatusGoingAway)
	s.ended()
}

func TestSIGTERMWaitsUntilPHPHasHandledWhatClientsHaveSent(t *testing.T) {
	t.Parallel()
	s := start(t, lab())
	const messages = 20
	c, facts := dialLab(t, s, "/lab", nil)
	for range messages {
		c.send(t, "sleep 50")
	}
	expect(t, "messages that the server has read", messages, func() int { return s.stat("messages_received") })
	if begun := len(s.events(facts.ID)); begun > messages {
		t.Fatalf("PHP has begun %d events: none waits any more", begun)
	}
	s.signal(syscall.SIGTERM)
	for range messages {
		c.want(t, "slept")
	}
	c.wantClose(t, websocket.StatusGoingAway)
	s.ended()
	events := s.events(facts.ID)
	if len(events) != 1+messages+1 || events[len(events)-1].Type != "close" {
		t.Errorf("PHP has handled %d events, the last one %+v", len(events), events[len(events)-1])
	}
	if records := s.log.records("messages of a client are thrown away"); len(records) != 0 {
		t.Error(records)
	}
}

func TestMessagesThatPHPHasNotBegunInTimeAreThrownAwayAtSIGTERMAndTheLogSaysSo(t *testing.T) {
	t.Parallel()
	s := start(t, lab())
	c, facts := dialLab(t, s, "/lab", nil)
	// Longer than half of the five seconds, so that the last one waits when the clients are closed; and not so long that its close event
	// could not be handled.
	c.send(t, "sleep 3000")
	c.send(t, "never")
	expect(t, "messages that the server has read", 2, func() int { return s.stat("messages_received") })
	s.signal(syscall.SIGTERM)
	c.wantClose(t, websocket.StatusGoingAway)
	s.ended()
	for _, e := range s.events(facts.ID) {
		if e.Data == "never" {
			t.Error("PHP was told of it after the close")
		}
	}
	if got := s.closeEvent(facts.ID); got.Code != 1001 {
		t.Errorf("PHP was told %+v", got)
	}
	if records := s.log.records("messages of a client are thrown away", `"messages":1`); len(records) != 1 {
		t.Errorf("the log has %d records of it", len(records))
	}
}

func TestTheLogOfTheEndOfTheServerTellsCloseEventsThatWaitFromClientsThatAreCut(t *testing.T) {
	t.Parallel()
	s := start(t, site{
		global: "\tfrankenphp {\n\t\tworker {\n\t\t\tname stuck\n\t\t\tfile $DIR/stuck.php\n\t\t\tnum 1\n\t\t}\n\t}",
		body:   "\twebsocket /stuck {\n\t\tworker stuck\n\t}",
		files: map[string]string{"stuck.php": `<?php
while (frankenphp_handle_request(static function (): void {
    while (($event = frankenphp_ws_nextEvent()) !== null) {
        while ($event['type'] === 'message' && !file_exists('$DIR/go')) {
            usleep(10000);
        }
    }
})) {
}
`},
	})
	clients := make([]*client, 4)
	for i := range clients {
		clients[i] = dial(t, s, "/stuck", nil)
	}
	expect(t, "open events that PHP has handled", len(clients), func() int { return s.stat("events_acknowledged") })
	clients[0].send(t, "hang")
	expect(t, "messages that PHP has begun", len(clients)+1, func() int { return s.stat("events_delivered") })
	s.signal(syscall.SIGTERM)
	for _, c := range clients {
		c.wantClose(t, websocket.StatusGoingAway)
	}
	eventually(t, func() error {
		if len(s.log.records("PHP did not handle the close events of WebSocket connections in time", fmt.Sprintf(`"connections":%d`, len(clients)))) == 0 {
			return fmt.Errorf("the log does not tell of the close events")
		}
		return nil
	})
	s.writeFile("go", "")
	s.ended()
	for _, untrue := range []string{"connections are cut", "worker is gone"} {
		if records := s.log.records(untrue); len(records) != 0 {
			t.Errorf("every client was closed with 1001, and the worker is there, but the log says %s", records)
		}
	}
}
