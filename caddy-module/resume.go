package websocket

import (
	"fmt"
	"regexp"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// Resume is how clients may come back after their connection broke.
type Resume struct {
	// Window is how long they are waited for, from a second to a day.
	Window caddy.Duration `json:"window"`
	// Parameter is the query parameter by which clients ask: without a value to be told a token, with the token to come back.
	// Default: "resume".
	Parameter string `json:"parameter,omitempty"`
	// Received is the query parameter in which clients say how many messages they have got. Default: "received".
	Received string `json:"received,omitempty"`
}

const (
	shortestWindow = time.Second
	longestWindow  = 24 * time.Hour
)

// parameterName is what a query parameter may be called, so that it needs no encoding.
var parameterName = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,64}$`)

// checkResume refuses a window that is none, and parameters that would not be found.
func (r *Route) checkResume() error {
	if r.Resume == nil {
		return nil
	}
	if window := time.Duration(r.Resume.Window); window < shortestWindow || window > longestWindow {
		return fmt.Errorf("resume waits for clients between a second and a day, as in: resume 60s; not %s", window)
	}
	parameter, received := r.Resume.parameter(), r.Resume.received()
	for _, name := range []string{parameter, received} {
		if !parameterName.MatchString(name) {
			return fmt.Errorf("resume: a parameter has 1 to 64 letters, digits, and any of - _ . and is not %q", shortened(name))
		}
	}
	if parameter == received {
		return fmt.Errorf("resume: the parameter for the token and the one for the count are both %s", parameter)
	}

	return nil
}

func (r *Resume) parameter() string {
	if r.Parameter == "" {
		return "resume"
	}

	return r.Parameter
}

func (r *Resume) received() string {
	if r.Received == "" {
		return "received"
	}

	return r.Received
}

func (r *Resume) options() []option {
	return []option{
		{name: "parameter", syntax: "<name>", read: into(&r.Parameter, word)},
		{name: "received", syntax: "<name>", read: into(&r.Received, word)},
	}
}

// parseResume reads how long clients are waited for, and the block, which may be left out.
func parseResume(d *caddyfile.Dispenser) (*Resume, error) {
	window, err := duration(d)
	if err != nil {
		return nil, err
	}
	resume := &Resume{Window: window}

	return resume, readBlock(d, "resume", resume.options())
}
