package websocket

import (
	"slices"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/dustin/go-humanize"
)

// What the arguments of an option can be. Each function reads one kind, and its error names the option and gives an example.

// word reads the only argument of an option.
func word(d *caddyfile.Dispenser) (string, error) {
	option := d.Val()

	args := d.RemainingArgs()
	switch {
	case len(args) != 1:
		return "", d.Errf("%s takes one value, not %d", option, len(args))
	case args[0] == "":
		return "", d.Errf("%s takes a value that is not empty", option)
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

	parsed, err := parseDuration(text)
	if err != nil {
		return 0, d.Errf("%s is a duration as in 500ms, 10s or 1m, not %q", option, text)
	}

	return parsed, nil
}

func parseDuration(text string) (caddy.Duration, error) {
	parsed, err := caddy.ParseDuration(text)
	if err == nil && parsed <= 0 {
		err = strconv.ErrRange
	}

	return caddy.Duration(parsed), err
}

// words reads the arguments of an option that takes one or more.
func words(d *caddyfile.Dispenser) ([]string, error) {
	option := d.Val()

	args := d.RemainingArgs()
	if len(args) == 0 {
		return nil, d.Errf("%s takes one or more values", option)
	}
	if slices.Contains(args, "") {
		return nil, d.Errf("%s takes values that are not empty", option)
	}

	return args, nil
}

// smallNumber is number for a field that is an int.
func smallNumber(d *caddyfile.Dispenser) (int, error) {
	n, err := number(d)

	return int(n), err
}

// number reads a count.
func number(d *caddyfile.Dispenser) (uint64, error) {
	option := d.Val()

	text, err := word(d)
	if err != nil {
		return 0, err
	}

	n, err := parseNumber(text)
	if err != nil {
		return 0, d.Errf("%s is a number from 1 to 2147483647, not %q", option, text)
	}

	return n, nil
}

func parseNumber(text string) (uint64, error) {
	n, err := strconv.ParseUint(text, 10, 31)
	if err == nil && n == 0 {
		err = strconv.ErrRange
	}

	return n, err
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

// messageRate reads a number per second.
func messageRate(d *caddyfile.Dispenser) (uint64, error) {
	return rate(d, "100/s", func(text string) (uint64, error) { return strconv.ParseUint(text, 10, 31) })
}

// byteRate reads a number of bytes per second.
func byteRate(d *caddyfile.Dispenser) (uint64, error) {
	return rate(d, "1MiB/s", humanize.ParseBytes)
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

// within reads a small number.
func within(least, most uint8) func(*caddyfile.Dispenser) (uint8, error) {
	return func(d *caddyfile.Dispenser) (uint8, error) {
		option := d.Val()

		text, err := word(d)
		if err != nil {
			return 0, err
		}

		n, err := strconv.ParseUint(text, 10, 8)
		if err != nil || n < uint64(least) || n > uint64(most) {
			return 0, d.Errf("%s is a number from %d to %d, not %q", option, least, most, text)
		}

		return uint8(n), nil
	}
}
