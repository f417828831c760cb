package websocket

import (
	"encoding/json"
	"errors"
	"fmt"
	"os/user"
	"path/filepath"
	"strconv"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	bridge "github.com/frankenphp-ws/frankenphp-ws/go-bridge"
	"go.uber.org/zap"
)

// Control configures the control socket, by which `frankenphp php-cli` and other programs of this machine reach the server.
type Control struct {
	// Off: there is none.
	Off bool `json:"off,omitempty"`
	// Path of the socket, absolute, at most 103 bytes. Programs find it when FRANKENPHP_WS_SOCKET names it. Default: where they look
	// for it, which is ctl.sock in /run/frankenphp-ws, if that folder exists, in $XDG_RUNTIME_DIR/frankenphp-ws, or in
	// /tmp/frankenphp-ws-UID.
	Path string `json:"path,omitempty"`
	// Mode of the socket, octal. Who may write to it may give commands. Default: 0600, or 0660 with a group.
	Mode string `json:"mode,omitempty"`
	// Group of the socket, by name or number. Default: that of the server.
	Group string `json:"group,omitempty"`
}

// maxSocketPath is what the kernel allows, less what the core appends while it makes the socket.
const maxSocketPath = 103

// encode checks the configuration and makes it what the core is told.
func (c *Control) encode() ([]byte, error) {
	if c == nil {
		return nil, nil
	}

	var told struct {
		Path  string  `json:"path,omitempty"`
		Mode  *uint32 `json:"mode,omitempty"`
		Group *uint32 `json:"group,omitempty"`
	}

	if c.Off && *c != (Control{Off: true}) {
		return nil, errors.New("control off has no path, mode or group")
	}
	if c.Path != "" && !filepath.IsAbs(c.Path) {
		return nil, fmt.Errorf("the path of the control socket must be absolute, not %q", c.Path)
	}
	if len(c.Path) > maxSocketPath {
		return nil, fmt.Errorf("the path of the control socket has %d bytes, and at most %d are possible", len(c.Path), maxSocketPath)
	}
	told.Path = c.Path

	if c.Mode != "" {
		mode, err := strconv.ParseUint(c.Mode, 8, 32)
		if err != nil || mode > 0o777 || mode&0o600 != 0o600 {
			return nil, fmt.Errorf("the mode of the control socket is an octal number as 0600, 0660 or 0666, not %q", c.Mode)
		}
		m := uint32(mode)
		told.Mode = &m
	}

	if c.Group != "" {
		id := c.Group
		if group, err := user.LookupGroup(c.Group); err == nil {
			id = group.Gid
		}
		gid, err := strconv.ParseUint(id, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("there is no group %q for the control socket", c.Group)
		}
		g := uint32(gid)
		told.Group = &g
	}

	return json.Marshal(told)
}

// serve puts the configuration in force. Without a control socket the server works all the same, so it only says so.
func (c *Control) serve(logger *zap.Logger) {
	if c != nil && c.Off {
		bridge.StopControl()

		return
	}

	config, err := c.encode()
	if err == nil {
		err = bridge.ServeControl(config)
	}
	if err != nil {
		logger.Warn("scripts on the command line cannot reach this server: it has no control socket", zap.Error(err))
	}
}

// parseControl reads the option control:
//
//	control off
//	control [<path>] {
//		mode  <octal>
//		group <name>
//	}
func parseControl(d *caddyfile.Dispenser) (*Control, error) {
	control := new(Control)
	switch args := d.RemainingArgs(); {
	case len(args) > 1:
		return nil, d.Errf("control takes off or one path, not %d values", len(args))
	case len(args) == 1 && args[0] == "off":
		control.Off = true
	case len(args) == 1:
		control.Path = args[0]
	}

	at, seen := here(d), make(map[string]int)
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		if err := once(d, seen); err != nil {
			return nil, err
		}

		var err error
		switch d.Val() {
		case "mode":
			control.Mode, err = word(d)
		case "group":
			control.Group, err = word(d)
		default:
			err = d.Errf("unknown option %q of control: it knows mode and group", d.Val())
		}
		if err != nil {
			return nil, err
		}
	}

	if _, err := control.encode(); err != nil {
		return nil, at.errorf("%w", err)
	}

	return control, nil
}
