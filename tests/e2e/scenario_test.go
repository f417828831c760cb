package e2e

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	"github.com/coder/websocket"
)

// php returns the command line PHP that belongs to the tree's.
func php(t *testing.T) string {
	t.Helper()
	config := os.Getenv("PHP_CONFIG")
	if config == "" {
		found, err := exec.CommandContext(within(t, bound), "../../tools/php.sh").Output()
		if err != nil {
			t.Fatalf("tools/php.sh: %v", err)
		}
		config = strings.TrimSpace(string(found))
	}
	prefix, err := exec.CommandContext(within(t, bound), config, "--prefix").Output()
	if err != nil {
		t.Fatalf("%s --prefix: %v", config, err)
	}
	return filepath.Join(strings.TrimSpace(string(prefix)), "bin", "php")
}

// A step as testdata/scenario/fake.php prints it: what a client does, and what follows of it in the fake server.
type step struct {
	Action, Client, Route, Query, Subprotocol, Data, Reason string
	Headers                                                 map[string]string
	Binary                                                  bool
	Code                                                    int
	Received                                                map[string][]struct {
		Data   []byte
		Binary bool
	}
	Closed map[string]struct {
		Code   int
		Reason string
	}
}

func (s step) String() string { return fmt.Sprintf("%s %s %.200s", s.Client, s.Action, s.Data) }

// endsAsInTheFake waits for the end of a client's connection.
func endsAsInTheFake(t *testing.T, c *client, name string, step step) {
	t.Helper()
	want := step.Closed[name]
	_, message, err := c.tryReceive()
	var closed websocket.CloseError
	cut := !errors.As(err, &closed)
	switch {
	case err == nil:
		t.Fatalf("%s: %s receives %.300q, in the fake server its connection ends with %d", step, name, message, want.Code)
	case cut && want.Code == 1006:
	case cut || int(closed.Code) != want.Code || closed.Reason != want.Reason:
		t.Fatalf("%s: %s ends with %v, in the fake server with %+v", step, name, err, want)
	}
}

// One application, one list of steps, two servers: so a test with the fake server says what the real one does.
func TestAnApplicationBehavesWithTheFakeServerAsWithTheRealOne(t *testing.T) {
	t.Parallel()
	output, err := exec.CommandContext(within(t, bound), php(t), "testdata/scenario/fake.php").Output()
	if err != nil {
		t.Fatalf("fake.php: %v\n%s", err, output)
	}
	var played struct {
		Steps    []step
		Failures int
	}
	if err := json.Unmarshal(output, &played); err != nil || len(played.Steps) == 0 {
		t.Fatalf("%v in %.300s", err, output)
	}
	s := start(t, site{
		plain: true, // as the fake server says of its clients
		global: `
	frankenphp {
		worker {
			name scenario
			file $TESTDATA/scenario/worker.php
			num 2
		}
	}`,
		body: `
	websocket /scenario {
		worker scenario
		subprotocols upper.v1
		max_message_size 4MB
	}
	websocket /nobody {
		name nobody
		worker scenario
		subprotocols upper.v1
		max_message_size 4MB
	}`,
	})

	clients := map[string]*client{}
	for _, step := range played.Steps {
		if len(step.Received)+len(step.Closed) == 0 {
			t.Fatalf("%s: nobody can tell when it is done", step)
		}
		perform(t, s, clients, step)
		// Who is closed comes first: the others hear of it when the closing handshake is over, for which it must read.
		for _, name := range sorted(step.Closed) {
			receiveAsInTheFake(t, clients[name], name, step)
			endsAsInTheFake(t, clients[name], name, step)
		}
		for _, name := range sorted(step.Received) {
			if _, ended := step.Closed[name]; !ended {
				receiveAsInTheFake(t, clients[name], name, step)
			}
		}
	}
	expect(t, "failed events", played.Failures, func() int { return s.stat("events_failed") })
}

func receiveAsInTheFake(t *testing.T, c *client, name string, step step) {
	t.Helper()
	for i, want := range step.Received[name] {
		kind, got, err := c.tryReceive()
		// Time passes by itself: what is to come true is asked for until it is.
		for step.Action == "later" && name == step.Client && err == nil && got != string(want.Data) {
			c.send(t, step.Data)
			kind, got, err = c.tryReceive()
		}
		if err != nil || (kind == websocket.MessageBinary) != want.Binary || got != string(want.Data) {
			t.Fatalf("%s: message %d to %s is %v %.300q (%v), in the fake server %.300q", step, i+1, name, kind, got, err, want.Data)
		}
	}
}

func perform(t *testing.T, s *server, clients map[string]*client, step step) {
	t.Helper()
	c := clients[step.Client]
	switch step.Action {
	case "connect":
		options := &websocket.DialOptions{HTTPHeader: http.Header{}}
		for name, value := range step.Headers {
			options.HTTPHeader.Set(name, value)
		}
		if step.Subprotocol != "" {
			options.Subprotocols = []string{step.Subprotocol}
		}
		clients[step.Client] = dial(t, s, "/"+step.Route+"?"+step.Query, options)
	case "send", "later":
		if !step.Binary {
			c.send(t, step.Data)
			return
		}
		data, err := base64.StdEncoding.DecodeString(step.Data)
		if err == nil {
			err = c.trySend(websocket.MessageBinary, string(data))
		}
		if err != nil {
			t.Fatalf("%s: %v", step, err)
		}
	case "close":
		if err := c.Close(websocket.StatusCode(step.Code), step.Reason); err != nil {
			t.Fatalf("%s: %v", step, err)
		}
	case "vanish":
		c.CloseNow()
	default:
		t.Fatalf("%s: no such action", step)
	}
}

func sorted[V any](m map[string]V) []string {
	var keys []string
	for key := range m {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	return keys
}
