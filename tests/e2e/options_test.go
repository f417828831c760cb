package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// A limited route has options of a route, in both languages, and a client that crosses them.
type limitedRoute struct {
	name      string
	echo      bool
	caddyfile string
	json      string
	cross     func(t *testing.T, s *server, path string)
}

var limitedRoutes = []limitedRoute{
	{"per_ip", true, "max_connections_per_ip 2", `"max_connections_per_ip": 2`, crossConnectionsPerIP},
	{"delay", true, "rate_limit {\n messages 50/s\n burst 200ms\n}", `"rate_limit": {"messages": 50, "burst": "200ms"}`, crossRateWithDelay},
	{"bytes", true, "rate_limit {\n bytes 100KB/s\n burst 100ms\n exceed delay\n}", `"rate_limit": {"bytes": 100000, "burst": "100ms", "exceed": "delay"}`, crossRateOfBytes},
	{"refuse", true, "rate_limit {\n messages 1/s\n burst 5s\n exceed close\n}", `"rate_limit": {"messages": 1, "burst": "5s", "exceed": "close"}`, crossRateWithClose},
	{"unfinished", true, "message_timeout 300ms", `"message_timeout": "300ms"`, crossMessageTimeout},
	{"ping", true, "ping_interval 100ms\npong_timeout 100ms", `"ping_interval": "100ms", "pong_timeout": "100ms"`, crossPongTimeout},
	{"quiet", true, "ping_interval off\nidle_timeout 1s", `"ping_interval": 0, "idle_timeout": "1s"`, crossIdleTimeoutUnpinged},
	{"idle", true, "ping_interval 100ms\nidle_timeout 500ms", `"ping_interval": "100ms", "idle_timeout": "500ms"`, crossIdleTimeout},
	{"life", true, "max_lifetime 500ms", `"max_lifetime": "500ms"`, crossMaxLifetime},
	{"farewell", false, "close_timeout 200ms", `"close_timeout": "200ms"`, crossCloseTimeout},
	{"close", false, "max_outbox 64KiB", `"max_outbox": 65536`, crossOutboxWithClose},
	{"oldest", false, "max_outbox 64KiB\nslow_client drop_oldest", `"max_outbox": 65536, "slow_client": "drop_oldest"`, crossOutboxWithDropping},
	{"newest", false, "max_outbox 64KiB\nslow_client drop_newest", `"max_outbox": 65536, "slow_client": "drop_newest"`, crossOutboxWithDropping},
}

// limitedSite has all of these routes, with their options or without.
func limitedSite(options bool) site {
	want := lab()
	want.global = "\tservers {\n\t\ttrusted_proxies static 127.0.0.0/8\n\t}\n" + want.global
	for _, route := range limitedRoutes {
		lines := "worker lab"
		if route.echo {
			lines = "echo"
		}
		if options {
			lines += "\n" + route.caddyfile
		}
		want.body += fmt.Sprintf("\n\twebsocket /%s {\n\t\tname %s\n\t\t%s\n\t}", route.name, route.name, lines)
	}
	return want
}

func TestEveryLimitOfARouteHoldsInACaddyfile(t *testing.T) {
	t.Parallel()
	s := start(t, limitedSite(true))
	crossAll(t, s)
}

func TestEveryLimitOfARouteHoldsInJSONAndWhenAReloadBringsIt(t *testing.T) {
	t.Parallel()
	s := start(t, limitedSite(false))
	_, text := s.do(http.MethodGet, "http://"+s.admin+"/config/", "", nil)
	var config any
	if err := json.Unmarshal([]byte(text), &config); err != nil {
		t.Fatal(err)
	}
	for _, route := range limitedRoutes {
		if handler := handlerNamed(config, route.name); handler == nil {
			t.Fatalf("no handler %s in %s", route.name, text)
		} else if err := json.Unmarshal([]byte("{"+route.json+"}"), &handler); err != nil {
			t.Fatal(err)
		}
	}
	encoded, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	if status, answer := s.adminPost("/load", string(encoded)); status != http.StatusOK {
		t.Fatalf("POST /load: %d %s", status, answer)
	}
	crossAll(t, s)
}

// handlerNamed finds the websocket handler of a name in a configuration.
func handlerNamed(config any, name string) map[string]any {
	switch config := config.(type) {
	case map[string]any:
		if config["handler"] == "websocket" && config["name"] == name {
			return config
		}
		for _, inner := range config {
			if found := handlerNamed(inner, name); found != nil {
				return found
			}
		}
	case []any:
		for _, inner := range config {
			if found := handlerNamed(inner, name); found != nil {
				return found
			}
		}
	}
	return nil
}

func crossAll(t *testing.T, s *server) {
	for _, route := range limitedRoutes {
		t.Run(route.name, func(t *testing.T) { route.cross(t, s, "/"+route.name) })
	}
}

func crossConnectionsPerIP(t *testing.T, s *server, path string) {
	from := func(ip string) *raw {
		return request(t, s.addr, upgradeRequest(s.addr, path, "X-Forwarded-For: "+ip))
	}
	first := from("192.0.2.1")
	from("192.0.2.1")
	if third := from("192.0.2.1"); third.response.StatusCode != http.StatusTooManyRequests {
		t.Fatalf("the third connection of an address got %s", third.response.Status)
	}
	if other := from("192.0.2.2"); other.response.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("another address got %s", other.response.Status)
	}
	// Who has seen its connection closed may come again.
	first.send(t, frame(true, opClose, []byte(closeBody(1000, ""))))
	first.wantFrame(t, opClose, closeBody(1000, ""))
	if again := from("192.0.2.1"); again.response.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("after a close an address got %s", again.response.Status)
	}
	if refused := from("192.0.2.1"); refused.response.StatusCode != http.StatusTooManyRequests {
		t.Fatalf("and then %s", refused.response.Status)
	}
}

func crossRateWithDelay(t *testing.T, s *server, path string) {
	r := dialRaw(t, s.addr, path, "")
	began := time.Now()
	const messages = 50 // 10 at once, the others in 0.8 s
	var all [][]byte
	for n := range messages {
		all = append(all, text(fmt.Sprint(n)))
	}
	r.send(t, all...)
	for n := range messages {
		r.wantFrame(t, opText, fmt.Sprint(n))
	}
	if took := time.Since(began); took < 700*time.Millisecond {
		t.Errorf("%d messages took %s", messages, took)
	}
	if s.stat("rate_limit_delays") == 0 || len(s.log.records("rate_limit allows", strings.TrimPrefix(path, "/"))) == 0 {
		t.Error("the delay is neither counted nor logged")
	}
}

func crossRateOfBytes(t *testing.T, s *server, path string) {
	c := dial(t, s, path, nil)
	began := time.Now()
	message := strings.Repeat("x", 10_000)
	go func() {
		for range 10 {
			if c.trySend(websocket.MessageText, message) != nil {
				return // the reader fails
			}
		}
	}()
	for range 10 {
		c.want(t, message)
	}
	if took := time.Since(began); took < 700*time.Millisecond {
		t.Errorf("100 KB took %s at 100 KB/s", took)
	}
}

func crossRateWithClose(t *testing.T, s *server, path string) {
	r := dialRaw(t, s.addr, path, "")
	for range 7 {
		r.send(t, text("m"))
	}
	for {
		_, opcode, payload, err := r.readFrame()
		if err != nil {
			t.Fatal(err)
		}
		if opcode == opClose {
			if !strings.HasPrefix(string(payload), closeBody(1008, "")) {
				t.Errorf("closed with %q", payload)
			}
			return
		}
	}
}

func crossMessageTimeout(t *testing.T, s *server, path string) {
	// The first byte of a header, and the first of two fragments with a ping behind it.
	for _, begun := range [][]byte{text("hello")[:1], append(frame(false, opText, []byte("hel")), frame(true, opPing, nil)...)} {
		r := dialRaw(t, s.addr, path, "")
		r.send(t, text("whole"))
		r.wantFrame(t, opText, "whole")
		r.send(t, begun)
		if len(begun) > 1 {
			r.wantFrame(t, opPong, "")
		}
		r.wantClose(t, 1013)
	}
	if s.stat("message_timeouts") < 2 || len(s.log.records("message_timeout", strings.TrimPrefix(path, "/"))) == 0 {
		t.Error("it is neither counted nor logged")
	}
}

func crossPongTimeout(t *testing.T, s *server, path string) {
	r := dialRaw(t, s.addr, path, "")
	for answered := 0; ; answered++ {
		_, opcode, payload, err := r.readFrame()
		if err == io.EOF && answered == 4 {
			return // the fourth ping was left unanswered
		}
		if err != nil || opcode != opPing {
			t.Fatalf("opcode %#x, %v, after %d pings", opcode, err, answered)
		}
		if answered < 3 {
			r.send(t, frame(true, opPong, payload))
		}
	}
}

func crossIdleTimeoutUnpinged(t *testing.T, s *server, path string) {
	r := dialRaw(t, s.addr, path, "")
	r.wantFrame(t, opClose, closeBody(1001, "no message within idle_timeout"))
}

func crossIdleTimeout(t *testing.T, s *server, path string) {
	r := dialRaw(t, s.addr, path, "")
	for began := time.Now(); ; {
		_, opcode, payload, err := r.readFrame()
		if err != nil {
			t.Fatal(err)
		}
		switch opcode {
		case opPing:
			r.send(t, frame(true, opPong, payload)) // which does not count
		case opClose:
			if string(payload) != closeBody(1001, "no message within idle_timeout") {
				t.Errorf("closed with %q", payload)
			}
			if took := time.Since(began); took < 400*time.Millisecond {
				t.Errorf("closed after %s", took)
			}
			return
		}
	}
}

func crossMaxLifetime(t *testing.T, s *server, path string) {
	c := dial(t, s, path, nil)
	began := time.Now()
	for {
		if c.trySend(websocket.MessageText, "busy") != nil {
			break
		}
		if _, _, err := c.tryReceive(); err != nil {
			if websocket.CloseStatus(err) != websocket.StatusGoingAway {
				t.Errorf("it ended with %v", err)
			}
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if took := time.Since(began); took < 400*time.Millisecond {
		t.Errorf("it lasted %s", took)
	}
}

func crossCloseTimeout(t *testing.T, s *server, path string) {
	r := dialRaw(t, s.addr, path, "")
	r.send(t, text("close 4000 bye"))
	r.wantFrame(t, opClose, closeBody(4000, "bye"))
	r.wantEnd(t) // though the close is not answered
}

// flooded returns a client to which PHP has sent far more than its outbox and the kernel hold, and that has read nothing.
func flooded(t *testing.T, s *server, path string) *raw {
	dropped := s.stat("messages_dropped")
	r := dialRaw(t, s.addr, path, "")
	r.send(t, text("flood 32768"), text("behind the flood"))
	eventually(t, func() error {
		if s.stat("messages_dropped") == dropped {
			return fmt.Errorf("nothing was dropped")
		}
		return nil
	})
	return r
}

func crossOutboxWithClose(t *testing.T, s *server, path string) {
	closed := s.stat("slow_clients_closed")
	r := flooded(t, s, path)
	for {
		_, opcode, payload, err := r.readFrame()
		if err != nil {
			t.Fatal(err)
		}
		if opcode == opClose {
			if string(payload) != closeBody(1013, "too slow: max_outbox was reached") {
				t.Errorf("closed with %q", payload)
			}
			break
		}
	}
	expect(t, "clients closed", closed+1, func() int { return s.stat("slow_clients_closed") })
}

func crossOutboxWithDropping(t *testing.T, s *server, path string) {
	closed := s.stat("slow_clients_closed")
	r := flooded(t, s, path)
	// It lives on: whole frames only, and once it reads it is served again.
	sent := make(chan error, 1)
	done := make(chan struct{})
	defer close(done)
	go func() {
		for {
			select {
			case <-done:
				return
			case <-time.After(50 * time.Millisecond):
			}
			if _, err := r.Write(text("are you there?")); err != nil {
				sent <- err
				return
			}
		}
	}()
	for {
		_, opcode, payload, err := r.readFrame()
		if err == io.EOF || err != nil {
			t.Fatalf("%v, %v", err, len(sent))
		}
		if opcode == opText && string(payload) == "are you there?" {
			break
		}
		if opcode == opText && strings.Trim(string(payload), "x") != "" && string(payload) != "behind the flood" {
			t.Fatalf("received %.50q", payload)
		}
	}
	if got := s.stat("slow_clients_closed"); got != closed {
		t.Errorf("%d clients were closed", got-closed)
	}
}

func TestDribbledHeadersHoldNothingOfARoute(t *testing.T) {
	t.Parallel()
	s := start(t, site{
		global: "\tservers {\n\t\ttimeouts {\n\t\t\tread_header 2s\n\t\t}\n\t}",
		body:   "\twebsocket /core {\n\t\techo\n\t\tmax_connections 1\n\t\tmax_connections_per_ip 1\n\t}",
	})
	head := strings.TrimSuffix(upgradeRequest(s.addr, "/core"), "\r\n")
	var dribbling []*raw
	for range 100 {
		r, err := dialTCP(s.addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { r.Close() })
		if _, err := io.WriteString(r, head); err != nil {
			t.Fatal(err)
		}
		dribbling = append(dribbling, r)
	}
	c := dial(t, s, "/core", nil)
	c.send(t, "there is room")
	c.want(t, "there is room")
	if refused := s.stat("handshakes_refused"); refused != 0 {
		t.Errorf("%d handshakes were refused", refused)
	}
	// Caddy ends them.
	for _, r := range dribbling {
		_, _ = io.Copy(io.Discard, r)
	}
	if known := s.stat("connections_known"); known != 1 {
		t.Errorf("%d connections known", known)
	}
}
