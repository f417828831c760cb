package websocket

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/caddyserver/caddy/v2"
	bridge "github.com/frankenphp-ws/frankenphp-ws/go-bridge"
	"golang.org/x/net/http/httpguts"
)

// Route is what a handler and its connections are subject to. Routes are known by name, to PHP, to limits, in metrics and
// across reloads; several handlers may share one if their settings are the same.
type Route struct {
	// Name of the route. Default: the name of the worker, "core" with echo, or "pusher" with pusher.
	Name string `json:"name,omitempty"`
	// Worker is the name of the worker that handles the events, one of those declared in the frankenphp app. If sub-protocols
	// have workers of their own, it handles the events of the other connections; without it, those are refused.
	Worker string `json:"worker,omitempty"`
	// Echo lets the core send every message back, without PHP: for diagnosis, conformance tests and benchmarks.
	// Either this, a worker, of the route or of its sub-protocols, or pusher is required.
	Echo bool `json:"echo,omitempty"`
	// Pusher has the core speak the Pusher protocol, for the clients and the servers of applications. Default: off.
	Pusher *Pusher `json:"pusher,omitempty"`
	// Origins are those whose pages may connect: "same" for those of the host that the request itself names, whatever the port, a
	// host (example.com), with a port if only that one (example.com:8443), all sub-domains of a host (*.example.com), a whole
	// origin (https://example.com, file://), "null" for pages without an origin, or * for any. A list without "same" leaves
	// the site's own pages out. Default: same.
	Origins []string `json:"origins,omitempty"`
	// Subprotocols are those the worker speaks. The first of the client's that the route speaks is chosen. Default: none.
	Subprotocols []string `json:"subprotocols,omitempty"`
	// SubprotocolWorkers are further sub-protocols, each with a worker of its own.
	SubprotocolWorkers []SubprotocolWorker `json:"subprotocol_workers,omitempty"`
	// SubprotocolRequired refuses clients that offer no sub-protocol of the route, with 400, although there is a worker for
	// them. Default: they go to the worker, without a sub-protocol.
	SubprotocolRequired bool `json:"subprotocol_required,omitempty"`
	// Authorize puts each upgrade request to the site itself before it is accepted. Default: it is accepted.
	Authorize *Authorize `json:"authorize,omitempty"`
	// MaxMessageSize is the largest message accepted from a client, in bytes. Default: 1 MiB.
	MaxMessageSize uint64 `json:"max_message_size,omitempty"`
	// MaxFrameSize is the largest frame accepted from a client, in bytes as they are sent. Default: as large as a message may
	// be.
	MaxFrameSize uint64 `json:"max_frame_size,omitempty"`
	// Compression says how messages are compressed (permessage-deflate, RFC 7692) with clients that offer it. Default: not at
	// all.
	Compression *Compression `json:"compression,omitempty"`
	// MaxOutbox is how much may wait to be sent to one client, in bytes. Default: 4 MiB.
	MaxOutbox uint64 `json:"max_outbox,omitempty"`
	// MaxPendingEvents is how many events of one connection may wait for PHP; then its socket is not read until some are
	// handled. Default: 1024.
	MaxPendingEvents uint64 `json:"max_pending_events,omitempty"`
	// MaxConnections is how many connections the route takes; further ones get 503. Default: unlimited.
	MaxConnections uint64 `json:"max_connections,omitempty"`
	// MaxConnectionsPerIP is how many connections one client takes; further ones get 429. A client is an address as Caddy
	// sees it, trusted proxies considered; IPv6 addresses are told apart by their first 64 bits. Default: unlimited.
	MaxConnectionsPerIP uint64 `json:"max_connections_per_ip,omitempty"`
	// RateLimit is how fast a client may send. Default: unlimited.
	RateLimit *RateLimit `json:"rate_limit,omitempty"`
	// SlowClient says what becomes of a client whose outbox is full: "close" closes it with 1013, so that it can come back
	// and catch up; "drop_oldest" drops messages that wait for it in favour of new ones; "drop_newest" drops the new ones.
	// Default: "close".
	SlowClient string `json:"slow_client,omitempty"`
	// HandshakeTimeout is how long a handshake may take from when its request is read. Default: 30s.
	HandshakeTimeout caddy.Duration `json:"handshake_timeout,omitempty"`
	// MessageTimeout is how long a client may take for a message, from its first byte, and a second more for each 1,000 bytes of it
	// that have come; then it is closed with 1013. 0 is any time. Default: 30s.
	MessageTimeout *caddy.Duration `json:"message_timeout,omitempty"`
	// PingInterval is how long a client may be silent before it is pinged; 0 switches pings off. Default: 25s.
	PingInterval *caddy.Duration `json:"ping_interval,omitempty"`
	// PongTimeout is how long a client may be silent after a ping before it is cut. Default: 20s.
	PongTimeout caddy.Duration `json:"pong_timeout,omitempty"`
	// IdleTimeout is how long a client may send no message, pings and pongs aside, before it is closed with 1001.
	// Default: for ever.
	IdleTimeout caddy.Duration `json:"idle_timeout,omitempty"`
	// MaxLifetime is how long a connection may last, ± 10 %, before it is closed with 1001. Default: for ever.
	MaxLifetime caddy.Duration `json:"max_lifetime,omitempty"`
	// CloseTimeout is how long a client may take to answer a close frame. Default: 5s.
	CloseTimeout caddy.Duration `json:"close_timeout,omitempty"`
	// Resume lets clients that ask for it come back after their connection broke, without being closed and without missing a
	// message. Default: they are closed.
	Resume *Resume `json:"resume,omitempty"`
	// Channels are tags of which something is kept. The first one whose pattern matches a tag counts. Default: none.
	Channels []Channel `json:"channels,omitempty"`
	// OnError says what happens to a connection whose event failed in PHP: "continue" with its next event, or "close" it
	// with 1011. Default: "continue".
	OnError string `json:"on_error,omitempty"`

	// unnamed: Name is the default.
	unnamed bool
}

// Channel is a kind of tags of which something is kept.
type Channel struct {
	// Pattern is what their names are like: * stands for any characters.
	Pattern string `json:"pattern"`
	// History is how much is kept of what is sent to each.
	History *History `json:"history,omitempty"`
	// Presence says that it is known which users are in each.
	Presence *Presence `json:"presence,omitempty"`
}

// Presence is how it is known who is in a channel.
type Presence struct {
	// Grace is how long a user whose last connection has ended may stay away without having left, at most an hour. Default: 5s.
	Grace *caddy.Duration `json:"grace,omitempty"`
}

// History is how much is kept of what is sent to a channel.
type History struct {
	// Count is the most messages, 1 to 100000.
	Count uint64 `json:"count"`
	// Age is how long each is kept.
	Age caddy.Duration `json:"age"`
}

// SubprotocolWorker is a sub-protocol that has a worker of its own.
type SubprotocolWorker struct {
	// Subprotocol is its name.
	Subprotocol string `json:"subprotocol"`
	// Worker is the name of the worker that handles the events of its connections.
	Worker string `json:"worker"`
}

// echoName is the name of an echo route that has not been given one.
const echoName = "core"

// complete checks the settings and fills in the default name.
func (r *Route) complete() error {
	switch {
	case r.Worker == "" && !r.Echo && r.Pusher == nil && len(r.SubprotocolWorkers) == 0:
		return fmt.Errorf(`nobody would handle the events: name a worker of the frankenphp app with "worker", or use "echo" or "pusher"`)
	case r.Worker != "" && r.Echo:
		return fmt.Errorf(`"worker" (%s) and "echo" exclude each other: with echo, no event reaches PHP`, r.Worker)
	}

	for _, check := range []func() error{r.checkOnError, r.checkSlowClient, r.checkTimes, r.checkRateLimit, r.checkOrigins, r.checkResume, r.checkChannels, r.checkPusher, r.checkPusherSizes} {
		if err := check(); err != nil {
			return err
		}
	}

	if err := r.checkSubprotocols(); err != nil {
		return err
	}
	if err := r.checkSubprotocolWorkers(); err != nil {
		return err
	}
	if r.Authorize != nil {
		if err := r.Authorize.check(); err != nil {
			return err
		}
	}

	if err := r.Compression.check(); err != nil {
		return err
	}

	if r.Name == "" {
		r.Name, r.unnamed = r.defaultName(), true
	}

	return r.checkName()
}

// checkName refuses names that would not be what they seem.
func (r *Route) checkName() error {
	switch {
	case strings.ContainsAny(r.Name, "{}"):
		return fmt.Errorf("the name of a route is the same for all requests and sites, and placeholders in it, as in %q, are not replaced; give each site's directive a name of its own ({$VARIABLE} takes one from the environment)", r.Name)
	case len(r.Name) > mostName || strings.ContainsFunc(r.Name, unicode.IsControl):
		return fmt.Errorf("the name of a route has at most %d bytes, and no control characters: not %q", mostName, shortened(r.Name))
	default:
		return nil
	}
}

// mostName is the longest name of a route, as the core has it.
const mostName = 255

func (r *Route) checkOnError() error {
	switch r.OnError {
	case "", "continue", "close":
		return nil
	default:
		return fmt.Errorf(`on_error is "continue" or "close", not %q`, r.OnError)
	}
}

// checkOrigins refuses patterns that no origin (RFC 6454, 6.2) can match: they would refuse those they were meant for.
func (r *Route) checkOrigins() error {
	for _, pattern := range r.Origins {
		err := bridge.CheckOrigin(pattern)
		if refused := (*bridge.CallError)(nil); errors.As(err, &refused) && refused.Text != "" {
			return errors.New("origins: " + refused.Text)
		}
		if err != nil {
			return fmt.Errorf("origins: %q: %w", pattern, err)
		}
	}

	return nil
}

func (r *Route) defaultName() string {
	switch {
	case r.Echo:
		return echoName
	case r.Pusher != nil:
		return pusherName
	case r.Worker == "":
		return r.SubprotocolWorkers[0].Worker
	default:
		return r.Worker
	}
}

// workers are the names of all workers of the route.
func (r *Route) workers() []string {
	var names []string
	if r.Worker != "" {
		names = append(names, r.Worker)
	}
	for _, own := range r.SubprotocolWorkers {
		names = append(names, own.Worker)
	}

	return append(names, r.Pusher.workers()...)
}

// forCore is the route as the core knows it: what the handler sees to by itself is left out.
func (r *Route) forCore() *Route {
	route := *r
	route.Authorize = nil
	route.Pusher = r.Pusher.resolved()

	return &route
}

func (r *Route) checkSubprotocols() error {
	for _, p := range r.Subprotocols {
		if err := checkSubprotocol(p); err != nil {
			return err
		}
	}

	return nil
}

// checkSubprotocol checks a name. RFC 6455, 11.3.4: it is a token. An invalid one could never be offered by a client.
func checkSubprotocol(name string) error {
	if !httpguts.ValidHeaderFieldName(name) {
		return fmt.Errorf("subprotocol %q is not a name: letters, digits, and !#$%%&'*+-.^_`|~ are allowed", name)
	}

	return nil
}

// checkSubprotocolWorkers checks what concerns several options.
func (r *Route) checkSubprotocolWorkers() error {
	spoken := slices.Clone(r.Subprotocols)
	for _, own := range r.SubprotocolWorkers {
		if err := checkSubprotocol(own.Subprotocol); err != nil {
			return err
		}
		if own.Worker == "" {
			return fmt.Errorf(`subprotocol %s has no worker: name one, or list it under "subprotocols" to leave it to the route's worker`, own.Subprotocol)
		}
		spoken = append(spoken, own.Subprotocol)
	}

	switch twice := firstTwice(spoken); {
	case twice != "":
		return fmt.Errorf("subprotocol %s is given twice: which worker would it go to?", twice)
	case r.Echo && len(r.SubprotocolWorkers) > 0:
		return fmt.Errorf(`"subprotocol" with a worker and "echo" exclude each other: with echo, no event reaches PHP`)
	case len(r.Subprotocols) > 0 && r.Worker == "" && !r.Echo:
		return fmt.Errorf(`"subprotocols" (%s) are left to the route's worker, but it has none: name one with "worker"`, strings.Join(r.Subprotocols, " "))
	case r.SubprotocolRequired && len(spoken) == 0:
		return fmt.Errorf(`"subprotocol_required" would refuse everyone: the route speaks no subprotocol`)
	default:
		return nil
	}
}

// firstTwice returns the first name that stands in a list twice; none: "".
func firstTwice(names []string) string {
	for i, name := range names {
		if slices.Contains(names[:i], name) {
			return name
		}
	}

	return ""
}

// differences lists the settings in which two routes differ, as "max_connections 10 and 20"; none if they are the same.
func (r *Route) differences(other *Route) []string {
	a, b := r.settings(), other.settings()

	keys := slices.Sorted(maps.Keys(a))
	for key := range b {
		if _, both := a[key]; !both {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)

	var list []string
	for _, key := range keys {
		x, y := a[key], b[key]
		switch {
		case x == y:
		case key == "pusher":
			// The applications have secrets.
			list = append(list, "the applications of pusher")
		default:
			list = append(list, fmt.Sprintf("%s %s and %s", key, orDefault(x), orDefault(y)))
		}
	}

	return list
}

// settings returns the settings that are not left at their defaults, each as JSON.
func (r *Route) settings() map[string]string {
	encoded, err := json.Marshal(r)
	if err != nil {
		panic(err) // strings, numbers and lists of strings cannot fail to encode
	}

	var raw map[string]json.RawMessage
	if err := json.Unmarshal(encoded, &raw); err != nil {
		panic(err)
	}

	settings := make(map[string]string, len(raw))
	for key, value := range raw {
		settings[key] = string(value)
	}
	r.eachTime(func(name string, t caddy.Duration) {
		if _, set := settings[name]; set {
			settings[name] = time.Duration(t).String()
		}
	})

	return settings
}

func orDefault(setting string) string {
	if setting == "" {
		return "(default)"
	}

	return setting
}

// oneRoute is said of two handlers that have one name without having been given it.
const oneRoute = "two websocket directives are one route: they share its limits, its statistics and its clients; give each a name of its own, or both the same name to say that this is meant"

// conflict returns an error if two handlers give one name to different things.
func conflict(first, second *Route) error {
	differences := first.differences(second)
	if first.Name != second.Name || len(differences) == 0 {
		return nil
	}

	return fmt.Errorf("two websocket handlers are named %q but differ: %s; give one of them another name, or both the same settings",
		first.Name, strings.Join(differences, ", "))
}
