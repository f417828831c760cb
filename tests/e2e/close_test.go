package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
)

// closing is a site with a worker that ends its clients as they ask (testdata/close.php).
func closing(tls bool) site {
	return site{
		tls: tls,
		global: `
	frankenphp {
		worker {
			name close
			file $TESTDATA/close.php
			num 2
		}
	}`,
		body: `
	websocket /ws {
		worker close
		close_timeout 500ms
	}
	websocket /strict {
		name strict
		worker close
		close_timeout 500ms
		on_error close
	}`,
	}
}

// flood sends numbered messages as fast as they are taken, until the connection is over or they are all sent. Nobody reads.
func flood(r *raw) {
	for n := 0; n < 20_000; n += 50 {
		var batch []byte
		for i := n; i < n+50; i++ {
			batch = append(batch, text(fmt.Sprint(i))...)
		}
		if _, err := r.Write(batch); err != nil {
			return
		}
	}
}

// firstMessage is the id, which the worker sends at first.
func (r *raw) firstMessage(t *testing.T) string {
	t.Helper()
	_, opcode, payload, err := r.readFrame()
	if err != nil || opcode != opText {
		t.Fatalf("opcode %#x, %q (%v), want a text", opcode, payload, err)
	}
	return string(payload)
}

// types are the events of a connection in short, messages by their data.
func types(events []event) string {
	var all []string
	for _, e := range events {
		switch e.Type {
		case "message":
			all = append(all, e.Data)
		case "close":
			all = append(all, fmt.Sprintf("close %d", e.Code))
		default:
			all = append(all, e.Type)
		}
	}
	return strings.Join(all, " ")
}

func TestNothingOfAClientThatPHPHasClosedReachesPHPButItsCloseEvent(t *testing.T) {
	t.Parallel()
	for _, tls := range []bool{false, true} {
		s := start(t, closing(tls))
		for _, c := range []struct {
			path, how string
			code      int
			ended     bool // the script goes on, and has seen what can be done then
		}{
			{"/ws", "close", 4001, true},
			{"/ws", "kill", 1006, true},
			{"/ws", "closekill", 4001, true},
			{"/strict", "fail", 1011, true},
			{"/strict", "throw", 1011, false},
			{"/strict", "exit", 1011, false},
			{"/strict", "fatal", 1011, false},
		} {
			t.Run(fmt.Sprintf("%s, over TLS: %v", c.how, s.secure), func(t *testing.T) {
				const clients = 4
				ids := make([]string, clients)
				var all sync.WaitGroup
				for i := range clients {
					r := dialRaw(t, s.addr, c.path+"?how="+c.how, "")
					ids[i] = r.firstMessage(t)
					all.Go(func() { flood(r) })
				}
				for _, id := range ids {
					if got := s.closeEvent(id); got.Code != c.code {
						t.Errorf("close event %+v, want code %d", got, c.code)
					}
				}
				all.Wait()
				expect(t, "connections", 0, func() int { return s.stat("connections_known") })
				for _, id := range ids {
					want := fmt.Sprintf("open 0 1 2 3 4 5 6 7 8 9 10 close %d", c.code)
					if got := types(s.events(id)); got != want {
						t.Errorf("PHP was told %.300s, want %s", got, want)
					}
				}
				if c.ended {
					s.checkAfter(t, ids)
				}
			})
		}
		received, handled := s.stat("messages_received"), 0
		for _, e := range s.events("") {
			if e.Type == "message" {
				handled++
			}
		}
		if discarded := s.stat("messages_discarded"); received != handled+discarded || discarded == 0 {
			t.Errorf("%d received, %d handled, %d discarded", received, handled, discarded)
		}
		if records := s.log.records("messages of a client are thrown away"); len(records) == 0 {
			t.Error("the log does not say that messages were thrown away")
		}
	}
}

// checkAfter checks what PHP could do with clients right after it had ended them.
func (s *server) checkAfter(t *testing.T, ids []string) {
	t.Helper()
	found := map[string]bool{}
	for _, line := range s.lines("after") {
		var after struct {
			ID                      string
			Send, Listed, Connected bool
			Group, Tag, Expression  int
		}
		if err := json.Unmarshal([]byte(line), &after); err != nil {
			t.Fatal(err)
		}
		found[after.ID] = true
		if after.Send || after.Listed || after.Connected || after.Group+after.Tag+after.Expression > 0 {
			t.Errorf("after the end: %s", line)
		}
	}
	for _, id := range ids {
		if !found[id] {
			t.Errorf("nothing is known of %s", id)
		}
	}
}

func TestAClientWhoseFirstEventFailsIsClosedWhateverOnErrorSays(t *testing.T) {
	t.Parallel()
	s := start(t, closing(false))
	for _, path := range []string{"/ws", "/strict"} {
		for how, code := range map[string]int{"fail": 1011, "throw": 1011, "exit": 1011, "fatal": 1011, "close": 4001, "kill": 1006} {
			query := "open=" + how + "&on=" + path[1:]
			r := dialRaw(t, s.addr, path+"?"+query, string(text("0"))+string(text("1")))
			go flood(r)
			var id string
			eventually(t, func() error {
				for _, e := range s.events("") {
					if e.Query == query {
						id = e.ID
						return nil
					}
				}
				return fmt.Errorf("no open event")
			})
			if got := s.closeEvent(id); got.Code != code {
				t.Errorf("%s: close event %+v, want code %d", how, got, code)
			}
			r.Close()
			expect(t, "connections", 0, func() int { return s.stat("connections_known") })
			if got, want := types(s.events(id)), fmt.Sprintf("open close %d", code); got != want {
				t.Errorf("%s %s: PHP was told %.300s, want %s", path, how, got, want)
			}
		}
	}
	if records := s.log.records("PHP failed on a WebSocket event", `"on_error":"close"`, `"event":"open"`); len(records) != 8 {
		t.Errorf("%d records of failed open events, want 8", len(records))
	}
}

func TestNothingOfAClientThatAnybodyElseHasClosedReachesPHPButItsCloseEvent(t *testing.T) {
	t.Parallel()
	for _, tls := range []bool{false, true} {
		s := start(t, closing(tls))
		for query, code := range map[string]int{"": 1000, "?code=4002": 4002, "?kill": 1006} {
			r := dialRaw(t, s.addr, "/ws", "")
			id := r.firstMessage(t)
			go flood(r)
			count := func() int { return len(s.events(id)) }
			eventually(t, func() error {
				if n := count(); n < 20 {
					return fmt.Errorf("%d events", n)
				}
				return nil
			})
			if status, answer := s.do(http.MethodDelete, "http://"+s.admin+"/websocket/clients/"+id+query, "", nil); status != http.StatusOK {
				t.Fatalf("%d %s", status, answer)
			}
			// One was being handled, perhaps.
			most := count() + 1
			if got := s.closeEvent(id); got.Code != code {
				t.Errorf("close event %+v, want code %d", got, code)
			}
			r.Close()
			expect(t, "connections", 0, func() int { return s.stat("connections_known") })
			if got := count(); got > most+1 {
				t.Errorf("%d events after the close, want the close event", got-most)
			}
		}
	}
}

// answersClose waits for the server's close frame, and answers it.
func answersClose(t *testing.T, r *raw, body string) {
	r.wantFrame(t, opClose, body)
	r.send(t, frame(true, opClose, []byte(body)))
	r.wantEnd(t)
}

// untilTen sends eleven messages: the worker ends the connection at one of them.
func untilTen(t *testing.T, r *raw) {
	for n := range 11 {
		r.send(t, text(fmt.Sprint(n)))
	}
}

// endsOfConnections are the ways in which a connection ends (how is what the worker does), and the close event of each.
var endsOfConnections = []struct {
	what, how string
	end       func(t *testing.T, r *raw)
	want      event
}{
	{"the client closed", "", func(t *testing.T, r *raw) {
		r.send(t, frame(true, opClose, []byte(closeBody(4000, "done"))))
		r.wantEndAfterClose(t)
	}, event{Code: 4000, Reason: "done", Clean: true}},
	{"the client closed without a code", "", func(t *testing.T, r *raw) {
		r.send(t, frame(true, opClose, nil))
		r.wantEndAfterClose(t)
	}, event{Code: 1005, Clean: true}},
	{"the client is gone", "", func(t *testing.T, r *raw) { r.reset(t) },
		event{Code: 1006, Reason: "the connection was cut without a close frame"}},
	{"the server closed, and the client answered", "close", func(t *testing.T, r *raw) {
		untilTen(t, r)
		answersClose(t, r, closeBody(4001, "enough"))
	}, event{Code: 4001, Reason: "enough", Clean: true}},
	{"the server closed, and the client is gone", "close", func(t *testing.T, r *raw) {
		untilTen(t, r)
		r.wantFrame(t, opClose, closeBody(4001, "enough"))
		r.reset(t)
	}, event{Code: 4001, Reason: "the connection was cut before the closing handshake was complete"}},
	{"the server closed, and the client did not answer", "close", func(t *testing.T, r *raw) {
		untilTen(t, r)
		r.wantFrame(t, opClose, closeBody(4001, "enough"))
		_, _ = io.Copy(io.Discard, r)
	}, event{Code: 4001, Reason: "the client did not answer the close frame"}},
	{"the server closed, and the client closed with another code", "close", func(t *testing.T, r *raw) {
		untilTen(t, r)
		r.wantFrame(t, opClose, closeBody(4001, "enough"))
		r.send(t, frame(true, opClose, []byte(closeBody(4002, "me too"))))
		r.wantEnd(t)
	}, event{Code: 4001, Reason: "enough", Clean: true}},
	{"killConnection()", "kill", func(t *testing.T, r *raw) {
		untilTen(t, r)
		_, _ = io.Copy(io.Discard, r)
	}, event{Code: 1006, Reason: "the server cut the connection"}},
	{"the client broke the protocol", "", func(t *testing.T, r *raw) {
		r.send(t, []byte{0x83, 0x80, 0, 0, 0, 0})
		r.wantEndAfterClose(t)
	}, event{Code: 1002, Reason: "opcode 3 is reserved"}},
	{"the server closed, and the client broke the protocol", "close", func(t *testing.T, r *raw) {
		untilTen(t, r)
		r.wantFrame(t, opClose, closeBody(4001, "enough"))
		r.send(t, []byte{0x83, 0x80, 0, 0, 0, 0})
		_, _ = io.Copy(io.Discard, r)
	}, event{Code: 4001, Reason: "opcode 3 is reserved"}},
}

// The table of docs/php.md.
func TestTheCodeOfACloseEventIsThatOfTheFirstCloseFrame(t *testing.T) {
	t.Parallel()
	s := start(t, closing(false))
	for _, row := range endsOfConnections {
		t.Run(row.what, func(t *testing.T) {
			r := dialRaw(t, s.addr, "/ws?how="+row.how, "")
			id := r.firstMessage(t)
			row.end(t, r)
			got := s.closeEvent(id)
			if got.Code != row.want.Code || got.Reason != row.want.Reason || got.Clean != row.want.Clean {
				t.Errorf("code %d, reason %q, clean %v; want %d, %q, %v",
					got.Code, got.Reason, got.Clean, row.want.Code, row.want.Reason, row.want.Clean)
			}
		})
	}
}

// wantEndAfterClose reads the close frame, whatever it says, and the end.
func (r *raw) wantEndAfterClose(t *testing.T) {
	t.Helper()
	if _, opcode, _, err := r.readFrame(); err != nil || opcode != opClose {
		t.Fatalf("opcode %#x (%v), want a close frame", opcode, err)
	}
	r.wantEnd(t)
}
