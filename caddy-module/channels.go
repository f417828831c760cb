package websocket

import (
	"fmt"
	"slices"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// mostHistory is the most messages that the history of a channel keeps.
const mostHistory = 100_000

// checkChannels refuses channels that are none.
func (r *Route) checkChannels() error {
	for i, channel := range r.Channels {
		switch {
		case channel.Pattern == "" || len(channel.Pattern) > mostName:
			return fmt.Errorf("the pattern of a channel has 1 to %d bytes, not %q", mostName, shortened(channel.Pattern))
		case slices.ContainsFunc(r.Channels[:i], func(earlier Channel) bool { return earlier.Pattern == channel.Pattern }):
			return fmt.Errorf("channel %s is given twice", channel.Pattern)
		case channel.History == nil:
			return fmt.Errorf("channel %s has no history: it would be a tag like any other. Write: channel %s { history <count> <age> }", channel.Pattern, channel.Pattern)
		case channel.History.Count == 0 || channel.History.Count > mostHistory:
			return fmt.Errorf("the history of channel %s keeps 1 to %d messages, not %d", channel.Pattern, mostHistory, channel.History.Count)
		case channel.History.Age <= 0:
			return fmt.Errorf("the history of channel %s keeps messages for a time as 10m or 24h", channel.Pattern)
		}
	}

	return nil
}

func (c *Channel) options() []option {
	return []option{
		{name: "history", syntax: "<count> <age>", read: into(&c.History, parseHistory)},
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
