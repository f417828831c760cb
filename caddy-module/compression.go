package websocket

import (
	"fmt"
	"strconv"

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

// parseCompression reads the option of the directive:
//
//	compression [on|off]
//	compression {
//		context_takeover
//		window_bits        <9..15>
//		client_window_bits <9..15>
//		threshold          <size>
//		level              <1..9>
//	}
func parseCompression(d *caddyfile.Dispenser) (*Compression, error) {
	compression := new(Compression)

	if d.NextArg() {
		switch d.Val() {
		case "on":
		case "off":
			compression = nil
		default:
			return nil, d.Errf("compression is on or off, or has a block, not %q", d.Val())
		}
		if d.NextArg() {
			return nil, d.Errf("compression takes one value: %s", d.Val())
		}
	}

	seen := make(map[string]int)
	for d.NextBlock(1) {
		if err := once(d, seen); err != nil {
			return nil, err
		}
		if compression == nil {
			return nil, d.Errf("compression is off: %s has no meaning", d.Val())
		}
		option := d.Val()
		if err := compression.parseOption(d); err != nil {
			return nil, err
		}
		if d.NextBlock(2) {
			return nil, d.Errf("%s takes no block", option)
		}
	}

	return compression, nil
}

func (c *Compression) parseOption(d *caddyfile.Dispenser) error {
	switch option := d.Val(); option {
	case "context_takeover":
		c.ContextTakeover = true
		if d.NextArg() {
			return d.Errf("context_takeover takes no argument: %s", d.Val())
		}
	case "window_bits":
		n, err := within(d, leastWindowBits, mostWindowBits)
		if err != nil {
			return err
		}
		c.WindowBits = n
	case "client_window_bits":
		n, err := within(d, leastWindowBits, mostWindowBits)
		if err != nil {
			return err
		}
		c.ClientWindowBits = n
	case "threshold":
		n, err := size(d)
		if err != nil {
			return err
		}
		c.Threshold = uint32(min(n, 1<<32-1))
	case "level":
		n, err := within(d, leastLevel, mostLevel)
		if err != nil {
			return err
		}
		c.Level = n
	default:
		return d.Errf("unknown option %q of compression: it knows context_takeover, window_bits, client_window_bits, threshold and level", option)
	}

	return nil
}

// within reads a small number.
func within(d *caddyfile.Dispenser, least, most uint8) (uint8, error) {
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
