package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// asks sends a request to the admin API.
func (s *server) asks(method, path, body string) (int, string) {
	s.t.Helper()
	return s.do(method, "http://"+s.admin+path, body, nil)
}

func TestTheAdminAPIActsOnClientsAndWorkers(t *testing.T) {
	t.Parallel()
	s := start(t, lab())
	c, facts := dialLab(t, s, "/lab", nil)

	if status, answer := s.asks("PATCH", "/websocket/clients/"+facts.ID, `{"id":"ann"}`); status != http.StatusOK {
		t.Fatalf("%d %s", status, answer)
	}
	if status, answer := s.asks("PUT", "/websocket/clients/ann/tags/lyon", ""); status != http.StatusOK {
		t.Fatalf("%d %s", status, answer)
	}
	if status, answer := s.asks("POST", "/websocket/messages?tag=lyon", "from the admin API"); status != http.StatusOK || answer != "{\"queued\":1}\n" {
		t.Fatalf("%d %s", status, answer)
	}
	c.want(t, "from the admin API")

	// A message of 1 MiB with NUL bytes, as it is.
	megabyte := strings.Repeat("0123456789abcd\x00\n", 1<<16)
	if status, answer := s.asks("POST", "/websocket/messages?client=ann", megabyte); status != http.StatusOK {
		t.Fatalf("%d %s", status, answer)
	}
	c.want(t, megabyte)

	status, answer := s.asks("POST", "/websocket/timers?delay=1&worker=lab", "of the timer")
	if status != http.StatusCreated {
		t.Fatalf("%d %s", status, answer)
	}
	eventually(t, func() error {
		for _, e := range s.events("") {
			if e.Type == "timer" && e.Payload == "of the timer" {
				return nil
			}
		}
		return fmt.Errorf("no timer event")
	})

	if status, _ := s.asks("DELETE", "/websocket/clients/ann?code=4001&reason=bye", ""); status != http.StatusOK {
		t.Error(status)
	}
	if reason := c.wantClose(t, 4001); reason != "bye" {
		t.Errorf("closed with %q", reason)
	}
	if s.log.contains("from the admin API") || s.log.contains("of the timer") {
		t.Error("messages are in the log")
	}
}
