package websocket

import (
	"fmt"
	"slices"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

const (
	// mostHistory is the most messages that the history of a channel keeps.
	mostHistory = 100_000
	// mostGrace is the longest time of grace of a channel with presence.
	mostGrace = time.Hour
)

// checkChannels refuses channels that are none.
func (r *Route) checkChannels() error {
	for i, channel := range r.Channels {
		switch {
		case channel.Pattern == "" || len(channel.Pattern) > mostName:
			return fmt.Errorf("the pattern of a channel has 1 to %d bytes, not %q", mostName, shortened(channel.Pattern))
		case slices.ContainsFunc(r.Channels[:i], func(earlier Channel) bool { return earlier.Pattern == channel.Pattern }):
			return fmt.Errorf("channel %s is given twice", channel.Pattern)
		case channel.History == nil && channel.Presence == nil:
			return fmt.Errorf("channel %s has neither a history nor presence: it would be a tag like any other. Write into its block a line as: history 100 1h, or: presence", channel.Pattern)
		case channel.Presence != nil && channel.Presence.Grace != nil && (*channel.Presence.Grace < 0 || time.Duration(*channel.Presence.Grace) > mostGrace):
			return fmt.Errorf("the grace of presence in channel %s is off, or a time of at most an hour, as 5s", channel.Pattern)
		case channel.History == nil:
		case channel.History.Count == 0 || channel.History.Count > mostHistory:
			return fmt.Errorf("the history of channel %s keeps 1 to %d messages, not %d", channel.Pattern, mostHistory, channel.History.Count)
		case channel.History.Age < caddy.Duration(time.Millisecond):
			return fmt.Errorf("the history of channel %s keeps messages for a millisecond at least, as 10m or 24h", channel.Pattern)
		}
	}

	return nil
}

func (c *Channel) options() []option {
	return []option{
		{name: "history", syntax: "<count> <age>", read: into(&c.History, parseHistory)},
		{name: "presence", syntax: "{", read: into(&c.Presence, parsePresence)},
	}
}

// parseChannel reads the pattern and the block of a channel.
func (h *Handler) parseChannel(d *caddyfile.Dispenser) error {
	pattern, err := word(d)
	if err != nil {
		return err
	}
	at := here(d)
	channel := Channel{Pattern: pattern}
	if err := readBlock(d, "channel", channel.options()); err != nil {
		return err
	}
	h.Channels = append(h.Channels, channel)
	if err := h.checkChannels(); err != nil {
		return at.errorf("%w", err)
	}

	return nil
}

func (p *Presence) options() []option {
	return []option{
		{name: "grace", syntax: "<duration>|off", read: func(d *caddyfile.Dispenser) error {
			grace, err := durationOrOff(d)
			p.Grace = &grace

			return err
		}},
	}
}

// parsePresence reads the block of presence, which may be left out.
func parsePresence(d *caddyfile.Dispenser) (*Presence, error) {
	presence := new(Presence)
	if d.NextArg() {
		return nil, d.Errf("presence takes no argument: its time of grace stands in its block, on a line as: grace 5s")
	}

	return presence, readBlock(d, "presence", presence.options())
}

// parseHistory reads how many messages are kept, and how long.
func parseHistory(d *caddyfile.Dispenser) (*History, error) {
	args := d.RemainingArgs()
	if len(args) != 2 {
		return nil, d.Errf("history takes how many messages are kept, and how long, as in: history 100 1h")
	}
	count, err := parseNumber(args[0])
	if err != nil {
		return nil, d.Errf("history keeps 1 to %d messages, not %q", mostHistory, args[0])
	}
	age, err := parseDuration(args[1])
	if err != nil {
		return nil, d.Errf("history keeps messages for a time as 10m or 24h, not %q", args[1])
	}

	return &History{Count: count, Age: age}, nil
}
