package websocket

import (
	"encoding/json"
	"fmt"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"go.uber.org/zap"
)

// declared checks that the global block frankenphp declares a worker.
func declared(h httpcaddyfile.Helper, name string) error {
	var app struct {
		Workers []struct {
			Name string `json:"name"`
		} `json:"workers"`
	}
	if option, ok := h.Option("frankenphp").(httpcaddyfile.App); ok {
		if err := json.Unmarshal(option.Value, &app); err != nil {
			return fmt.Errorf("reading the global block frankenphp: %w", err)
		}
	}

	names := make([]string, 0, len(app.Workers))
	for _, w := range app.Workers {
		if w.Name == name {
			return nil
		}
		names = append(names, w.Name)
	}

	return unknownWorker(name, names)
}

// namedRoute is a route of the Caddyfile and where it stands.
type namedRoute struct {
	route Route
	at    positions
}

// claimName refuses a second meaning for the name of a route. That two directives are one route is told unless both say so
// by naming it: what they have in common then – limits, statistics, who is sent to – may be a surprise.
func claimName(h httpcaddyfile.Helper, route *Route, at positions) error {
	const key = "frankenphp-ws.routes"

	routes, ok := h.State[key].(map[string]namedRoute)
	if !ok {
		routes = make(map[string]namedRoute)
		h.State[key] = routes
	}

	first, taken := routes[route.Name]
	if !taken {
		routes[route.Name] = namedRoute{*route, at}

		return nil
	}

	if err := conflict(&first.route, route); err != nil {
		return at.directive.errorf("%w; the other is at %s", err, first.at.directive)
	}
	if !at.named || !first.at.named {
		caddy.Log().Named("http.handlers.websocket").Warn(oneRoute, zap.String("route", route.Name),
			zap.Stringer("first", first.at.directive), zap.Stringer("second", at.directive))
	}

	return nil
}

// claimApps refuses an application that another route has, too. Directives that are one route have the same.
func claimApps(h httpcaddyfile.Helper, route *Route, at positions) error {
	const key = "frankenphp-ws.apps"

	if route.Pusher == nil {
		return nil
	}
	before, _ := h.State[key].([]namedRoute)
	for _, other := range before {
		if app, what := route.Pusher.clashing(other.route.Pusher); what != "" && other.route.Name != route.Name {
			return at.apps[app].errorf("%w; the other route is at %s", clashError(route, app, what, other.route.Name), other.at.directive)
		}
	}
	h.State[key] = append(before, namedRoute{*route, at})

	return nil
}
