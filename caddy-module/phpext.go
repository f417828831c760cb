package websocket

// The PHP functions. The package registers the extension with PHP and has no Go API.
import _ "github.com/frankenphp-ws/frankenphp-ws/caddy-module/phpext"
