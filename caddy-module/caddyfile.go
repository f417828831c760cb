package websocket

import (
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// parseGlobalOption parses the global block.
func parseGlobalOption(d *caddyfile.Dispenser, _ any) (any, error) {
	app := new(App)
	if err := app.UnmarshalCaddyfile(d); err != nil {
		return nil, err
	}

	return httpcaddyfile.App{Name: appID, Value: caddyconfig.JSON(app, nil)}, nil
}

// UnmarshalCaddyfile implements [caddyfile.Unmarshaler]. The syntax is in the package's documentation.
func (a *App) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the name of the option
	if d.NextArg() {
		return d.Errf("the global option websocket takes a block, not an argument: %s", d.Val())
	}

	return readBlock(d, "the global block websocket", a.options())
}

// options are those of the global block, in the order of docs/options.md.
func (a *App) options() []option {
	return []option{
		{name: "shards", syntax: "<n>", read: into(&a.Shards, smallNumber)},
		{name: "max_unfinished", syntax: "<size>", read: into(&a.MaxUnfinished, size)},
		{name: "max_pending_bytes", syntax: "<size>", read: into(&a.MaxPendingBytes, size)},
		{name: "max_compression_memory", syntax: "<size>", read: into(&a.MaxCompressionMemory, size)},
		{name: "max_history_bytes", syntax: "<size>", read: into(&a.MaxHistoryBytes, size)},
		{name: "max_suspended", syntax: "<n>", read: into(&a.MaxSuspended, number)},
		{name: "max_resume_bytes", syntax: "<size>", read: into(&a.MaxResumeBytes, size)},
		{name: "max_call_bytes", syntax: "<size>", read: into(&a.MaxCallBytes, size)},
		{name: "search_timeout", syntax: "<duration>", read: into(&a.SearchTimeout, duration)},
		{name: "values", syntax: "{", read: into(&a.Values, parseValues)},
		{name: "cluster", syntax: "<address> {", read: into(&a.Cluster, parseCluster)},
		{name: "control", syntax: "[off | <path>] {", read: into(&a.Control, parseControl)},
		{name: "authorize", syntax: "{", read: into(&a.Authorize, parseAuthorizeLimits)},
	}
}

// parseDirective parses the handler directive. What it can check against the rest of the Caddyfile it checks here, where
// the line is known; a JSON configuration meets the same checks when it is loaded.
func parseDirective(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	handler := new(Handler)

	at, err := handler.parse(h.Dispenser)
	if err != nil {
		return nil, err
	}

	for _, name := range handler.workers() {
		if err := declared(h, name); err != nil {
			return nil, at.workers[name].errorf("%w", err)
		}
	}

	if err := claimName(h, &handler.Route, at); err != nil {
		return nil, err
	}
	if err := claimApps(h, &handler.Route, at); err != nil {
		return nil, err
	}

	return handler, nil
}

// UnmarshalCaddyfile implements [caddyfile.Unmarshaler]. The syntax is in the package's documentation.
func (h *Handler) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	_, err := h.parse(d)

	return err
}

// positions is where the parts of a directive stand that may turn out wrong later.
type positions struct {
	directive position
	named     bool                // the directive has a name of its own
	workers   map[string]position // where the name of a worker stands first
	apps      []position          // in the order of [Pusher.Apps]
}

func (p *positions) nameWorker(name string, at position) {
	if p.workers == nil {
		p.workers = make(map[string]position)
	}
	if _, known := p.workers[name]; !known {
		p.workers[name] = at
	}
}

// worker reads the name of a worker.
func (p *positions) worker(d *caddyfile.Dispenser) (string, error) {
	at := here(d)

	name, err := word(d)
	if err == nil {
		p.nameWorker(name, at)
	}

	return name, err
}

// parse reads the directive.
func (h *Handler) parse(d *caddyfile.Dispenser) (at positions, err error) {
	d.Next() // the name of the directive
	at.directive = here(d)
	if d.NextArg() {
		return at, d.Errf("websocket takes a block, not an argument: %s (a matcher is a path that begins with /, or a name that begins with @)", d.Val())
	}

	if err := readBlock(d, "websocket", h.options(&at)); err != nil {
		return at, err
	}

	if err := h.complete(); err != nil {
		return at, at.directive.errorf("websocket: %w", err)
	}

	return at, nil
}

// options are those of the directive, in the order of docs/options.md. What has to be checked against the rest of the Caddyfile later
// notes its line in at.
func (h *Handler) options(at *positions) []option {
	name := func(d *caddyfile.Dispenser) (string, error) {
		at.named = true

		return word(d)
	}
	pusher := func(d *caddyfile.Dispenser) (*Pusher, error) { return parsePusher(d, at) }

	return []option{
		{name: "name", syntax: "<route name>", read: into(&h.Name, name, h.checkName)},
		{name: "worker", syntax: "<name>", read: into(&h.Worker, at.worker)},
		{name: "echo", read: into(&h.Echo, flag)},
		{name: "pusher", syntax: "{", read: into(&h.Pusher, pusher, h.checkPusher)},
		{name: "origins", syntax: "<host pattern...>", read: into(&h.Origins, words, h.checkOrigins)},
		{name: "subprotocols", syntax: "<name...>", read: into(&h.Subprotocols, words, h.checkSubprotocols)},
		{name: "subprotocol", syntax: "<name> {", many: true, read: func(d *caddyfile.Dispenser) error { return h.parseSubprotocol(d, at) }},
		{name: "subprotocol_required", read: into(&h.SubprotocolRequired, flag)},
		{name: "authorize", syntax: "<uri> {", read: into(&h.Authorize, parseAuthorize)},
		{name: "max_message_size", syntax: "<size>", read: into(&h.MaxMessageSize, size)},
		{name: "max_frame_size", syntax: "<size>", read: into(&h.MaxFrameSize, size)},
		{name: "compression", syntax: "[on|off]", read: into(&h.Compression, parseCompression)},
		{name: "max_connections", syntax: "<n>", read: into(&h.MaxConnections, number)},
		{name: "max_connections_per_ip", syntax: "<n>", read: into(&h.MaxConnectionsPerIP, number)},
		{name: "rate_limit", syntax: "{", read: into(&h.RateLimit, parseRateLimit)},
		{name: "handshake_timeout", syntax: "<duration>", read: into(&h.HandshakeTimeout, duration)},
		{name: "message_timeout", syntax: "<duration>|off", read: given(&h.MessageTimeout, durationOrOff)},
		{name: "ping_interval", syntax: "<duration>|off", read: given(&h.PingInterval, durationOrOff)},
		{name: "pong_timeout", syntax: "<duration>", read: into(&h.PongTimeout, duration)},
		{name: "idle_timeout", syntax: "<duration>|off", read: into(&h.IdleTimeout, durationOrOff)},
		{name: "max_lifetime", syntax: "<duration>|off", read: into(&h.MaxLifetime, durationOrOff)},
		{name: "close_timeout", syntax: "<duration>", read: into(&h.CloseTimeout, duration)},
		{name: "max_outbox", syntax: "<size>", read: into(&h.MaxOutbox, size)},
		{name: "slow_client", syntax: "close|drop_oldest|drop_newest", read: into(&h.SlowClient, word, h.checkSlowClient)},
		{name: "max_pending_events", syntax: "<n>", read: into(&h.MaxPendingEvents, number)},
		{name: "resume", syntax: "<duration> {", read: into(&h.Resume, parseResume, h.checkResume)},
		{name: "channel", syntax: "<pattern> {", many: true, read: h.parseChannel},
		{name: "on_error", syntax: "continue|close", read: into(&h.OnError, word, h.checkOnError)},
	}
}

// parseSubprotocol reads a sub-protocol with its worker.
func (h *Handler) parseSubprotocol(d *caddyfile.Dispenser, at *positions) error {
	name, err := word(d)
	if err != nil {
		return err
	}
	if err := checkSubprotocol(name); err != nil {
		return d.WrapErr(err)
	}
	start := here(d)

	own := SubprotocolWorker{Subprotocol: name}
	if err := readBlock(d, "subprotocol", own.options(at)); err != nil {
		return err
	}
	if own.Worker == "" {
		return start.errorf("subprotocol takes a block that names its worker: subprotocol %s { worker <name> }", name)
	}

	h.SubprotocolWorkers = append(h.SubprotocolWorkers, own)

	return nil
}

func (w *SubprotocolWorker) options(at *positions) []option {
	return []option{{name: "worker", syntax: "<name>", read: into(&w.Worker, at.worker)}}
}

// parseAuthorize reads how upgrade requests are authorised.
func parseAuthorize(d *caddyfile.Dispenser) (*Authorize, error) {
	uri, err := word(d)
	if err != nil {
		return nil, err
	}
	a := &Authorize{URI: uri}
	if err := a.check(); err != nil {
		return nil, d.WrapErr(err)
	}

	return a, readBlock(d, "authorize", a.options())
}

func (a *Authorize) options() []option {
	return []option{
		{name: "timeout", syntax: "<duration>", read: into(&a.Timeout, duration, a.check)},
		{name: "copy_response_headers", syntax: "<name...>", read: into(&a.CopyResponseHeaders, words, a.check)},
	}
}

// Interface guards
var (
	_ caddyfile.Unmarshaler = (*App)(nil)
	_ caddyfile.Unmarshaler = (*Handler)(nil)
)
