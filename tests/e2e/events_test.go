package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/coder/websocket"
)

func TestTheOpenEventCarriesTheFactsOfTheHandshake(t *testing.T) {
	t.Parallel()
	want := lab()
	want.body = strings.Replace(want.body, "worker lab\n", "worker lab\n\t\tsubprotocols chat.v2 chat.v1\n", 1)
	s := start(t, want)
	c, facts := dialLab(t, s, "/lab?facts=1&name=J%C3%BCrgen", &websocket.DialOptions{
		Subprotocols: []string{"unknown", "chat.v1"},
		HTTPHeader: http.Header{
			"X-Plain": {"value"},
			"X-Twice": {"one", "two"},
			"Cookie":  {"session=abc; name=J%C3%BCrgen%20M", "last=1+1"},
		},
	})
	if got := c.Subprotocol(); got != "chat.v1" {
		t.Errorf("the client was told subprotocol %q", got)
	}
	for what, pair := range map[string][2]string{
		"type":           {facts.Type, "open"},
		"route":          {facts.Route, "lab"},
		"path":           {facts.Path, "/lab"},
		"query":          {facts.Query, "facts=1&name=J%C3%BCrgen"},
		"ip":             {facts.IP, "127.0.0.1"},
		"subprotocol":    {facts.Subprotocol, "chat.v1"},
		"x-plain":        {facts.Headers["x-plain"], "value"},
		"x-twice":        {facts.Headers["x-twice"], "one, two"},
		"host":           {facts.Headers["host"], s.addr},
		"session cookie": {facts.Cookies["session"], "abc"},
		"name cookie":    {facts.Cookies["name"], "Jürgen M"},
		"last cookie":    {facts.Cookies["last"], "1+1"},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s: %q, want %q", what, pair[0], pair[1])
		}
	}

	_, plain := dialLab(t, s, "/lab", nil)
	if plain.Subprotocol != "" || len(plain.Cookies) != 0 {
		t.Errorf("without any: subprotocol %q, cookies %v", plain.Subprotocol, plain.Cookies)
	}
	if plain.ID == facts.ID {
		t.Error("two connections have one id")
	}
}

func TestEventsOfAConnectionArriveInOrderOnHoweverManyThreads(t *testing.T) {
	t.Parallel()
	s := start(t, lab())
	const connections, messages = 20, 1000
	ids := make([]string, connections)
	var all sync.WaitGroup
	for i := range connections {
		c, facts := dialLab(t, s, "/lab", nil)
		ids[i] = facts.ID
		all.Go(func() {
			for n := range messages {
				if err := c.trySend(websocket.MessageText, fmt.Sprint(n)); err != nil {
					t.Errorf("sending: %v", err)
					return
				}
			}
		})
		all.Go(func() {
			for n := range messages {
				if _, got, err := c.tryReceive(); err != nil || got != fmt.Sprint(n) {
					t.Errorf("reply %d: %q (%v)", n, got, err)
					return
				}
			}
			c.Close(websocket.StatusNormalClosure, "")
		})
	}
	all.Wait()
	for _, id := range ids {
		s.closeEvent(id)
	}
	threads := map[string]bool{}
	byID := map[string][]event{}
	for _, e := range s.events("") {
		threads[e.Thread] = true
		byID[e.ID] = append(byID[e.ID], e)
	}
	for _, id := range ids {
		events := byID[id]
		if len(events) != messages+2 || events[0].Type != "open" || events[messages+1].Type != "close" {
			t.Fatalf("%d events, want an open, %d messages and a close", len(events), messages)
		}
		for n, e := range events[1 : messages+1] {
			if e.Type != "message" || e.Data != fmt.Sprint(n) {
				t.Fatalf("event %d is %s %q", n, e.Type, e.Data)
			}
		}
	}
	if len(threads) < 2 {
		t.Errorf("%d thread of 2 was given events", len(threads))
	}
}

func TestTheCloseEventTellsCodeReasonAndWhetherItWasClean(t *testing.T) {
	t.Parallel()
	s := start(t, lab())
	for _, test := range []struct {
		name string
		end  func(t *testing.T, r *raw)
		want event
	}{
		{"a client that closes with code and reason", func(t *testing.T, r *raw) {
			r.send(t, frame(true, opClose, []byte(closeBody(4000, "fertig, Jürgen"))))
			if _, opcode, _, err := r.readFrame(); err != nil || opcode != opClose {
				t.Fatalf("opcode %#x (%v), want a close frame", opcode, err)
			}
		}, event{Code: 4000, Reason: "fertig, Jürgen", Clean: true}},
		{"a client that closes without a code", func(t *testing.T, r *raw) {
			r.send(t, frame(true, opClose, nil))
			r.wantFrame(t, opClose, "")
		}, event{Code: 1005, Clean: true}},
		{"PHP that closes", func(t *testing.T, r *raw) {
			r.send(t, text("close 4001 time to go"))
			r.wantFrame(t, opClose, closeBody(4001, "time to go"))
			r.send(t, frame(true, opClose, []byte(closeBody(4001, ""))))
			r.wantEnd(t)
		}, event{Code: 4001, Reason: "time to go", Clean: true}},
		{"a client that is cut off", func(t *testing.T, r *raw) {
			r.reset(t)
		}, event{Code: 1006}},
		{"a client that is cut off in the middle of a frame", func(t *testing.T, r *raw) {
			r.send(t, text("whole"), text("cut here")[:9])
			r.wantFrame(t, opText, "whole")
			r.reset(t)
		}, event{Code: 1006}},
		{"a client that ends the stream without a closing handshake", func(t *testing.T, r *raw) {
			r.Close()
		}, event{Code: 1006}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := dialRaw(t, s.addr, "/lab?facts", "")
			_, _, payload, err := r.readFrame()
			if err != nil {
				t.Fatal(err)
			}
			_, id, _ := strings.Cut(string(payload), `"id":"`)
			id, _, _ = strings.Cut(id, `"`)
			test.end(t, r)
			got := s.closeEvent(id)
			// Of a connection that was cut, the core says in its own words how far the closing handshake had come.
			if got.Code != test.want.Code || got.Clean && got.Reason != test.want.Reason || got.Clean != test.want.Clean {
				t.Errorf("code %d, reason %q, clean %v; want %d, %q, %v",
					got.Code, got.Reason, got.Clean, test.want.Code, test.want.Reason, test.want.Clean)
			}
			expect(t, "connections", 0, func() int { return s.stat("connections") })
		})
	}
}

func TestASlowHandlerStopsNobodyElse(t *testing.T) {
	t.Parallel()
	s := start(t, lab())
	slow, _ := dialLab(t, s, "/lab", nil)
	quick, _ := dialLab(t, s, "/lab", nil)
	slow.send(t, "sleep 2000")
	eventually(t, func() error {
		for _, e := range s.events("") {
			if e.Data == "sleep 2000" {
				return nil
			}
		}
		return fmt.Errorf("PHP has not begun to sleep")
	})
	for n := range 50 {
		quick.send(t, fmt.Sprint(n))
		quick.want(t, fmt.Sprint(n))
	}
	slow.want(t, "slept")
}

func TestAVisitorWhoRequestsTheWorkersPathGetsNothing(t *testing.T) {
	t.Parallel()
	s := start(t, site{
		global: `
	frankenphp {
		worker {
			name open
			file $TESTDATA/public/worker.php
			num 2
		}
	}`,
		body: `
	root $TESTDATA/public
	websocket /ws {
		worker open
	}
	php_server`,
	})
	c := dial(t, s, "/ws", nil)
	c.send(t, "before")
	c.want(t, "before")
	for _, query := range []string{"", "?fws_bell=", "?fws_bell=00000000000000000000000000000000", "?fws_bell=" + strings.Repeat("x", 5000)} {
		if status, body := s.get("/worker.php" + query); status != http.StatusNotFound || body != "no bell" {
			t.Errorf("GET /worker.php%.40s: %d %q", query, status, body)
		}
	}
	c.send(t, "after")
	c.want(t, "after")
	if status, body := s.post("/call.php", "application/json", `{"call":"frankenphp_ws_nextEvent","args":[]}`); status != http.StatusOK ||
		!strings.Contains(body, "OutsideEventLoopException") {
		t.Errorf("nextEvent in an ordinary request: %d %s", status, body)
	}
	if len(s.log.records(`"level":"warn"`, "worker.php")) == 0 {
		t.Error("no warning at load that the worker's file lies under the document root")
	}
}
