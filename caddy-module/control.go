package websocket

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	bridge "github.com/frankenphp-ws/frankenphp-ws/go-bridge"
	"go.uber.org/zap"
)

// Control configures the control socket, by which `frankenphp php-cli` and other programs of this machine reach the server.
type Control struct {
	// Off: there is none.
	Off bool `json:"off,omitempty"`
	// Path of the socket, absolute, at most 103 bytes. Default: a socket of the server's own in /run/frankenphp-ws, if that folder
	// exists and can be used, in $XDG_RUNTIME_DIR/frankenphp-ws, or in /tmp/frankenphp-ws-UID.
	Path string `json:"path,omitempty"`
	// Mode of the socket, octal. Who may write to it may give commands. Default: 0600, or 0660 with a group.
	Mode string `json:"mode,omitempty"`
	// Group of the socket, by name or number. Default: that of the server.
	Group string `json:"group,omitempty"`
}

// maxSocketPath is what every kernel allows.
const maxSocketPath = 103

// project is what tells this server from others of the same machine: a script is for the one in whose project it is.
type project struct {
	// Directory in which the server was started.
	Directory string `json:"directory,omitempty"`
	// Config is the configuration file that it was started with.
	Config string `json:"config,omitempty"`
	// Scripts are the folders of its workers' scripts.
	Scripts []string `json:"scripts,omitempty"`
}

// findProject says what this server belongs to, with absolute paths. arguments are those of the process.
func findProject(arguments, scripts []string) project {
	var p project
	if directory, err := os.Getwd(); err == nil {
		p.Directory = directory
	}
	if config := configFile(arguments); config != "" {
		if absolute, err := filepath.Abs(config); err == nil {
			p.Config = absolute
		}
	}
	for _, script := range scripts {
		if absolute, err := filepath.Abs(script); err == nil && script != "" {
			p.Scripts = append(p.Scripts, filepath.Dir(absolute))
		}
	}
	slices.Sort(p.Scripts)
	p.Scripts = slices.Compact(p.Scripts)

	return p
}

// configFile is the configuration file that Caddy was started with: what an option names, or the Caddyfile that is there; empty if
// it was started without one. Caddy itself does not tell it to modules.
func configFile(arguments []string) string {
	if len(arguments) < 2 || arguments[1] != "run" && arguments[1] != "start" {
		return ""
	}
	for i, argument := range arguments[2:] {
		name, value, given := strings.Cut(argument, "=")
		switch {
		case name == "--config" || name == "-c":
			if !given && i+3 < len(arguments) {
				value = arguments[i+3]
			}
		case strings.HasPrefix(name, "-c") && len(argument) > 2:
			value = argument[2:]
		default:
			continue
		}
		if value == "-" { // standard input
			return ""
		}

		return value
	}
	if found, err := os.Stat("Caddyfile"); err == nil && found.Mode().IsRegular() {
		return "Caddyfile"
	}

	return ""
}

// encode checks the configuration and makes it what the core is told.
func (c *Control) encode(p project) ([]byte, error) {
	var told struct {
		Off     bool    `json:"off,omitempty"`
		Path    string  `json:"path,omitempty"`
		Mode    *uint32 `json:"mode,omitempty"`
		Group   *uint32 `json:"group,omitempty"`
		Project project `json:"project"`
	}
	told.Project = p

	if c == nil {
		return json.Marshal(told)
	}

	told.Off = c.Off
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
func (c *Control) serve(p project, logger *zap.Logger) {
	config, err := c.encode(p)
	if err == nil {
		err = bridge.ServeControl(config)
	}
	if err != nil {
		logger.Warn("scripts on the command line cannot reach this server: it has no control socket", zap.Error(err))
	}
}

func (c *Control) options() []option {
	return []option{
		{name: "mode", syntax: "<octal>", read: into(&c.Mode, word)},
		{name: "group", syntax: "<name>", read: into(&c.Group, word)},
	}
}

// parseControl reads off, or a path, or neither, and a block.
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

	at := here(d)
	if err := readBlock(d, "control", control.options()); err != nil {
		return nil, err
	}
	if _, err := control.encode(project{}); err != nil {
		return nil, at.errorf("%w", err)
	}

	return control, nil
}
