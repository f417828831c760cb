package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/coder/websocket"
)

// lab is a site with the worker that the tests command (testdata/lab.php), on the routes `lab` and `strict` and with pages.
func lab() site {
	return site{
		global: `
	frankenphp {
		worker {
			name lab
			file $TESTDATA/lab.php
			num 2
		}
	}`,
		body: `
	root $TESTDATA/public
	websocket /lab {
		worker lab
	}
	websocket /strict {
		name strict
		worker lab
		on_error close
	}
	websocket /core {
		echo
	}
	php_server`,
	}
}

// An event as testdata/lab.php records it.
type event struct {
	Thread, Type, ID, Route      string
	Path, Query, IP, Subprotocol string
	Headers, Cookies             map[string]string
	Data, Reason                 string
	Binary, Clean                bool
	Code                         int
	Timer                        int
	Payload                      string
}

// events returns what PHP has been given, in the order of handling, for one connection or for all.
func (s *server) events(id string) []event {
	s.t.Helper()
	var events []event
	for _, line := range s.lines("events") {
		if id != "" && !strings.Contains(line, id) {
			continue
		}
		var e event
		// A PHP array without elements is a JSON list.
		line = strings.NewReplacer(`"cookies":[]`, `"cookies":{}`, `"headers":[]`, `"headers":{}`).Replace(line)
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			s.t.Fatalf("%v in %q", err, line)
		}
		events = append(events, e)
	}
	return events
}

// dialLab connects to a route of the lab and returns the facts that its open event carried.
func dialLab(t *testing.T, s *server, path string, options *websocket.DialOptions) (*client, event) {
	t.Helper()
	if !strings.Contains(path, "?") {
		path += "?facts"
	}
	c := dial(t, s, path, options)
	return c, s.factsIn(c.receive(t))
}

// factsIn reads the message with which the lab answers a client that asks for facts.
func (s *server) factsIn(message string) event {
	s.t.Helper()
	var facts event
	if err := json.Unmarshal([]byte(message), &facts); err != nil {
		s.t.Fatalf("%v in %q", err, message)
	}
	if facts.ID == "" {
		s.t.Fatalf("no id in %q", message)
	}
	return facts
}

// closeEvent waits for the close event of a connection.
func (s *server) closeEvent(id string) event {
	s.t.Helper()
	var found event
	eventually(s.t, func() error {
		for _, e := range s.events(id) {
			if e.Type == "close" {
				found = e
				return nil
			}
		}
		return fmt.Errorf("no close event of %s", id)
	})
	return found
}
