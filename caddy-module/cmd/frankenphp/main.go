// Command frankenphp is FrankenPHP with WebSockets: Caddy with its standard modules, FrankenPHP's and this one.
//
// `xcaddy build` makes the like of it; this one is for `go build`, which is faster while developing.
package main

import (
	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"

	_ "github.com/caddyserver/caddy/v2/modules/standard"
	_ "github.com/dunglas/frankenphp/caddy"
	_ "github.com/frankenphp-ws/frankenphp-ws/caddy-module"
)

func main() {
	// What help calls the program, and shell completion completes. FrankenPHP's own builds say so to the linker.
	caddy.CustomBinaryName = "frankenphp"

	caddycmd.Main()
}
