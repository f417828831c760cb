package websocket

import (
	"context"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyevents"
	"github.com/frankenphp-ws/frankenphp-ws/caddy-module/internal/adminapi"
	bridge "github.com/frankenphp-ws/frankenphp-ws/go-bridge"
)

// Admin adds to Caddy's admin endpoint everything that can be asked of the core, below /websocket/: see package adminapi, and
// docs/admin-api.md for users. Who may use it is Caddy's matter, as for the rest of the endpoint.
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
func (*Admin) Routes() []caddy.AdminRoute { return adminapi.Routes(bridge.Command) }

// Interface guards
var (
	_ caddy.Provisioner = (*Admin)(nil)
	_ caddy.AdminRouter = (*Admin)(nil)
)
