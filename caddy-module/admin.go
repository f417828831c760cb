package websocket

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyevents"
	bridge "github.com/frankenphp-ws/frankenphp-ws/go-bridge"
)

// Admin adds to Caddy's admin endpoint:
//
//	GET /websocket/stats    the counters of the core, a JSON object
type Admin struct{}

// CaddyModule returns the Caddy module information.
func (Admin) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "admin.api.websocket", New: func() caddy.Module { return new(Admin) }}
}

// Provision closes the gate for a configuration that the App has no part in: one without WebSockets restarts PHP as well,
// while the connections of the one before are still there. The admin endpoint is provisioned with every configuration.
func (*Admin) Provision(ctx caddy.Context) error {
	if !bridge.Running() {
		return nil
	}

	module, err := ctx.App("events")
	if err != nil {
		return err
	}

	hold := &gateHold{gate: process.gate}
	if err := module.(*caddyevents.App).On("started", eventHandler(func() { hold.end(startedState(ctx)) })); err != nil {
		return nil // the configuration has started: this is its remote endpoint
	}

	hold.take(gateWait)
	context.AfterFunc(ctx, func() { hold.end(phpUnknown) })

	return nil
}

// Routes implements [caddy.AdminRouter].
func (a *Admin) Routes() []caddy.AdminRoute {
	return []caddy.AdminRoute{{Pattern: "/websocket/stats", Handler: caddy.AdminHandlerFunc(a.stats)}}
}

func (*Admin) stats(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodGet {
		w.Header().Set("Allow", http.MethodGet)

		return caddy.APIError{HTTPStatus: http.StatusMethodNotAllowed, Err: fmt.Errorf("%s is not allowed: use GET", r.Method)}
	}

	stats, err := bridge.Stats()
	if errors.Is(err, bridge.ErrNotRunning) {
		return caddy.APIError{HTTPStatus: http.StatusServiceUnavailable, Err: errors.New("no configuration with a websocket handler has been loaded")}
	}
	if err != nil {
		return caddy.APIError{HTTPStatus: http.StatusInternalServerError, Err: err}
	}

	w.Header().Set("Content-Type", "application/json")
	_, err = w.Write(append(stats, '\n'))

	return err
}

// Interface guards
var (
	_ caddy.Provisioner = (*Admin)(nil)
	_ caddy.AdminRouter = (*Admin)(nil)
)
