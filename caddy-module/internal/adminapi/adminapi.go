// Package adminapi serves what can be asked of the core over HTTP, below /websocket/ of Caddy's admin endpoint.
//
// It owns the endpoints, their parameters, answers and status codes. What they ask is a command of package command. Who may use them, and
// on which address, is Caddy's matter. docs/admin-api.md describes them for users.
package adminapi

import (
	"github.com/caddyserver/caddy/v2"

	"github.com/frankenphp-ws/frankenphp-ws/caddy-module/internal/command"
)

// Routes are all endpoints. They ask door.
func Routes(door command.Door) []caddy.AdminRoute {
	resources := make(map[string]resource)
	for _, e := range endpoints {
		if resources[e.pattern] == nil {
			resources[e.pattern] = make(resource)
		}
		resources[e.pattern][e.method] = e
	}

	routes := []caddy.AdminRoute{{Pattern: "/websocket/", Handler: caddy.AdminHandlerFunc(noSuchEndpoint)}}
	for pattern, methods := range resources {
		routes = append(routes, caddy.AdminRoute{Pattern: pattern, Handler: handler(door, methods)})
	}

	return routes
}
