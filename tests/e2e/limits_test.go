package e2e

import (
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/coder/websocket"
)

func TestAClientThatSendsFasterThanPHPHandlesIsSlowedDownAndLosesNothing(t *testing.T) {
	t.Parallel()
	want := lab()
	want.body = strings.Replace(want.body, "worker lab\n", "worker lab\n\t\tmax_pending_events 10\n", 1)
	s := start(t, want)
	c, _ := dialLab(t, s, "/lab", nil)
	const messages = 2000
	padding := strings.Repeat("x", 4<<10)
	go func() {
		c.trySend(websocket.MessageText, "sleep 300")
		for n := range messages {
			if c.trySend(websocket.MessageText, fmt.Sprint(n, " ", padding)) != nil {
				return // the reader fails
			}
		}
	}()
	c.want(t, "slept")
	for n := range messages {
		if got := c.receive(t); got != fmt.Sprint(n, " ", padding) {
			t.Fatalf("message %d came back as %.20q", n, got)
		}
	}
	if dropped := s.stat("events_dropped"); dropped != 0 {
		t.Errorf("%d events were dropped", dropped)
	}
}

func TestWhileTooManyEventsWaitClientsThatHaveSomeAreNotReadAndNothingIsLost(t *testing.T) {
	t.Parallel()
	want := lab()
	want.global += "\n\twebsocket {\n\t\tmax_pending_bytes 64KiB\n\t}"
	s := start(t, want)
	const clients, messages = 4, 200
	padding := strings.Repeat("x", 4<<10)
	connected := make([]*client, clients)
	for i := range connected {
		connected[i], _ = dialLab(t, s, "/lab", nil)
	}
	for _, c := range connected {
		go func() {
			c.trySend(websocket.MessageText, "sleep 100")
			for n := range messages {
				if c.trySend(websocket.MessageText, fmt.Sprint(n, " ", padding)) != nil {
					return // the reader fails
				}
			}
		}()
	}
	for _, c := range connected {
		c.want(t, "slept")
		for n := range messages {
			if got := c.receive(t); got != fmt.Sprint(n, " ", padding) {
				t.Fatalf("message %d came back as %.20q", n, got)
			}
		}
	}
	if held, dropped := s.stat("events_held_back"), s.stat("events_dropped"); held == 0 || dropped != 0 {
		t.Errorf("clients were held back %d times, and %d events were dropped", held, dropped)
	}
	if records := s.log.records("max_pending_bytes", `"route":"lab"`); len(records) == 0 {
		t.Error("the log does not tell")
	}
	expect(t, "events that wait", 0, func() int { return s.stat("events_pending_bytes") })
}

func TestAClientThatDoesNotReadFillsItsOwnOutboxAndNobodyElses(t *testing.T) {
	t.Parallel()
	want := lab()
	want.body = strings.Replace(want.body, "worker lab\n", "worker lab\n\t\tmax_outbox 256KB\n\t\tslow_client drop_newest\n", 1)
	s := start(t, want)
	reads, readsFacts := dialLab(t, s, "/lab", nil)
	deaf := dialRaw(t, s.addr, "/lab?facts", "")
	if err := deaf.socket().SetReadBuffer(4096); err != nil {
		t.Fatal(err)
	}
	var deafID string
	request := doors(t, s, "/core")[1]
	for _, id := range request.value(t, "getClients", "lab").([]any) {
		if id != readsFacts.ID {
			deafID = id.(string)
		}
	}
	message := strings.Repeat("x", 64<<10)
	refused := 0
	eventually(t, func() error {
		if request.value(t, "send", deafID, message) == true {
			return fmt.Errorf("everything is still taken")
		}
		refused++
		return nil
	})
	request.want(t, true, "send", readsFacts.ID, "not your fault")
	reads.want(t, "not your fault")
	if got := s.stat("messages_dropped"); got < refused {
		t.Errorf("%d messages counted as dropped, want at least %d", got, refused)
	}
	// A group message reaches those who have room, and says how many.
	request.want(t, 1, "sendAll", message, "lab")
	reads.want(t, message)

	// Once it reads again, it is served again.
	go func() {
		for {
			if _, _, _, err := deaf.readFrame(); err != nil {
				return
			}
		}
	}()
	eventually(t, func() error {
		if request.value(t, "send", deafID, "again") != true {
			return fmt.Errorf("still refused")
		}
		return nil
	})
}

func TestAMessageThatDoesNotFitThePHPMemoryLimitFailsAlone(t *testing.T) {
	t.Parallel()
	want := lab()
	want.global = strings.Replace(want.global, "frankenphp {", "frankenphp {\n\t\tphp_ini memory_limit 8M", 1)
	want.body = strings.Replace(want.body, "worker lab\n", "worker lab\n\t\tmax_message_size 32MB\n", 1)
	s := start(t, want)
	c, facts := dialLab(t, s, "/lab", nil)
	big := strings.Repeat("x", 16<<20)
	for round := range 10 {
		c.send(t, big)
		c.send(t, fmt.Sprint("after ", round))
		c.want(t, fmt.Sprint("after ", round))
	}
	if _, _, failed, dropped := s.settled(); failed != 10 || dropped != 0 {
		t.Errorf("%d failed and %d dropped, want 10 and 0", failed, dropped)
	}
	eventually(t, func() error {
		if len(s.log.records(facts.ID, "Allowed memory size")) == 0 {
			return fmt.Errorf("the cause is not in the log")
		}
		return nil
	})
}

func TestAWorkerThatNeverAsksForEventsIsLoggedWithTheLikelyCause(t *testing.T) {
	t.Parallel()
	s := start(t, site{
		global: "\tfrankenphp {\n\t\tworker {\n\t\t\tname mute\n\t\t\tfile $DIR/mute.php\n\t\t\tnum 1\n\t\t}\n\t}",
		body:   "\twebsocket /ws {\n\t\tworker mute\n\t}",
		files:  map[string]string{"mute.php": "<?php while (frankenphp_handle_request(function () { echo 'what is this?'; })) {}"},
	})
	dial(t, s, "/ws", nil)
	eventually(t, func() error {
		if s.stat("bells_unanswered") < 2 {
			return fmt.Errorf("the worker was not asked again")
		}
		return nil
	})
	eventually(t, func() error {
		if len(s.log.records("mute", "frankenphp_ws_nextEvent")) == 0 {
			return fmt.Errorf("the log does not say what the worker lacks")
		}
		return nil
	})
	// Nobody is asked in a hot loop.
	if rung := s.stat("bells_rung"); rung > 100 {
		t.Errorf("%d bells were rung in vain", rung)
	}
}

func TestMaxRequestsOfFrankenPHPRestartsThreadsAndLosesNothing(t *testing.T) {
	t.Parallel()
	want := lab()
	want.global = strings.Replace(want.global, "frankenphp {", "frankenphp {\n\t\tmax_requests 5", 1)
	s := start(t, want)
	l := startLoad(t, s, 10)
	// Pauses make bells, and bells are what FrankenPHP counts as requests.
	c, _ := dialLab(t, s, "/lab", nil)
	eventually(t, func() error {
		c.send(t, "once more")
		c.want(t, "once more")
		if boots := len(s.lines("boots")); boots < 6 {
			return fmt.Errorf("%d threads have started, want 6", boots)
		}
		return nil
	})
	l.stop()
	if _, _, failed, dropped := s.settled(); failed != 0 || dropped != 0 {
		t.Errorf("%d events failed and %d were dropped", failed, dropped)
	}
}

func TestOfMessagesThatAreBegunAndNotEndedThoseOfWhoeverHoldsMostHaveToGo(t *testing.T) {
	t.Parallel()
	want := compressing()
	want.global += "\n\tservers {\n\t\ttrusted_proxies static 127.0.0.0/8\n\t}\n\twebsocket {\n\t\tmax_unfinished 8MiB\n\t}"
	s := start(t, want)
	from := func(ip string) *raw {
		return dialRaw(t, s.addr, "/core", "", "Sec-WebSocket-Extensions: permessage-deflate", "X-Forwarded-For: "+ip)
	}
	// 1,000 bytes each become nearly a MiB that is not finished.
	bomb := frame(false, opBinary, zeros(t, 1<<20-100))
	bomb[0] |= 0x40
	var attackers []*raw
	for range 30 {
		r := from("192.0.2.1")
		r.send(t, bomb)
		attackers = append(attackers, r)
	}
	eventually(t, func() error {
		if closed := s.stat("unfinished_refused"); closed < 20 {
			return fmt.Errorf("%d clients are closed", closed)
		}
		return nil
	})
	attackers[0].wantCloseFrame(t, 1013)
	if held := s.stat("unfinished_bytes"); held > 8<<20 {
		t.Errorf("%d bytes are held", held)
	}
	// Others are served: whole messages, compressed or not, and long ones that come in parts.
	other := from("192.0.2.2")
	for range 10 {
		other.send(t, compressedFrame(zeros(t, 1<<20)), text("short"))
		other.readCompressed(t)
		other.wantFrame(t, opText, "short")
	}
	plain := dialRaw(t, s.addr, "/core", "", "X-Forwarded-For: 192.0.2.3")
	message := frame(true, opBinary, make([]byte, 1<<20))
	for range 3 {
		for part := range slices.Chunk(message, 100_000) {
			plain.send(t, part)
		}
		plain.wantFrame(t, opBinary, string(make([]byte, 1<<20)))
	}
	if records := s.log.records("max_unfinished", `"route":"core"`); len(records) == 0 || len(records) > 3 {
		t.Errorf("the log has %d records", len(records))
	}
	for _, r := range attackers {
		r.Close()
	}
	expect(t, "unfinished bytes", 0, func() int { return s.stat("unfinished_bytes") })
}

// readCompressed reads a compressed frame of 126 to 65,535 bytes, as it is.
func (r *raw) readCompressed(t *testing.T) []byte {
	t.Helper()
	var head [4]byte
	if _, err := io.ReadFull(r.in, head[:]); err != nil || head[0] != 0xC0|opBinary || head[1] != 126 {
		t.Fatalf("%x (%v), want the head of a compressed frame", head, err)
	}
	payload := make([]byte, binary.BigEndian.Uint16(head[2:]))
	if _, err := io.ReadFull(r.in, payload); err != nil {
		t.Fatal(err)
	}
	return payload
}
