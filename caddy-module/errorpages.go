package websocket

import (
	"errors"
	"net/http"
	"slices"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// plainErrors answers the errors of requests that authorise a WebSocket with their status alone, in front of the error pages
// of a server: a page made by PHP would turn any error of the site into a 200, which accepts.
type plainErrors struct{}

// ServeHTTP implements [caddyhttp.MiddlewareHandler].
func (plainErrors) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	if !isAuthorizing(r.Context()) {
		return next.ServeHTTP(w, r)
	}

	status := http.StatusInternalServerError
	err, _ := r.Context().Value(caddyhttp.ErrorCtxKey).(error)
	if of := (caddyhttp.HandlerError{}); errors.As(err, &of) && of.StatusCode >= 400 {
		status = of.StatusCode
	}
	w.WriteHeader(status)

	return nil
}

// keepErrors puts plainErrors in front of the error pages of a server, once. It is called while the server's routes are
// provisioned, which comes before those of its error pages.
func keepErrors(server *caddyhttp.Server) {
	if server.Errors == nil || len(server.Errors.Routes) == 0 {
		return
	}
	if first := server.Errors.Routes[0].Handlers; len(first) > 0 && first[0] == (plainErrors{}) {
		return
	}
	server.Errors.Routes = slices.Insert(server.Errors.Routes, 0, caddyhttp.Route{Handlers: []caddyhttp.MiddlewareHandler{plainErrors{}}})
}

// Interface guard
var _ caddyhttp.MiddlewareHandler = plainErrors{}
