package websocket

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	bridge "github.com/frankenphp-ws/frankenphp-ws/go-bridge"
	"go.uber.org/zap"
	"golang.org/x/net/http/httpguts"
)

// Handler takes over WebSocket connections. Other requests go to the next handler.
type Handler struct {
	Route

	app    *App
	logger *zap.Logger
}

// CaddyModule returns the Caddy module information.
func (Handler) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.websocket", New: func() caddy.Module { return new(Handler) }}
}

// Provision checks the settings and registers the route.
func (h *Handler) Provision(ctx caddy.Context) error {
	h.logger = ctx.Logger()

	if err := h.complete(); err != nil {
		return err
	}

	module, err := ctx.App(appID)
	if err != nil {
		return err
	}
	h.app = module.(*App)

	if err := h.app.addRoute(&h.Route); err != nil {
		return err
	}

	if server, ok := ctx.Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server); ok {
		h.app.addServer(server)
		if h.Authorize != nil {
			keepErrors(server)
		}
	}

	return nil
}

// ServeHTTP implements [caddyhttp.MiddlewareHandler].
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	if !isUpgrade(r) {
		return next.ServeHTTP(w, r)
	}

	if isAuthorizing(r.Context()) {
		return refuse(w, http.StatusLoopDetected, "a handler of the site makes the authorize request of a WebSocket ask for a WebSocket")
	}

	if err := movable(r); err != nil {
		h.logger.Warn("WebSocket refused: only plain HTTP/1.1 connections can be taken over",
			zap.String("route", h.Name), zap.String("client_ip", clientIP(r)), zap.Error(err))

		return refuse(w, http.StatusNotImplemented, "this server takes WebSocket connections over plain HTTP/1.1 only: "+err.Error())
	}

	if reason := h.unavailable(); reason != "" {
		return refuse(w, http.StatusServiceUnavailable, reason)
	}

	// The HTTP server would leave the body in front of the frames, and the client decide where it ends.
	if r.ContentLength != 0 {
		return refuse(w, http.StatusBadRequest, "a WebSocket handshake has no body")
	}

	deadline := h.deadline()
	handshake, err := h.examine(r, deadline)
	if err != nil {
		return caddyhttp.Error(http.StatusInternalServerError, fmt.Errorf("websocket route %s: %w", h.Name, err))
	}
	defer handshake.Close()

	if status := handshake.Status(); status != http.StatusSwitchingProtocols {
		handshake.Headers(w.Header().Set)

		return refuse(w, status, handshake.Text())
	}

	if h.Authorize != nil {
		ctx, cancel := context.WithDeadline(r.Context(), deadline)
		accepted, err := h.authorize(w, r.WithContext(ctx), handshake)
		cancel()
		if !accepted {
			return err
		}
	}

	handshake.Headers(w.Header().Set)
	// Through the response writer, so that the handlers before this one and the access log see it.
	answerUntil(deadline, w)
	w.WriteHeader(http.StatusSwitchingProtocols)

	if err := adopt(w, handshake); err != nil {
		// The client has its 101: nothing can be said to it any more but by the end of the connection.
		h.logger.Error("a WebSocket connection is cut: it could not be taken over",
			zap.String("route", h.Name), zap.String("client_ip", clientIP(r)), zap.Error(err))
	}

	return nil
}

// unavailable returns why no connection can be taken at the moment, if so.
func (h *Handler) unavailable() string {
	switch {
	case caddy.Exiting():
		return "the server is shutting down"
	case (!h.Echo || h.Authorize != nil) && process.gate.isDown():
		return "PHP is not running"
	default:
		return ""
	}
}

// examine puts the request to the core. One that comes for a route that is not in force yet waits until it is.
func (h *Handler) examine(r *http.Request, deadline time.Time) (*bridge.Handshake, error) {
	handshake, err := bridge.NewHandshake(h.Name, requestHead(r), clientIP(r), r.TLS != nil)
	if err != nil || handshake.Status() != http.StatusServiceUnavailable || isClosed(h.app.committed) {
		return handshake, err
	}

	ctx, cancel := context.WithDeadline(r.Context(), deadline)
	defer cancel()
	if !h.app.waitCommitted(ctx) {
		return handshake, nil
	}

	handshake.Close()

	return bridge.NewHandshake(h.Name, requestHead(r), clientIP(r), r.TLS != nil)
}

// isUpgrade tells whether r asks for a WebSocket. Whether it asks correctly is for the core to say.
func isUpgrade(r *http.Request) bool {
	if r.Method == http.MethodConnect {
		// RFC 8441 (HTTP/2) and RFC 9220 (HTTP/3); the latter as quic-go shows it.
		return r.Header.Get(":protocol") == "websocket" || r.ProtoMajor == 3 && r.Proto == "websocket"
	}

	return httpguts.HeaderValuesContainsToken(r.Header["Upgrade"], "websocket")
}

// clientIP is the client's address as Caddy sees it, trusted proxies considered.
func clientIP(r *http.Request) string {
	ip, _ := caddyhttp.GetVar(r.Context(), caddyhttp.ClientIPVarKey).(string)

	return ip
}

// refuse answers a handshake that does not lead to a connection.
func refuse(w http.ResponseWriter, status int, text string) error {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, err := w.Write([]byte(text + "\n"))

	return err
}

// Interface guards
var (
	_ caddy.Provisioner           = (*Handler)(nil)
	_ caddyhttp.MiddlewareHandler = (*Handler)(nil)
)
