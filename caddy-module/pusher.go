package websocket

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// Pusher says that a route speaks the Pusher protocol: docs/pusher.md.
type Pusher struct {
	// Apps are its applications. Their ids and their keys are unique.
	Apps []PusherApp `json:"apps"`
}

// PusherApp is an application of the Pusher protocol. Placeholders as {env.REVERB_APP_SECRET} in its id, its key and its secret are replaced.
type PusherApp struct {
	// ID is its name in the paths of the HTTP API.
	ID string `json:"id"`
	// Key is its name in the path that clients connect to.
	Key string `json:"key"`
	// Secret is what signatures are made with.
	Secret string `json:"secret"`
	// Disabled lets nobody connect, and refuses all calls.
	Disabled bool `json:"disabled,omitempty"`
	// AllowedOrigins are those whose pages may connect, as origins of a route are. Default: all.
	AllowedOrigins []string `json:"allowed_origins,omitempty"`
	// ClientEvents says whether clients may send events to each other. Default: they may.
	ClientEvents *bool `json:"client_events,omitempty"`
	// ClientEventRate is how many events a client may send in a second; 0 is any number. Default: 10.
	ClientEventRate *uint64 `json:"client_event_rate,omitempty"`
	// MaxPayload is the largest data of an event, in bytes. Default: 10 KiB.
	MaxPayload uint64 `json:"max_payload,omitempty"`
	// ActivityTimeout is how long a client may be silent before it is pinged. Default: 120s.
	ActivityTimeout caddy.Duration `json:"activity_timeout,omitempty"`
	// MaxConnections is how many connections it takes on one server; further ones are closed with 4004. Default: unlimited.
	MaxConnections uint64 `json:"max_connections,omitempty"`
	// MaxChannels is how many channels a connection may subscribe to. Default: 1000.
	MaxChannels uint64 `json:"max_channels,omitempty"`
	// MaxPresenceMembers is how many members a presence channel may have. Default: 100.
	MaxPresenceMembers uint64 `json:"max_presence_members,omitempty"`
	// PresenceGrace is how long a member whose last connection has ended may stay away without having left. Default: not at all.
	PresenceGrace caddy.Duration `json:"presence_grace,omitempty"`
	// CacheAge is how long the last event of a cache channel is kept. Default: 30m.
	CacheAge caddy.Duration `json:"cache_age,omitempty"`
	// SubscriptionCount has subscribers told how many they are.
	SubscriptionCount bool `json:"subscription_count,omitempty"`
	// TLSOnly refuses clients without TLS, with 4000.
	TLSOnly bool `json:"tls_only,omitempty"`
	// Webhooks are the servers and the workers that are told what happens.
	Webhooks []PusherWebhook `json:"webhooks,omitempty"`
}

// PusherWebhook is who is told what happens in an application: a server, by signed requests, or a worker, by events.
type PusherWebhook struct {
	// URL is the address of the server. Placeholders in it are replaced. Either this or a worker is required.
	URL string `json:"url,omitempty"`
	// Worker is the name of the worker, one of those declared in the frankenphp app.
	Worker string `json:"worker,omitempty"`
	// Events are the kinds of events that it is told. Default: all.
	Events []string `json:"events,omitempty"`
	// ChannelPrefix is what the names of the channels begin with that it is told of. Default: nothing, so all.
	ChannelPrefix string `json:"channel_prefix,omitempty"`
}

// webhookEvents are the kinds that the core knows.
var webhookEvents = []string{
	"channel_occupied", "channel_vacated", "member_added", "member_removed", "client_event", "cache_miss", "subscription_count",
}

// check refuses what no webhook is. Its errors do not repeat the address, which may have a password or a token in it.
func (w *PusherWebhook) check() error {
	if w.URL != "" && w.Worker != "" {
		return fmt.Errorf("a webhook has a url or a worker (%s), not both", w.Worker)
	}
	if w.Worker == "" && !strings.Contains(w.URL, "{") && !legalAddress(w.URL) {
		return errors.New("webhook takes an address, http://HOST/PATH or https://HOST/PATH, with a port of 1 to 65535, if any, and without spaces or letters beyond ASCII; or worker and the name of a worker")
	}
	for _, event := range w.Events {
		if !slices.Contains(webhookEvents, event) {
			return fmt.Errorf("events of a webhook are %s, and there is no %q", strings.Join(webhookEvents, ", "), event)
		}
	}

	return nil
}

// legalAddress says whether requests can be sent there. The core checks the same, but knows no line.
func legalAddress(text string) bool {
	if strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return false
	}
	address, err := url.Parse(text)
	if err != nil || (address.Scheme != "http" && address.Scheme != "https") || address.Hostname() == "" {
		return false
	}
	if strings.HasSuffix(address.Host, ":") {
		return false
	}
	port, err := strconv.ParseUint(cmp.Or(address.Port(), "80"), 10, 16)

	return err == nil && port > 0
}

// workers are the names of the workers that are told what happens.
func (p *Pusher) workers() []string {
	if p == nil {
		return nil
	}
	var names []string
	for _, app := range p.Apps {
		for _, webhook := range app.Webhooks {
			if webhook.Worker != "" {
				names = append(names, webhook.Worker)
			}
		}
	}

	return names
}

// pusherName is the name of a route that speaks the Pusher protocol and has not been given one.
const pusherName = "pusher"

// String leaves out what is secret.
func (a PusherApp) String() string {
	return "app " + a.ID
}

// resolved is the same with its placeholders replaced.
func (p *Pusher) resolved() *Pusher {
	if p == nil {
		return nil
	}
	own := &Pusher{Apps: make([]PusherApp, len(p.Apps))}
	replacer := caddy.NewReplacer()
	for i, app := range p.Apps {
		for _, field := range []*string{&app.ID, &app.Key, &app.Secret} {
			*field = replacer.ReplaceAll(*field, "")
		}
		app.Webhooks = slices.Clone(app.Webhooks)
		for i := range app.Webhooks {
			app.Webhooks[i].URL = replacer.ReplaceAll(app.Webhooks[i].URL, "")
		}
		own.Apps[i] = app
	}

	return own
}

// checkPusher refuses applications that cannot work, and what does not go with them. Its errors do not repeat keys and secrets.
func (r *Route) checkPusher() error {
	if r.Pusher == nil {
		return nil
	}
	for _, other := range []struct {
		option string
		given  bool
	}{
		{"echo", r.Echo},
		{"subprotocols", len(r.Subprotocols) > 0},
		{"subprotocol", len(r.SubprotocolWorkers) > 0},
		{"authorize", r.Authorize != nil},
		{"resume", r.Resume != nil},
	} {
		if other.given {
			return fmt.Errorf("pusher and %s exclude each other: the applications say who may connect, and the core speaks with their clients", other.option)
		}
	}
	// Placeholders are filled in where the configuration runs: then the core looks at the applications once more.
	apps := r.Pusher.Apps
	if len(apps) == 0 {
		return errors.New("pusher has no application: name one on a line as: app <id> <key> <secret>")
	}
	for i, app := range apps {
		if err := app.check(); err != nil {
			return fmt.Errorf("pusher: application %d (%s): %w", i+1, shortened(app.ID), err)
		}
		for _, other := range apps[:i] {
			if what := app.sharedWith(&other); what != "" {
				return fmt.Errorf("pusher: application %d (%s): its %s is another one's, too", i+1, shortened(app.ID), what)
			}
		}
	}

	return nil
}

// What the core needs room for around the data of an event: two names of 200 characters, each of which may take six bytes, and the rest.
const (
	defaultMaxPayload = 10 << 10
	aroundEvent       = 6*(200+200) + 4096
)

// checkPusherSizes refuses sizes of applications that the route does not let through: clients would be closed for what they may send or be
// sent. The core checks the same, but knows no line.
func (r *Route) checkPusherSizes() error {
	if r.Pusher == nil {
		return nil
	}
	for i, app := range r.Pusher.Apps {
		payload := cmp.Or(app.MaxPayload, defaultMaxPayload)
		if payload > mostPayload {
			return fmt.Errorf("pusher: application %d (%s): max_payload is at most 1 GiB", i+1, shortened(app.ID))
		}
		for _, limit := range []struct {
			name         string
			size, needed uint64
		}{
			// The data of a client's event counts as it is sent. What a call sends is written into a string of JSON, with up to six bytes for one.
			{"max_message_size", cmp.Or(r.MaxMessageSize, defaultMaxMessageSize), payload + aroundEvent},
			{"max_frame_size", cmp.Or(r.MaxFrameSize, math.MaxUint64), payload + aroundEvent},
			{"max_outbox", cmp.Or(r.MaxOutbox, defaultMaxOutbox), 6*payload + aroundEvent},
		} {
			if limit.size < limit.needed {
				return fmt.Errorf("pusher: application %d (%s): an event of max_payload (%d bytes) can take %d bytes with its escapes and names, and %s of the route is %d: let max_payload be smaller, or %s at least %d",
					i+1, shortened(app.ID), payload, limit.needed, limit.name, limit.size, limit.name, limit.needed)
			}
		}
	}

	return nil
}

// mostPayload is the largest data of an event: no more is sensible, and the sums above do not overflow.
const mostPayload = 1 << 30

// sharedWith names what two applications must not have in common; "": nothing.
func (a *PusherApp) sharedWith(other *PusherApp) string {
	switch {
	case a.ID == other.ID:
		return "id"
	case a.Key == other.Key:
		return "key"
	default:
		return ""
	}
}

// clashing returns the number of the first application of a route that one of another route has the id or the key of, and which of the two it is.
// A client would connect to one of them, and a call send to the clients of the other.
func (p *Pusher) clashing(others *Pusher) (app int, what string) {
	if p == nil || others == nil {
		return 0, ""
	}
	for i := range p.Apps {
		for j := range others.Apps {
			if what := p.Apps[i].sharedWith(&others.Apps[j]); what != "" {
				return i, what
			}
		}
	}

	return 0, ""
}

// clashError is what is said of an application that another route has, too.
func clashError(route *Route, app int, what, first string) error {
	return fmt.Errorf("pusher: application %d (%s) of the route %s: its %s is that of an application of the route %s: let each application be on one route, with an id and a key of its own",
		app+1, shortened(route.Pusher.Apps[app].ID), route.Name, what, first)
}

func (a *PusherApp) check() error {
	switch {
	case a.ID == "" || a.Key == "" || a.Secret == "":
		return errors.New("its id, its key or its secret is empty: are the environment variables set?")
	case a.ActivityTimeout != 0 && time.Duration(a.ActivityTimeout) < time.Second:
		return fmt.Errorf("activity_timeout is at least 1s, not %s", time.Duration(a.ActivityTimeout))
	case time.Duration(a.PresenceGrace) > mostGrace:
		return fmt.Errorf("presence_grace is at most an hour, not %s", time.Duration(a.PresenceGrace))
	}
	for _, webhook := range a.Webhooks {
		if err := webhook.check(); err != nil {
			return err
		}
	}
	for _, pattern := range a.AllowedOrigins {
		if err := (&Route{Origins: []string{pattern}}).checkOrigins(); err != nil {
			return err
		}
	}

	return nil
}

func (p *Pusher) options(at *positions) []option {
	app := func(d *caddyfile.Dispenser) error {
		at.apps = append(at.apps, here(d))

		return p.parseApp(d, at)
	}

	return []option{{name: "app", syntax: "<id> <key> <secret> {", many: true, read: app}}
}

func (a *PusherApp) options(at *positions) []option {
	webhook := func(d *caddyfile.Dispenser) error { return a.parseWebhook(d, at) }

	return []option{
		{name: "disabled", read: into(&a.Disabled, flag)},
		{name: "allowed_origins", syntax: "<origin pattern...>", read: into(&a.AllowedOrigins, words, a.check)},
		{name: "client_events", syntax: "on|off", read: given(&a.ClientEvents, onOrOff)},
		{name: "client_event_rate", syntax: "<n>/s|off", read: given(&a.ClientEventRate, messageRateOrOff)},
		{name: "max_payload", syntax: "<size>", read: into(&a.MaxPayload, size)},
		{name: "activity_timeout", syntax: "<duration>", read: into(&a.ActivityTimeout, duration, a.check)},
		{name: "max_connections", syntax: "<n>", read: into(&a.MaxConnections, number)},
		{name: "max_channels", syntax: "<n>", read: into(&a.MaxChannels, number)},
		{name: "max_presence_members", syntax: "<n>", read: into(&a.MaxPresenceMembers, number)},
		{name: "presence_grace", syntax: "<duration>|off", read: into(&a.PresenceGrace, durationOrOff, a.check)},
		{name: "cache_age", syntax: "<duration>", read: into(&a.CacheAge, duration)},
		{name: "subscription_count", read: into(&a.SubscriptionCount, flag)},
		{name: "tls_only", read: into(&a.TLSOnly, flag)},
		{name: "webhook", syntax: "<url>|worker <name> {", many: true, read: webhook},
	}
}

func (w *PusherWebhook) options() []option {
	return []option{
		{name: "events", syntax: "<kind...>", read: into(&w.Events, words, w.check)},
		{name: "channel_prefix", syntax: "<text>", read: into(&w.ChannelPrefix, word)},
	}
}

// parseWebhook reads an address, or the name of a worker, and the block, which may be left out.
func (a *PusherApp) parseWebhook(d *caddyfile.Dispenser, at *positions) error {
	args := d.RemainingArgs()
	var webhook PusherWebhook
	switch {
	case len(args) == 2 && args[0] == "worker":
		webhook.Worker = args[1]
		at.nameWorker(args[1], here(d))
	case len(args) == 1 && args[0] != "worker":
		webhook.URL = args[0]
	default:
		return d.Errf("webhook takes the address of a server, or the word worker and the name of a worker, as in: webhook worker chat")
	}
	if err := webhook.check(); err != nil {
		return d.WrapErr(err)
	}
	if err := readBlock(d, "webhook", webhook.options()); err != nil {
		return err
	}
	a.Webhooks = append(a.Webhooks, webhook)

	return nil
}

// parsePusher reads the block of the applications.
func parsePusher(d *caddyfile.Dispenser, at *positions) (*Pusher, error) {
	if err := noArgument(d); err != nil {
		return nil, err
	}
	pusher := new(Pusher)

	return pusher, readBlock(d, "pusher", pusher.options(at))
}

// parseApp reads an application and its block, which may be left out.
func (p *Pusher) parseApp(d *caddyfile.Dispenser, at *positions) error {
	args := d.RemainingArgs()
	if len(args) != 3 {
		return d.Errf("app takes the id, the key and the secret of an application, as in: app {$REVERB_APP_ID} {$REVERB_APP_KEY} {$REVERB_APP_SECRET} (is an environment variable not set?)")
	}
	app := PusherApp{ID: args[0], Key: args[1], Secret: args[2]}
	if err := readBlock(d, "app", app.options(at)); err != nil {
		return err
	}
	p.Apps = append(p.Apps, app)

	return nil
}

// onOrOff reads a switch.
func onOrOff(d *caddyfile.Dispenser) (bool, error) {
	option := d.Val()

	text, err := word(d)
	if err != nil {
		return false, err
	}
	if text != "on" && text != "off" {
		return false, d.Errf("%s is on or off, not %q", option, text)
	}

	return text == "on", nil
}

// messageRateOrOff reads a number per second, or 0 for off.
func messageRateOrOff(d *caddyfile.Dispenser) (uint64, error) {
	option := d.Val()

	text, err := word(d)
	if err != nil || text == "off" {
		return 0, err
	}
	number, perSecond := strings.CutSuffix(text, "/s")
	n, err := parseNumber(number)
	if err != nil || !perSecond {
		return 0, d.Errf("%s is a rate as in 10/s, or off, not %q", option, text)
	}

	return n, nil
}
