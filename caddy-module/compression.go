package websocket

import (
	"fmt"
	"math"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// Compression says how the messages of a route are compressed. All can be left out.
type Compression struct {
	// ContextTakeover lets messages to a client refer to earlier ones of the same connection, if the client wants that too. They
	// become smaller, and each connection keeps up to 280 KB of memory. Default: false. Messages of a client may always refer to its
	// earlier ones, unless it offers to do without.
	ContextTakeover bool `json:"context_takeover,omitempty"`
	// WindowBits says how far back a message to a client may refer, as a power of 2: 9 (512 bytes) to 15 (32 KiB). Default: 15.
	WindowBits uint8 `json:"window_bits,omitempty"`
	// ClientWindowBits says how far back a client's may, if it can be told: so much is kept of each client that compresses. Of
	// others it is 32 KiB. Default: 12 (4 KiB).
	ClientWindowBits uint8 `json:"client_window_bits,omitempty"`
	// Threshold is the size in bytes from which on messages are compressed. Default: 512.
	Threshold uint32 `json:"threshold,omitempty"`
	// Level is 1 (fast) to 9 (small). Default: 6.
	Level uint8 `json:"level,omitempty"`
}

// The ranges of what is given as a number.
const (
	leastWindowBits, mostWindowBits = 9, 15
	leastLevel, mostLevel           = 1, 9
)

// check is for settings that do not come from a Caddyfile. 0 is a default.
func (c *Compression) check() error {
	wrong := func(bits uint8) bool { return bits != 0 && (bits < leastWindowBits || bits > mostWindowBits) }
	switch {
	case c == nil:
		return nil
	case wrong(c.WindowBits):
		return fmt.Errorf("compression: window_bits is %d to %d, not %d", leastWindowBits, mostWindowBits, c.WindowBits)
	case wrong(c.ClientWindowBits):
		return fmt.Errorf("compression: client_window_bits is %d to %d, not %d", leastWindowBits, mostWindowBits, c.ClientWindowBits)
	case c.Level > mostLevel:
		return fmt.Errorf("compression: level is %d to %d, not %d", leastLevel, mostLevel, c.Level)
	default:
		return nil
	}
}

func (c *Compression) options() []option {
	return []option{
		{name: "context_takeover", read: into(&c.ContextTakeover, flag)},
		{name: "window_bits", syntax: "<9..15>", read: into(&c.WindowBits, within(leastWindowBits, mostWindowBits))},
		{name: "client_window_bits", syntax: "<9..15>", read: into(&c.ClientWindowBits, within(leastWindowBits, mostWindowBits))},
		{name: "threshold", syntax: "<size>", read: into(&c.Threshold, func(d *caddyfile.Dispenser) (uint32, error) {
			n, err := size(d)

			return uint32(min(n, math.MaxUint32)), err
		})},
		{name: "level", syntax: "<1..9>", read: into(&c.Level, within(leastLevel, mostLevel))},
	}
}

// parseCompression reads on, off or a block. Off is nil.
func parseCompression(d *caddyfile.Dispenser) (*Compression, error) {
	off := false
	if d.NextArg() {
		switch d.Val() {
		case "on":
		case "off":
			off = true
		default:
			return nil, d.Errf("compression is on or off, or has a block, not %q", d.Val())
		}
		if d.NextArg() {
			return nil, d.Errf("compression takes one value: %s", d.Val())
		}
	}
	if off {
		if d.NextBlock(d.Nesting()) {
			return nil, d.Errf("compression is off: %s has no meaning", d.Val())
		}

		return nil, nil
	}
	compression := new(Compression)

	return compression, readBlock(d, "compression", compression.options())
}
