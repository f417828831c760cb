package websocket

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	bridge "github.com/frankenphp-ws/frankenphp-ws/go-bridge"
)

// These tests run Caddy with the core in this process, on a Unix socket, without PHP.

// load puts a Caddyfile in force. {socket} in it stands for the path of the socket.
func load(t *testing.T, text, socket string) {
	t.Helper()

	config, err := adaptCaddyfile(strings.ReplaceAll(text, "{socket}", socket))
	if err != nil {
		t.Fatal(err)
	}
	if err := caddy.Load(config, true); err != nil {
		t.Fatal(err)
	}
}

// run puts a Caddyfile in force until the test ends.
func run(t *testing.T, text string) (socket string) {
	t.Helper()

	socket = t.TempDir() + "/s"
	load(t, text, socket)
	t.Cleanup(func() {
		if err := caddy.Stop(); err != nil {
			t.Error(err)
		}
	})

	return socket
}

// site is a Caddyfile with one site.
func site(body string) string {
	return "{\n\tadmin off\n\tpersist_config off\n\tlog {\n\t\toutput discard\n\t}\n}\nhttp:// {\n\tbind unix/{socket}\n" + body + "\n}\n"
}

const echo = "\twebsocket /core {\n\t\techo\n\t}\n"

// dial sends an upgrade request, with more behind it, and returns the connection and the response.
func dial(t *testing.T, socket, path string, more []byte) (*bufio.ReadWriter, *http.Response) {
	t.Helper()

	conn, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}

	request := strings.Replace(upgrade, "/ws", path, 1) + "\r\n"
	if _, err := conn.Write(append([]byte(request), more...)); err != nil {
		t.Fatal(err)
	}
	c := reader(conn)
	response, err := http.ReadResponse(c.Reader, nil)
	if err != nil {
		t.Fatal(err)
	}

	return c, response
}

func reader(conn net.Conn) *bufio.ReadWriter {
	return bufio.NewReadWriter(bufio.NewReader(conn), bufio.NewWriter(conn))
}

// text is a text frame of a client, masked with zeros.
func text(payload string) []byte {
	return append([]byte{0x81, 0x80 | byte(len(payload)), 0, 0, 0, 0}, payload...)
}

// receive reads a short frame.
func receive(t *testing.T, c *bufio.ReadWriter) (op byte, payload string) {
	t.Helper()

	var head [2]byte
	if _, err := io.ReadFull(c, head[:]); err != nil {
		t.Fatal(err)
	}
	body := make([]byte, head[1])
	if _, err := io.ReadFull(c, body); err != nil {
		t.Fatal(err)
	}

	return head[0], string(body)
}

// exchange sends a message to an echo and expects it back.
func exchange(t *testing.T, c *bufio.ReadWriter, message string) {
	t.Helper()

	if _, err := c.Write(text(message)); err != nil {
		t.Fatal(err)
	}
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
	if _, got := receive(t, c); got != message {
		t.Errorf("got %q, want %q", got, message)
	}
}

// wantGoingAway expects to be sent away with 1001.
func wantGoingAway(t *testing.T, c *bufio.ReadWriter) {
	t.Helper()

	if op, payload := receive(t, c); op != 0x88 || !strings.HasPrefix(payload, "\x03\xe9") {
		t.Errorf("got %#x %q, want a close frame with 1001", op, payload)
	}
}

func TestAConnectionIsTakenOverBehindHeaderEncodeAndAccessLog(t *testing.T) {
	socket := run(t, site("\tlog\n\tencode gzip\n\theader X-Test yes\n\theader >X-Deferred yes\n"+echo))

	c, response := dial(t, socket, "/core", nil)
	if response.StatusCode != 101 || response.Header.Get("Sec-WebSocket-Accept") != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
		t.Fatalf("got %d %v", response.StatusCode, response.Header)
	}
	if response.Header.Get("X-Test") != "yes" || response.Header.Get("X-Deferred") != "yes" {
		t.Errorf("the header directive did not reach the 101: %v", response.Header)
	}

	exchange(t, c, "hello")
}

func TestFramesInTheSegmentOfTheRequestAreTheFirst(t *testing.T) {
	for name, body := range map[string]string{"plainly": echo, "with an access log": "\tlog\n" + echo} {
		t.Run(name, func(t *testing.T) {
			socket := run(t, site(body))

			c, _ := dial(t, socket, "/core", append(text("one"), text("two")...))
			for _, want := range []string{"one", "two"} {
				if _, got := receive(t, c); got != want {
					t.Errorf("got %q, want %q", got, want)
				}
			}
			exchange(t, c, "three")
		})
	}
}

func TestAWrongHandshakeIsAnsweredWithStatusHeadersAndText(t *testing.T) {
	socket := run(t, site("\trequest_header Sec-WebSocket-Version 8\n"+echo))

	_, response := dial(t, socket, "/core", nil)
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != 426 || response.Header.Get("Sec-WebSocket-Version") != "13" || len(body) < 10 {
		t.Errorf("got %d %v %q", response.StatusCode, response.Header, body)
	}
}

func TestConnectionsOutliveReloadsAndReloadsLeaveNothingBehind(t *testing.T) {
	socket := run(t, site(echo))
	c, _ := dial(t, socket, "/core", nil)
	exchange(t, c, "before")

	descriptors := func() int {
		entries, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Skip("no /proc")
		}

		return len(entries)
	}
	load(t, site("\theader X-Reload first\n"+echo), socket)
	goroutines, files := runtime.NumGoroutine(), descriptors()

	for i := range 20 {
		load(t, site("\theader X-Reload "+strings.Repeat("x", i+1)+"\n"+echo), socket)
		exchange(t, c, "after a reload")
	}

	// Caddy ends the servers of the configuration before in goroutines of its own, and leaves the duplicates of Unix listeners that it
	// hands from one to the next to the garbage collector.
	eventually(t,
		func() bool {
			runtime.GC()

			return runtime.NumGoroutine() <= goroutines && descriptors() <= files
		},
		func() {
			t.Errorf("%d goroutines and %d descriptors, before: %d and %d", runtime.NumGoroutine(), descriptors(), goroutines, files)
		})
}

// eventually waits until condition holds, and calls failed if it does not for long.
func eventually(t *testing.T, condition func() bool, failed func()) {
	t.Helper()

	for deadline := time.Now().Add(10 * time.Second); !condition(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			failed()

			return
		}
	}
}

func TestAConfigurationThatFailsToStartLeavesConnectionsAndRoutes(t *testing.T) {
	socket := run(t, site(echo))
	c, _ := dial(t, socket, "/core", nil)

	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	config, err := adaptCaddyfile(strings.ReplaceAll(site(echo), "{socket}", socket) + "http://127.0.0.1:" + portOf(taken) + " {\n\tbind 127.0.0.1\n\twebsocket {\n\t\techo\n\t\tname other\n\t}\n}\n")
	if err != nil {
		t.Fatal(err)
	}
	if err := caddy.Load(config, true); err == nil {
		t.Fatal("a configuration started on a port that is taken")
	}

	exchange(t, c, "still here")
	c, _ = dial(t, socket, "/core", nil)
	exchange(t, c, "and a new one")
	if running, err := bridge.CloseGate(0); err != nil || running != 0 {
		t.Errorf("closing the gate: %d, %v", running, err)
	}
	bridge.OpenGate()
}

func portOf(l net.Listener) string {
	_, port, _ := net.SplitHostPort(l.Addr().String())

	return port
}

func TestConnectionsOfARemovedRouteAreSentAway(t *testing.T) {
	socket := run(t, site(echo+"\twebsocket /other {\n\t\techo\n\t\tname other\n\t}\n"))
	stays, _ := dial(t, socket, "/core", nil)
	goes, _ := dial(t, socket, "/other", nil)

	load(t, site(echo), socket)
	wantGoingAway(t, goes)
	exchange(t, stays, "still here")

	load(t, site("\trespond ok"), socket)
	wantGoingAway(t, stays)
}

func TestAJSONConfigurationThatCannotWorkFailsToLoad(t *testing.T) {
	handlers := func(handlers ...string) string {
		return `{"admin":{"disabled":true},"logging":{"logs":{"default":{"writer":{"output":"discard"}}}},"apps":{
			"frankenphp":{"workers":[{"name":"chat","file_name":"chat.php"}]},
			"http":{"servers":{"s":{"listen":["unix//dev/null/none"],"routes":[{"handle":[` + strings.Join(handlers, ",") + `]}]}}}}}`
	}

	for _, c := range []struct{ config, want string }{
		{handlers(`{"handler":"websocket","worker":"chta"}`), `worker "chta" is not declared in the frankenphp app, which has: chat`},
		{handlers(`{"handler":"websocket"}`), "nobody would handle the events"},
		{handlers(`{"handler":"websocket","worker":"chat","orgins":["*"]}`), "orgins"},
		{handlers(`{"handler":"websocket","worker":"chat"}`, `{"handler":"websocket","worker":"chat","max_outbox":5}`), `two websocket handlers are named "chat" but differ: max_outbox (default) and 5`},
		{handlers(`{"handler":"websocket","worker":"chat","subprotocol_workers":[{"subprotocol":"a","worker":"nws"}]}`), `worker "nws" is not declared`},
		{handlers(`{"handler":"websocket","worker":"chat","authorize":{"uri":"auth"}}`), "authorize takes a path of this site"},
		{handlers(`{"handler":"websocket","worker":"chat","authorize":{"uri":"/auth","timout":1}}`), "timout"},
		{`{"apps":{"websocket":{"authorize":{"max_running":-1}}}}`, "max_running and max_waiting of authorize are numbers, or 0 for the default, not -1 and 0"},
		{`{"apps":{"websocket":{"shards":-1}}}`, "shards is a number of threads, or 0 for one for every two CPUs, not -1"},
	} {
		var config *caddy.Config
		if err := json.Unmarshal([]byte(c.config), &config); err != nil {
			t.Fatal(err)
		}
		if err := caddy.Validate(config); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got:  %v\nwant: … %s …", err, c.want)
		}
	}
}

// In a process of its own, since others start the core in this one.
func TestValidatingStartsNothing(t *testing.T) {
	if os.Getenv("FWS_TEST_VALIDATE") == "" {
		child := exec.Command(os.Args[0], "-test.run=^TestValidatingStartsNothing$")
		child.Env = append(os.Environ(), "FWS_TEST_VALIDATE=1")
		if output, err := child.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, output)
		}

		return
	}

	encoded, err := adaptCaddyfile(strings.ReplaceAll(site(echo), "{socket}", t.TempDir()+"/s"))
	if err != nil {
		t.Fatal(err)
	}
	var config *caddy.Config
	if err := json.Unmarshal(encoded, &config); err != nil {
		t.Fatal(err)
	}
	if err := caddy.Validate(config); err != nil {
		t.Fatal(err)
	}

	if bridge.Running() {
		t.Error("the core runs")
	}
	if tasks, err := os.ReadDir("/proc/self/task"); err == nil {
		for _, task := range tasks {
			if name, err := os.ReadFile("/proc/self/task/" + task.Name() + "/comm"); err == nil && bytes.HasPrefix(name, []byte("fws-")) {
				t.Errorf("there is a thread %s", name)
			}
		}
	}
	w := askAdmin(t, "/websocket/stats")
	if w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), "no configuration with a websocket handler has been loaded") {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}

func TestTheAdminEndpointShowsTheCountersAndMetricsShowThemAll(t *testing.T) {
	run(t, site(echo))

	w := askAdmin(t, "/websocket/stats")
	var stats map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &stats); err != nil || w.Header().Get("Content-Type") != "application/json" {
		t.Fatalf("%v: %v %s", err, w.Header(), w.Body)
	}
	// Those have a metric of their own, and a test.
	maps.DeleteFunc(stats, func(name string, _ any) bool { return strings.HasPrefix(name, "handshakes_refused") })

	for _, c := range []struct {
		numbers any
		table   []stat
	}{{stats, processStats}, {stats["routes"].(map[string]any)["core"], routeStats}} {
		numbers := c.numbers.(map[string]any)
		for key, value := range numbers {
			if _, isNumber := value.(float64); isNumber && !slices.ContainsFunc(c.table, func(s stat) bool { return s.key == key }) {
				t.Errorf("the core counts %s, but it is no metric", key)
			}
		}
		for _, s := range c.table {
			// A server that is alone counts nothing of a cluster: tests/e2e looks at one that is not.
			if _, isNumber := numbers[s.key].(float64); !isNumber && !strings.HasPrefix(s.key, "cluster_") {
				t.Errorf("%s is a metric, but the core does not count it", s.key)
			}
		}
	}
}
