package e2e

import (
	"bufio"
	"encoding/json"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/coder/websocket"
)

func startExample(t *testing.T, name string, env ...string) *server {
	t.Helper()
	file, err := filepath.Abs("../../examples/" + name + "/Caddyfile")
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, site{file: file, env: env})
	if status, page := s.get("/"); status != 200 || !strings.Contains(page, "new WebSocket") {
		t.Errorf("the page of the example: %d %.100q", status, page)
	}
	return s
}

// field returns a field of a JSON message.
func field(t *testing.T, message, name string) any {
	t.Helper()
	var fields map[string]any
	if err := json.Unmarshal([]byte(message), &fields); err != nil {
		t.Fatalf("%v in %q", err, message)
	}
	return fields[name]
}

// takesNamesAsTheyAre speaks to all but those in a group. A name is a name: it is no wildcard, and no end of the expression.
func takesNamesAsTheyAre(t *testing.T, s *server, anna, window, bob *client) {
	t.Helper()
	for _, name := range []string{"kitch*", "x|user:*&", `"|*|"`} {
		encoded, err := json.Marshal(map[string]string{"say": "to all but those in a group of nobody", "except group": name})
		if err != nil {
			t.Fatal(err)
		}
		anna.send(t, string(encoded))
		window.want(t, `{"from":"anna","said":"to all but those in a group of nobody"}`)
		bob.want(t, `{"from":"anna","said":"to all but those in a group of nobody"}`)
		anna.want(t, `{"heard by":2}`)
	}
	anna.send(t, `{"say":"to nobody","except group":"`+strings.Repeat("x", 256)+`"}`)
	if why, _ := field(t, anna.receive(t), "error").(string); !strings.Contains(why, "$tag must have at most 255 bytes") {
		t.Errorf("a name that no group can have: %q", why)
	}
	eventually(t, func() error {
		if !s.log.contains("a message was refused: frankenphp_ws_quoteTag(): $tag") {
			return os.ErrNotExist
		}
		return nil
	})
}

func TestTheGroupsExampleHasUsersGroupsAndASecondApplicationBySubprotocol(t *testing.T) {
	t.Parallel()
	s := startExample(t, "groups")
	groups := &websocket.DialOptions{Subprotocols: []string{"groups.v1"}}
	status := dial(t, s, "/ws", &websocket.DialOptions{Subprotocols: []string{"status.v1"}})
	status.want(t, `{"users":[],"groups":{}}`)

	anna, window, bob := dial(t, s, "/ws", groups), dial(t, s, "/ws", groups), dial(t, s, "/ws", groups)
	anna.send(t, `{"say":"Hello"}`)
	anna.want(t, `{"error":"Log in first: {\"login\": \"anna\"}"}`)
	anna.send(t, `{"login":"anna"}`)
	anna.want(t, `{"welcome":"anna","windows":1}`)
	status.want(t, `{"users":["anna"],"groups":{}}`)
	window.send(t, `{"login":"anna"}`)
	window.want(t, `{"welcome":"anna","windows":2}`)
	anna.want(t, `{"welcome":"anna","windows":2}`)
	status.want(t, `{"users":["anna"],"groups":{}}`)
	bob.send(t, `{"login":"bob"}`)
	bob.want(t, `{"welcome":"bob","windows":1}`)
	status.want(t, `{"users":["anna","bob"],"groups":{}}`)

	bob.send(t, `{"join":"kitchen"}`)
	bob.want(t, `{"joined":"kitchen","user":"bob"}`)
	status.want(t, `{"users":["anna","bob"],"groups":{"kitchen":1}}`)
	anna.send(t, `{"say":"to the kitchen","group":"kitchen"}`)
	bob.want(t, `{"from":"anna","said":"to the kitchen"}`)
	anna.want(t, `{"heard by":1}`)
	bob.send(t, `{"say":"to anna","user":"anna"}`)
	bob.want(t, `{"heard by":2}`)
	anna.want(t, `{"from":"bob","said":"to anna"}`)
	window.want(t, `{"from":"bob","said":"to anna"}`)
	anna.send(t, `{"say":"to those who are not in the kitchen","except group":"kitchen"}`)
	window.want(t, `{"from":"anna","said":"to those who are not in the kitchen"}`)
	anna.want(t, `{"heard by":1}`)
	takesNamesAsTheyAre(t, s, anna, window, bob)
	anna.send(t, `{"say":"to all"}`)
	window.want(t, `{"from":"anna","said":"to all"}`)
	bob.want(t, `{"from":"anna","said":"to all"}`)
	anna.want(t, `{"heard by":2}`)

	bob.Close(websocket.StatusNormalClosure, "")
	status.want(t, `{"users":["anna"],"groups":{}}`)
	status.send(t, "anything")
	status.wantClose(t, websocket.StatusUnsupportedData)

	neither := dial(t, s, "/ws", nil)
	neither.wantClose(t, websocket.StatusPolicyViolation)
}

// redis starts a Redis for the test and returns its address.
func redis(t *testing.T) string {
	t.Helper()
	command, err := exec.LookPath("redis-server")
	if err != nil {
		command, err = exec.LookPath("valkey-server")
	}
	if err != nil {
		t.Skip("neither redis-server nor valkey-server is installed: tools/setup.sh e2e")
	}
	// Not t.TempDir: a socket's path has at most 107 bytes.
	folder, err := os.MkdirTemp("", "redis")
	if err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(folder, "socket")
	cmd := exec.Command(command, "--port", "0", "--unixsocket", socket, "--save", "", "--appendonly", "no", "--dir", folder)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := startLocked(cmd); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		os.RemoveAll(folder)
	})
	eventually(t, func() error {
		conn, err := net.Dial("unix", socket)
		if err == nil {
			conn.Close()
		}
		return err
	})
	return "unix://" + socket
}

func TestTheBacklogExampleTellsNewcomersWhatWasSaidAndNamesWhatIsForThem(t *testing.T) {
	t.Parallel()
	for name, redis := range map[string]string{"kept by the server": "", "kept by Redis": redis(t)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			aBacklogIsTold(t, redis)
		})
	}
}

func aBacklogIsTold(t *testing.T, redis string) {
	t.Helper()
	s := startExample(t, "backlog", "REDIS="+redis)
	anna := dial(t, s, "/ws", nil)
	anna.send(t, `{"name":"anna"}`)
	anna.want(t, `{"welcome":"anna"}`)
	for i, text := range []string{"first", "Größe 👋"} {
		anna.send(t, `{"say":"`+text+`"}`)
		message := anna.receive(t)
		if field(t, message, "said") != text || field(t, message, "number") != float64(i+1) {
			t.Errorf("%q came back as %s", text, message)
		}
	}
	bob := dial(t, s, "/ws", nil)
	bob.want(t, `{"number":1,"from":"anna","said":"first"}`)
	bob.want(t, `{"number":2,"from":"anna","said":"Größe 👋"}`)
	bob.send(t, `{"name":"bob"}`)
	bob.want(t, `{"welcome":"bob"}`)
	anna.send(t, `{"say":"psst","to":"bob"}`)
	anna.want(t, `{"told":"bob"}`)
	bob.want(t, `{"from":"anna","to":"bob","said":"psst"}`)
	anna.send(t, `{"say":"psst","to":"carl"}`)
	anna.want(t, `{"error":"carl is not here."}`)
	carl := dial(t, s, "/ws", nil)
	carl.want(t, `{"number":1,"from":"anna","said":"first"}`)
	carl.want(t, `{"number":2,"from":"anna","said":"Größe 👋"}`)
	carl.send(t, `{"name":"carl"}`)
	carl.want(t, `{"welcome":"carl"}`)
}

func TestTheBacklogExampleDoesNotMindThatRedisHasClosedItsConnections(t *testing.T) {
	t.Parallel()
	address := redis(t)
	s := startExample(t, "backlog", "REDIS="+address)
	anna := dial(t, s, "/ws", nil)
	anna.send(t, `{"name":"anna"}`)
	anna.want(t, `{"welcome":"anna"}`)
	for n := 1; n <= 3; n++ {
		anna.send(t, `{"say":"hello"}`)
		if message := anna.receive(t); field(t, message, "number") != float64(n) {
			t.Errorf("message %d came back as %s", n, message)
		}
		// As it does with those that were idle for long.
		conn, err := net.Dial("unix", strings.TrimPrefix(address, "unix://"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, "CLIENT KILL TYPE normal\r\n"); err != nil {
			t.Fatal(err)
		}
		if answer, err := bufio.NewReader(conn).ReadString('\n'); err != nil || answer == ":0\r\n" {
			t.Fatalf("%q %v", answer, err)
		}
		conn.Close()
	}
}

func TestTheBacklogExampleSaysThatRedisIsNotThere(t *testing.T) {
	t.Parallel()
	s := startExample(t, "backlog", "REDIS=unix:///no/such/socket")
	c := dial(t, s, "/ws", nil)
	c.want(t, `{"error":"Something went wrong here. It has been logged."}`)
	eventually(t, func() error {
		if len(s.log.records("no Redis at unix:///no/such/socket", `"event":"open"`)) == 0 {
			return os.ErrNotExist
		}
		return nil
	})
}

func TestTheTimersExampleTellsTheTimeAndReminds(t *testing.T) {
	t.Parallel()
	s := startExample(t, "timers")
	a, b := dial(t, s, "/clock", nil), dial(t, s, "/clock", nil)
	a.send(t, "1 Tea!")
	heard := map[string]bool{}
	eventually(t, func() error {
		heard[a.receive(t)] = true
		if !heard["Tea!"] || len(heard) < 3 {
			return os.ErrNotExist
		}
		return nil
	})
	if time := b.receive(t); len(time) != len("00:00:00") {
		t.Errorf("the time is %q", time)
	}
}

func TestTheExamplesPagesShowWhatTheirServersSay(t *testing.T) {
	t.Parallel()
	chromium := browser(t)
	for _, example := range []struct{ name, shown string }{
		{"groups", `{"welcome":"anna","windows":1}`},
		{"backlog", `{"welcome":"anna"}`},
		{"timers", "\nTea!\n"},
	} {
		t.Run(example.name, func(t *testing.T) {
			s := startExample(t, example.name, "REDIS="+redis(t))
			page := open(t, chromium, s.url("/"))
			page.shows("pre", "connected")
			// The field holds a first message to try.
			page.fill("input", "\r")
			page.shows("pre", example.shown)
		})
	}
}
