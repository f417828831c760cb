package websocket

import (
	"errors"
	"net/http"
	"sync"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// refusalTexts answers what the error pages of a server leave over, such as those of another site of the server: a refused
// handshake with its reason.
type refusalTexts struct{}

// ServeHTTP implements [caddyhttp.MiddlewareHandler].
func (refusalTexts) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	err, _ := r.Context().Value(caddyhttp.ErrorCtxKey).(error)
	var why refusedError
	var of caddyhttp.HandlerError
	if !errors.As(err, &why) || !errors.As(err, &of) {
		return next.ServeHTTP(w, r)
	}

	return writeRefusal(w, of.StatusCode, why.Error())
}

// addRefusalTexts puts refusalTexts behind the error pages of a server, once. A server without any is left alone: Caddy logs
// errors of its other handlers differently where there are some.
func addRefusalTexts(server *caddyhttp.Server) {
	if server.Errors == nil || len(server.Errors.Routes) == 0 {
		return
	}
	if last := server.Errors.Routes[len(server.Errors.Routes)-1].Handlers; len(last) > 0 && last[0] == (refusalTexts{}) {
		return
	}
	server.Errors.Routes = append(server.Errors.Routes, caddyhttp.Route{Handlers: []caddyhttp.MiddlewareHandler{refusalTexts{}}})
}

// served is what is known of a server that has a websocket handler.
type served struct {
	once  sync.Once
	pages bool // it has error pages, valid after once
	site  *authorizingSite
}

// hasErrorPages tells whether errors of the handlers that a request goes through have pages.
func (a *App) hasErrorPages(r *http.Request) bool {
	server, ok := r.Context().Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	if !ok || a == nil || a.servers[server] == nil {
		return false
	}
	known := a.servers[server]
	// Only now: while this handler was provisioned, those around it were not there yet.
	known.once.Do(func() { known.pages = hasErrorRoutes(server) })

	return known.pages
}

func hasErrorRoutes(server *caddyhttp.Server) bool {
	if server.Errors != nil && len(server.Errors.Routes) > 0 || subroutesHaveErrors(server.Routes) {
		return true
	}
	for _, named := range server.NamedRoutes {
		if subroutesHaveErrors(caddyhttp.RouteList{*named}) {
			return true
		}
	}

	return false
}

// subroutesHaveErrors tells whether there are error pages within routes, which only a JSON configuration can have.
func subroutesHaveErrors(routes caddyhttp.RouteList) bool {
	for _, route := range routes {
		for _, handler := range route.Handlers {
			if sub, ok := handler.(*caddyhttp.Subroute); ok {
				if sub.Errors != nil && len(sub.Errors.Routes) > 0 || subroutesHaveErrors(sub.Routes) {
					return true
				}
			}
		}
	}

	return false
}

// Interface guard
var _ caddyhttp.MiddlewareHandler = refusalTexts{}
