package websocket

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/dustin/go-humanize"
)

// parseGlobalOption parses the global block.
func parseGlobalOption(d *caddyfile.Dispenser, _ any) (any, error) {
	app := new(App)
	if err := app.UnmarshalCaddyfile(d); err != nil {
		return nil, err
	}

	return httpcaddyfile.App{Name: appID, Value: caddyconfig.JSON(app, nil)}, nil
}

// UnmarshalCaddyfile implements [caddyfile.Unmarshaler]:
//
//	websocket {
//		shards         <n>
//		max_unfinished <size>
//		max_pending_bytes <size>
//		max_compression_memory <size>
//		search_timeout <duration>
//		values {
//			max_entries <n>
//			max_size    <size>
//		}
//		control [off | <path>] {
//			mode  <octal>
//			group <name>
//		}
//		authorize {
//			max_running <n>
//			max_waiting <n>
//		}
//	}
func (a *App) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the name of the option
	if d.NextArg() {
		return d.Errf("the global option websocket takes a block, not an argument: %s", d.Val())
	}

	seen := make(map[string]int)
	for d.NextBlock(0) {
		if err := once(d, seen); err != nil {
			return err
		}

		switch d.Val() {
		case "shards":
			n, err := number(d)
			if err != nil {
				return err
			}
			a.Shards = int(n)
		case "max_unfinished":
			most, err := size(d)
			if err != nil {
				return err
			}
			a.MaxUnfinished = most
		case "max_pending_bytes":
			most, err := size(d)
			if err != nil {
				return err
			}
			a.MaxPendingBytes = most
		case "max_compression_memory":
			most, err := size(d)
			if err != nil {
				return err
			}
			a.MaxCompressionMemory = most
		case "search_timeout":
			longest, err := duration(d)
			if err != nil {
				return err
			}
			a.SearchTimeout = longest
		case "values":
			values, err := parseValues(d)
			if err != nil {
				return err
			}
			a.Values = values
		case "control":
			control, err := parseControl(d)
			if err != nil {
				return err
			}
			a.Control = control
		case "authorize":
			limits, err := parseAuthorizeLimits(d)
			if err != nil {
				return err
			}
			a.Authorize = limits
		default:
			return d.Errf("unknown option %q of the global block websocket: it knows shards, max_unfinished, max_pending_bytes, max_compression_memory, search_timeout, values, control and authorize", d.Val())
		}
	}

	return nil
}

// parseValues parses the option values.
func parseValues(d *caddyfile.Dispenser) (*Values, error) {
	if d.NextArg() {
		return nil, d.Errf("values takes a block, not an argument: %s", d.Val())
	}

	values := new(Values)
	seen := make(map[string]int)
	for d.NextBlock(1) {
		if err := once(d, seen); err != nil {
			return nil, err
		}

		var err error
		switch d.Val() {
		case "max_entries":
			values.MaxEntries, err = number(d)
		case "max_size":
			values.MaxSize, err = size(d)
		default:
			err = d.Errf("unknown option %q of values: it knows max_entries and max_size", d.Val())
		}
		if err != nil {
			return nil, err
		}
	}

	return values, nil
}

// parseDirective parses the handler directive. What it can check against the rest of the Caddyfile it checks here, where
// the line is known; a JSON configuration meets the same checks when it is loaded.
func parseDirective(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	handler := new(Handler)

	at, err := handler.parse(h.Dispenser)
	if err != nil {
		return nil, err
	}

	for i, name := range handler.workers() {
		if err := declared(h, name); err != nil {
			return nil, at.workers[i].errorf("%w", err)
		}
	}

	if err := claimName(h, &handler.Route, at); err != nil {
		return nil, err
	}

	return handler, nil
}

// UnmarshalCaddyfile implements [caddyfile.Unmarshaler]. The syntax is in the package's documentation.
func (h *Handler) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	_, err := h.parse(d)

	return err
}

// wrap adds the line to an error, if there is one.
func wrap(d *caddyfile.Dispenser, err error) error {
	if err != nil {
		err = d.WrapErr(err)
	}

	return err
}

// positions is where the parts of a directive stand that may turn out wrong later.
type positions struct {
	directive position
	named     bool       // the directive has a name of its own
	workers   []position // in the order of [Route.workers]
}

// parse reads the directive.
func (h *Handler) parse(d *caddyfile.Dispenser) (at positions, err error) {
	d.Next() // the name of the directive
	at.directive = here(d)
	if d.NextArg() {
		return at, d.Errf("websocket takes a block, not an argument: %s (a matcher is a path that begins with /, or a name that begins with @)", d.Val())
	}

	seen := make(map[string]int)
	for d.NextBlock(0) {
		option := d.Val()
		if option != "subprotocol" { // there is one for each
			if err := once(d, seen); err != nil {
				return at, err
			}
		}

		switch option {
		case "name":
			at.named = true
			if h.Name, err = word(d); err == nil {
				err = wrap(d, h.checkName())
			}
		case "worker":
			at.workers = slices.Insert(at.workers, 0, here(d))
			h.Worker, err = word(d)
		case "echo":
			h.Echo, err = flag(d)
		case "origins":
			if h.Origins, err = words(d); err == nil {
				err = wrap(d, h.checkOrigins())
			}
		case "subprotocols":
			if h.Subprotocols, err = words(d); err == nil {
				err = wrap(d, h.checkSubprotocols())
			}
		case "subprotocol":
			err = h.parseSubprotocol(d, &at)
		case "subprotocol_required":
			h.SubprotocolRequired, err = flag(d)
		case "authorize":
			h.Authorize, err = parseAuthorize(d)
		case "max_message_size":
			h.MaxMessageSize, err = size(d)
		case "max_frame_size":
			h.MaxFrameSize, err = size(d)
		case "compression":
			h.Compression, err = parseCompression(d)
		case "max_outbox":
			h.MaxOutbox, err = size(d)
		case "max_pending_events":
			h.MaxPendingEvents, err = number(d)
		case "max_connections":
			h.MaxConnections, err = number(d)
		case "max_connections_per_ip":
			h.MaxConnectionsPerIP, err = number(d)
		case "rate_limit":
			h.RateLimit, err = rateLimit(d)
		case "slow_client":
			if h.SlowClient, err = word(d); err == nil {
				err = wrap(d, h.checkSlowClient())
			}
		case "handshake_timeout":
			h.HandshakeTimeout, err = duration(d)
		case "message_timeout":
			timeout, wrong := durationOrOff(d)
			h.MessageTimeout, err = &timeout, wrong
		case "ping_interval":
			interval, wrong := durationOrOff(d)
			h.PingInterval, err = &interval, wrong
		case "pong_timeout":
			h.PongTimeout, err = duration(d)
		case "idle_timeout":
			h.IdleTimeout, err = durationOrOff(d)
		case "max_lifetime":
			h.MaxLifetime, err = durationOrOff(d)
		case "close_timeout":
			h.CloseTimeout, err = duration(d)
		case "on_error":
			if h.OnError, err = word(d); err == nil {
				err = wrap(d, h.checkOnError())
			}
		default:
			err = d.Errf("unknown option %q of websocket: it knows %s", option, strings.Join(options, ", "))
		}
		if err != nil {
			return at, err
		}

		if d.NextBlock(1) {
			return at, d.Errf("%s takes no block", option)
		}
	}

	if err := h.complete(); err != nil {
		return at, at.directive.errorf("websocket: %w", err)
	}

	return at, nil
}

// parseSubprotocol reads a sub-protocol with its worker:
//
//	subprotocol <name> {
//		worker <name>
//	}
func (h *Handler) parseSubprotocol(d *caddyfile.Dispenser, at *positions) error {
	name, err := word(d)
	if err == nil {
		err = wrap(d, checkSubprotocol(name))
	}
	if err != nil {
		return err
	}
	start := here(d)

	own := SubprotocolWorker{Subprotocol: name}
	seen := make(map[string]int)
	for d.NextBlock(1) {
		if err := once(d, seen); err != nil {
			return err
		}

		switch d.Val() {
		case "worker":
			at.workers = append(at.workers, here(d))
			if own.Worker, err = word(d); err != nil {
				return err
			}
		default:
			return d.Errf("unknown option %q of subprotocol: it knows worker", d.Val())
		}

		if d.NextBlock(2) {
			return d.Errf("worker takes no block")
		}
	}
	if own.Worker == "" {
		return start.errorf("subprotocol takes a block that names its worker: subprotocol %s { worker <name> }", name)
	}

	h.SubprotocolWorkers = append(h.SubprotocolWorkers, own)

	return nil
}

// parseAuthorize reads how upgrade requests are authorised:
//
//	authorize <uri> {
//		timeout               <duration>
//		copy_response_headers <name...>
//	}
func parseAuthorize(d *caddyfile.Dispenser) (*Authorize, error) {
	uri, err := word(d)
	if err != nil {
		return nil, err
	}
	a := &Authorize{URI: uri}
	if err := wrap(d, a.check()); err != nil {
		return nil, err
	}

	seen := make(map[string]int)
	for d.NextBlock(1) {
		if err := once(d, seen); err != nil {
			return nil, err
		}

		option := d.Val()
		switch option {
		case "timeout":
			a.Timeout, err = duration(d)
		case "copy_response_headers":
			a.CopyResponseHeaders, err = words(d)
		default:
			err = d.Errf("unknown option %q of authorize: it knows timeout and copy_response_headers", option)
		}
		if err == nil {
			err = wrap(d, a.check())
		}
		if err != nil {
			return nil, err
		}

		if d.NextBlock(2) {
			return nil, d.Errf("%s takes no block", option)
		}
	}

	return a, nil
}

// options are those of the directive, in the order of docs/options.md.
var options = []string{
	"name", "worker", "echo",
	"origins",
	"subprotocols", "subprotocol", "subprotocol_required",
	"authorize",
	"max_message_size", "max_frame_size", "compression",
	"max_connections", "max_connections_per_ip", "rate_limit",
	"handshake_timeout", "message_timeout", "ping_interval", "pong_timeout", "idle_timeout", "max_lifetime", "close_timeout",
	"max_outbox", "slow_client", "max_pending_events",
	"on_error",
}

// position is where a token stands.
type position struct {
	file string
	line int
}

// here is the position of the current token.
func here(d *caddyfile.Dispenser) position {
	return position{d.File(), d.Line()}
}

func (p position) String() string {
	return fmt.Sprintf("%s:%d", p.file, p.line)
}

// errorf is [caddyfile.Dispenser.Errf] for a position already left behind.
func (p position) errorf(format string, args ...any) error {
	return fmt.Errorf(format+", at %s", append(args, p)...)
}

// once refuses an option given twice: which one would count is anybody's guess.
func once(d *caddyfile.Dispenser, seen map[string]int) error {
	if line, twice := seen[d.Val()]; twice {
		return d.Errf("%s is already set in line %d", d.Val(), line)
	}
	seen[d.Val()] = d.Line()

	return nil
}

// word reads the only argument of an option.
func word(d *caddyfile.Dispenser) (string, error) {
	option := d.Val()

	args := d.RemainingArgs()
	if len(args) != 1 || args[0] == "" {
		return "", d.Errf("%s takes one value, not %d", option, len(args))
	}

	return args[0], nil
}

// flag reads an option that takes nothing.
func flag(d *caddyfile.Dispenser) (bool, error) {
	option := d.Val()
	if d.NextArg() {
		return false, d.Errf("%s takes no argument: %s", option, d.Val())
	}

	return true, nil
}

// duration reads a time that is not zero.
func duration(d *caddyfile.Dispenser) (caddy.Duration, error) {
	option := d.Val()

	text, err := word(d)
	if err != nil {
		return 0, err
	}

	parsed, err := caddy.ParseDuration(text)
	if err != nil || parsed <= 0 {
		return 0, d.Errf("%s is a duration as in 500ms, 10s or 1m, not %q", option, text)
	}

	return caddy.Duration(parsed), nil
}

// words reads the arguments of an option that takes one or more.
func words(d *caddyfile.Dispenser) ([]string, error) {
	option := d.Val()

	args := d.RemainingArgs()
	if len(args) == 0 {
		return nil, d.Errf("%s takes one or more values", option)
	}

	return args, nil
}

// number reads a count.
func number(d *caddyfile.Dispenser) (uint64, error) {
	option := d.Val()

	text, err := word(d)
	if err != nil {
		return 0, err
	}

	n, err := strconv.ParseUint(text, 10, 31)
	if err != nil || n == 0 {
		return 0, d.Errf("%s is a number from 1 to 2147483647, not %q", option, text)
	}

	return n, nil
}

// size reads a number of bytes.
func size(d *caddyfile.Dispenser) (uint64, error) {
	option := d.Val()

	text, err := word(d)
	if err != nil {
		return 0, err
	}

	n, err := humanize.ParseBytes(text)
	if err != nil || n == 0 {
		return 0, d.Errf("%s is a size as in 65536, 64KiB or 1MB, not %q", option, text)
	}

	return n, nil
}

// Interface guards
var (
	_ caddyfile.Unmarshaler = (*App)(nil)
	_ caddyfile.Unmarshaler = (*Handler)(nil)
)
