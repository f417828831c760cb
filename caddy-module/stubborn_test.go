package websocket

import (
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// stubbornHandler is a directive test_stubborn for tests: it calls stubborn and then accepts.
type stubbornHandler struct{}

var stubborn func()

func init() {
	caddy.RegisterModule(new(stubbornHandler))
	httpcaddyfile.RegisterHandlerDirective("test_stubborn", func(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
		h.Next()

		return new(stubbornHandler), nil
	})
	httpcaddyfile.RegisterDirectiveOrder("test_stubborn", httpcaddyfile.Before, "respond")
}

func (stubbornHandler) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.test_stubborn", New: func() caddy.Module { return new(stubbornHandler) }}
}

func (stubbornHandler) ServeHTTP(w http.ResponseWriter, _ *http.Request, _ caddyhttp.Handler) error {
	stubborn()
	w.Header().Set("WebSocket-Authorize", "accept")
	w.WriteHeader(http.StatusNoContent)

	return nil
}
