package websocket

import (
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/dustin/go-humanize"
)

// durationOrOff reads a time, or 0 for off.
func durationOrOff(d *caddyfile.Dispenser) (caddy.Duration, error) {
	option := d.Val()

	text, err := word(d)
	if err != nil {
		return 0, err
	}

	if text == "off" || text == "0" {
		return 0, nil
	}

	t, err := caddy.ParseDuration(text)
	if err != nil || t <= 0 {
		return 0, d.Errf("%s is a duration as in 500ms, 25s or 2h, or off, not %q", option, text)
	}

	return caddy.Duration(t), nil
}

// rateLimit reads the block of rate_limit.
func rateLimit(d *caddyfile.Dispenser) (*RateLimit, error) {
	if d.NextArg() {
		return nil, d.Errf("rate_limit takes a block, not an argument: %s", d.Val())
	}

	limit := new(RateLimit)
	seen := make(map[string]int)
	for d.NextBlock(1) {
		if err := once(d, seen); err != nil {
			return nil, err
		}

		var err error
		option := d.Val()
		switch option {
		case "messages":
			limit.Messages, err = rate(d, "100/s", func(text string) (uint64, error) { return strconv.ParseUint(text, 10, 31) })
		case "bytes":
			limit.Bytes, err = rate(d, "1MiB/s", humanize.ParseBytes)
		case "burst":
			limit.Burst, err = duration(d)
		case "exceed":
			if limit.Exceed, err = word(d); err == nil {
				err = wrap(d, limit.checkExceed())
			}
		default:
			err = d.Errf("unknown option %q of rate_limit: it knows messages, bytes, burst and exceed", option)
		}
		if err != nil {
			return nil, err
		}

		if d.NextBlock(2) {
			return nil, d.Errf("%s takes no block", option)
		}
	}

	return limit, nil
}

// rate reads a number per second.
func rate(d *caddyfile.Dispenser, example string, parse func(string) (uint64, error)) (uint64, error) {
	option := d.Val()

	text, err := word(d)
	if err != nil {
		return 0, err
	}

	number, perSecond := strings.CutSuffix(text, "/s")
	n, err := parse(number)
	if err != nil || !perSecond || n == 0 {
		return 0, d.Errf("%s is a rate as in %s, not %q", option, example, text)
	}

	return n, nil
}

// parseAuthorizeLimits reads the global option authorize.
func parseAuthorizeLimits(d *caddyfile.Dispenser) (*AuthorizeLimits, error) {
	if d.NextArg() {
		return nil, d.Errf("the global option authorize takes a block, not an argument: %s (which page authorises is said in the directive: websocket { authorize <uri> })", d.Val())
	}

	limits := new(AuthorizeLimits)
	seen := make(map[string]int)
	for d.NextBlock(1) {
		if err := once(d, seen); err != nil {
			return nil, err
		}

		var most uint64
		var err error
		switch d.Val() {
		case "max_running":
			most, err = number(d)
			limits.MaxRunning = int(most)
		case "max_waiting":
			most, err = number(d)
			limits.MaxWaiting = int(most)
		default:
			err = d.Errf("unknown option %q of authorize: it knows max_running and max_waiting", d.Val())
		}
		if err != nil {
			return nil, err
		}

		if d.NextBlock(2) {
			return nil, d.Errf("the limits of authorize take no block")
		}
	}

	return limits, nil
}
