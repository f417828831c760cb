package websocket

import (
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

func (l *RateLimit) options() []option {
	return []option{
		{name: "messages", syntax: "<n>/s", read: into(&l.Messages, messageRate)},
		{name: "bytes", syntax: "<size>/s", read: into(&l.Bytes, byteRate)},
		{name: "burst", syntax: "<duration>", read: into(&l.Burst, duration)},
		{name: "exceed", syntax: "delay|close", read: into(&l.Exceed, word, l.checkExceed)},
	}
}

func parseRateLimit(d *caddyfile.Dispenser) (*RateLimit, error) {
	limit := new(RateLimit)
	if err := noArgument(d); err != nil {
		return nil, err
	}

	return limit, readBlock(d, "rate_limit", limit.options())
}

func (l *AuthorizeLimits) options() []option {
	return []option{
		{name: "max_running", syntax: "<n>", read: into(&l.MaxRunning, smallNumber)},
		{name: "max_waiting", syntax: "<n>", read: into(&l.MaxWaiting, smallNumber)},
	}
}

func parseAuthorizeLimits(d *caddyfile.Dispenser) (*AuthorizeLimits, error) {
	if d.NextArg() {
		return nil, d.Errf("the global option authorize takes a block, not an argument: %s (which page authorises is said in the directive: websocket { authorize <uri> })", d.Val())
	}
	limits := new(AuthorizeLimits)

	return limits, readBlock(d, "authorize", limits.options())
}

func (v *Values) options() []option {
	return []option{
		{name: "max_entries", syntax: "<n>", read: into(&v.MaxEntries, number)},
		{name: "max_size", syntax: "<size>", read: into(&v.MaxSize, size)},
	}
}

func parseValues(d *caddyfile.Dispenser) (*Values, error) {
	values := new(Values)
	if err := noArgument(d); err != nil {
		return nil, err
	}

	return values, readBlock(d, "values", values.options())
}
