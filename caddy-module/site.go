package websocket

import (
	"errors"
	"net/http"
	"sync"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// authorizingSite is a server of Caddy to a request that authorises another one. Such a request goes through all routes of
// the server, as one of a visitor does. It does not get what is around them for visitors:
//
//   - The access log: it would show the upgrade request's query in X-Original-Uri, where the filters of the site do not
//     look for it, and its cookies once more. The upgrade request itself is logged as the site says.
//   - The error pages of handle_errors: they answer with the status that they like.
type authorizingSite struct {
	server *caddyhttp.Server
	routes func() caddyhttp.Handler
}

// newAuthorizingSite is called while the server is provisioned. Its routes are complete once it serves requests.
func newAuthorizingSite(server *caddyhttp.Server) *authorizingSite {
	return &authorizingSite{server: server, routes: sync.OnceValue(func() caddyhttp.Handler {
		return server.Routes.Compile(caddyhttp.HandlerFunc(func(http.ResponseWriter, *http.Request) error { return nil }))
	})}
}

// ServeHTTP implements [caddyhttp.Handler].
func (s *authorizingSite) ServeHTTP(w http.ResponseWriter, r *http.Request) error {
	w.Header()["Server"] = []string{"Caddy"} // as it is when handlers see it; FrankenPHP would set its own

	return s.routes().ServeHTTP(w, caddyhttp.PrepareRequest(r, caddy.NewReplacer(), w, s.server))
}

// siteOf is the site that a request came to.
func (a *App) siteOf(r *http.Request) (caddyhttp.Handler, error) {
	server, ok := r.Context().Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	if !ok {
		return nil, errors.New("the request did not come through a server of Caddy")
	}
	if known := a.servers[server]; known != nil {
		return known.site, nil
	}

	return newAuthorizingSite(server), nil // a handler that is shared by servers was provisioned for another one
}

// Interface guard
var _ caddyhttp.Handler = (*authorizingSite)(nil)
