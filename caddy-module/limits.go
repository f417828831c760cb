package websocket

import (
	"errors"
	"fmt"
	"time"

	"github.com/caddyserver/caddy/v2"
)

// RateLimit is how fast a client may send. What is beyond a rate may come as a burst; a client that was silent for long
// saves up no more than that.
type RateLimit struct {
	// Messages a second. Pings count, too, and so do pongs that nobody asked for and fragments of less than 1 KiB that do not end
	// their message. Default: unlimited.
	Messages uint64 `json:"messages,omitempty"`
	// Bytes a second, with frame headers. Default: unlimited.
	Bytes uint64 `json:"bytes,omitempty"`
	// Burst is what may come at once, as a time at these rates. Default: 2s.
	Burst caddy.Duration `json:"burst,omitempty"`
	// Exceed says what happens beyond: "delay" reads nothing more from the client until it may send again, so that nothing
	// is lost; "close" closes it with 1008. Default: "delay".
	Exceed string `json:"exceed,omitempty"`
}

// defaultHandshakeTimeout is the default of [Route.HandshakeTimeout]. The listeners of a starting server are open before
// PHP is there, which may take its time.
const defaultHandshakeTimeout = 30 * time.Second

// The defaults of the core that checks here need to know.
const (
	defaultBurst          = 2 * time.Second
	defaultMaxMessageSize = 1 << 20
	defaultMaxOutbox      = 4 << 20
)

func (r *Route) handshakeTimeout() time.Duration {
	if r.HandshakeTimeout == 0 {
		return defaultHandshakeTimeout
	}

	return time.Duration(r.HandshakeTimeout)
}

func (r *Route) checkSlowClient() error {
	switch r.SlowClient {
	case "", "close", "drop_oldest", "drop_newest":
		return nil
	default:
		return fmt.Errorf(`slow_client is "close", "drop_oldest" or "drop_newest", not %q`, r.SlowClient)
	}
}

// eachTime calls do with each time of the route.
func (r *Route) eachTime(do func(name string, t caddy.Duration)) {
	do("handshake_timeout", r.HandshakeTimeout)
	if r.MessageTimeout != nil {
		do("message_timeout", *r.MessageTimeout)
	}
	if r.PingInterval != nil {
		do("ping_interval", *r.PingInterval)
	}
	do("pong_timeout", r.PongTimeout)
	do("idle_timeout", r.IdleTimeout)
	do("max_lifetime", r.MaxLifetime)
	do("close_timeout", r.CloseTimeout)
	if r.Resume != nil {
		do("window of resume", r.Resume.Window)
	}
	if r.RateLimit != nil {
		do("burst of rate_limit", r.RateLimit.Burst)
	}
}

// checkTimes refuses negative times, which a JSON configuration could have.
func (r *Route) checkTimes() (err error) {
	r.eachTime(func(name string, t caddy.Duration) {
		if t < 0 && err == nil {
			err = fmt.Errorf("%s is negative: %s", name, time.Duration(t))
		}
	})

	return err
}

func (r *Route) checkRateLimit() error {
	limit := r.RateLimit
	if limit == nil {
		return nil
	}

	if limit.Messages == 0 && limit.Bytes == 0 {
		return errors.New(`rate_limit limits nothing: give it "messages", "bytes" or both`)
	}

	if err := limit.checkExceed(); err != nil || limit.Exceed != "close" || limit.Bytes == 0 {
		return err
	}

	size, burst := r.MaxMessageSize, time.Duration(limit.Burst)
	if size == 0 {
		size = defaultMaxMessageSize
	}
	if burst == 0 {
		burst = defaultBurst
	}
	if float64(limit.Bytes)*burst.Seconds() < float64(size) {
		return fmt.Errorf("rate_limit would close a client for one message of max_message_size (%d bytes): let bytes (%d a second) × burst (%s) be at least that, or max_message_size smaller",
			size, limit.Bytes, burst)
	}

	return nil
}

func (l *RateLimit) checkExceed() error {
	switch l.Exceed {
	case "", "delay", "close":
		return nil
	default:
		return fmt.Errorf(`exceed is "delay" or "close", not %q`, l.Exceed)
	}
}
