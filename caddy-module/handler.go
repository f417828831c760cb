package websocket

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/frankenphp-ws/frankenphp-ws/caddy-module/internal/stream"
	bridge "github.com/frankenphp-ws/frankenphp-ws/go-bridge"
	"go.uber.org/zap"
	"golang.org/x/net/http/httpguts"
)

// Handler takes over WebSocket connections. Other requests go to the next handler, but calls of the HTTP API of a route that speaks the Pusher
// protocol.
type Handler struct {
	Route

	app    *App
	logger *zap.Logger

	cut, scarce burst
}

// CaddyModule returns the Caddy module information.
func (*Handler) CaddyModule() caddy.ModuleInfo {
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
		addRefusalTexts(server)
	}

	return nil
}

// ServeHTTP implements [caddyhttp.MiddlewareHandler].
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	if !isUpgrade(r) {
		if isOtherConnect(r) {
			return h.refuse(w, r, http.StatusNotImplemented, "of the protocols of an extended CONNECT only websocket is spoken here")
		}

		if h.Pusher != nil && isCall(r) {
			return h.call(w, r)
		}

		return next.ServeHTTP(w, r)
	}

	attempt := attemptOf(r)
	attempt.take()

	if status, reason := h.obstacle(w, r); reason != "" {
		return h.refuse(w, r, status, reason)
	}

	deadline := h.deadline()
	handshake, err := h.examine(r, deadline)
	if err != nil {
		return caddyhttp.Error(http.StatusInternalServerError, fmt.Errorf("websocket route %s: %w", h.Name, err))
	}
	defer handshake.Close()

	// 200 is for an extended CONNECT.
	if status := handshake.Status(); status != http.StatusSwitchingProtocols && status != http.StatusOK {
		setHeaders(w.Header(), handshake)

		return h.refuse(w, r, status, handshake.Text())
	}

	if h.Authorize != nil {
		if accepted, err := h.authorize(w, r, handshake, deadline); !accepted {
			return err
		}
	}

	return h.open(w, r, attempt, handshake, deadline)
}

// open makes a connection of a request that may have one.
func (h *Handler) open(w http.ResponseWriter, r *http.Request, attempt *attempt, handshake *bridge.Handshake, deadline time.Time) error {
	reserved, err := h.reserve(r)
	if err != nil {
		handshake.Deny()
		w.Header().Set("Connection", "close") // kept for another request, it would still take a descriptor

		return h.refuse(w, r, http.StatusServiceUnavailable, "the server has no room for another connection")
	}
	defer reserved.release()

	// Before the answer: who is told its id by the client's first words must find it.
	switch err := handshake.Enter(transportOf(r)); {
	case errors.Is(err, bridge.ErrStale):
		return h.refuse(w, r, handshake.Status(), handshake.Text())
	case err != nil:
		return caddyhttp.Error(http.StatusInternalServerError, fmt.Errorf("websocket route %s: %w", h.Name, err))
	}

	setHeaders(w.Header(), handshake)
	answerUntil(deadline, w)
	if r.ProtoMajor == 3 {
		h.app.http3.Add(r)
	}

	err = accept(w, r, attempt, handshake, reserved)
	if errors.Is(err, stream.ErrHeldBack) {
		handshake.Deny()

		return caddyhttp.Error(http.StatusNotImplemented, err)
	}
	if err != nil {
		// The client has its answer: nothing can be said to it any more but by the end of the connection.
		h.cut.log(time.Now(), func(before int) {
			h.logger.Error("a WebSocket connection is cut: it could not be taken over", zap.String("route", h.Name),
				zap.String("client_ip", clientIP(r)), zap.Int("and_before", before), zap.Error(err))
		})
	}
	if errors.Is(err, stream.ErrNotTaken) {
		// The server would wait for another request of a client that was told to send frames.
		panic(http.ErrAbortHandler)
	}

	return nil
}

// reserve gets what the connection needs to move into the core.
func (h *Handler) reserve(r *http.Request) (*reserved, error) {
	reserved, err := reserve(r)
	if err != nil {
		h.scarce.log(time.Now(), func(before int) {
			h.logger.Error("WebSockets are refused with 503: there is no descriptor for them", zap.String("route", h.Name),
				zap.String("client_ip", clientIP(r)), zap.Int("and_before", before), zap.Error(err))
		})
	}

	return reserved, err
}

// setHeaders sets those that a handshake's answer needs, spelt as RFC 6455 does: there are clients that do not find them
// otherwise, although case means nothing in them.
func setHeaders(header http.Header, handshake *bridge.Handshake) {
	handshake.Headers(func(name, value string) {
		header.Del(name)
		header[name] = []string{value}
	})
}

// obstacle returns why an upgrade request cannot be taken, whatever the core says of it.
func (h *Handler) obstacle(w http.ResponseWriter, r *http.Request) (status int, reason string) {
	switch {
	case isAuthorizing(r.Context()):
		return http.StatusLoopDetected, "a handler of the site makes the authorize request of a WebSocket ask for a WebSocket"
	case isEarly(r):
		return http.StatusTooEarly, "this request may be a replay: it came before the TLS handshake was over; send it again"
	case r.ProtoMajor == 1 && r.ContentLength != 0:
		// The HTTP server would leave the body in front of the frames, and the client decide where it ends.
		return http.StatusBadRequest, "a WebSocket handshake has no body"
	case !stream.Reachable(w, r.ProtoMajor):
		return http.StatusNotImplemented, "a handler in front of this one hides the connection"
	}
	if reason := h.unavailable(); reason != "" {
		return http.StatusServiceUnavailable, reason
	}

	return 0, ""
}

// isEarly tells whether a request came in TLS's early data (0-RTT), of HTTP/3 or, as a proxy says it (RFC 8470, 5.1), of the
// client's connection to that. Anybody who has recorded such a request can send it again, for as long as the TLS handshake
// is not over, and would open another connection for each copy.
func isEarly(r *http.Request) bool {
	return r.ProtoMajor == 3 && r.TLS != nil && !r.TLS.HandshakeComplete || r.Header.Get("Early-Data") == "1"
}

// accept answers a request whose handshake is right and gives its connection to the core. The answer goes through the
// response writer, so that the handlers before this one and the access log see it.
func accept(w http.ResponseWriter, r *http.Request, attempt *attempt, handshake *bridge.Handshake, reserved *reserved) error {
	switch r.ProtoMajor {
	case 1:
		w.WriteHeader(http.StatusSwitchingProtocols)

		return adopt(w, handshake, transportOf(r), reserved)
	case 2:
		return process.pipes.ServeHTTP2(w, attempt.body, handshake)
	default:
		return process.pipes.ServeHTTP3(w, handshake)
	}
}

// unavailable returns why no connection can be taken at the moment, if so.
func (h *Handler) unavailable() string {
	switch {
	case caddy.Exiting():
		return "the server is shutting down"
	case (h.Pusher == nil && len(h.workers()) > 0 || h.Authorize != nil) && process.gate.isDown():
		return "PHP is not running"
	default:
		return ""
	}
}

// examine puts the request to the core. One that comes for a route that is not in force yet waits until it is.
func (h *Handler) examine(r *http.Request, deadline time.Time) (*bridge.Handshake, error) {
	handshake, err := h.newHandshake(r)
	if err != nil || handshake.Status() != http.StatusServiceUnavailable || isClosed(h.app.committed) {
		return handshake, err
	}

	ctx, cancel := context.WithDeadline(r.Context(), deadline)
	defer cancel()
	if !h.app.waitCommitted(ctx) {
		return handshake, nil
	}

	handshake.Close()

	return h.newHandshake(r)
}

func (h *Handler) newHandshake(r *http.Request) (*bridge.Handshake, error) {
	path := sentPath(r)
	if h.Pusher != nil {
		path = pusherPath(r)
	}
	if r.ProtoMajor > 1 {
		return bridge.NewConnectHandshake(h.Name, requestHead(r, path), clientIP(r))
	}

	return bridge.NewHandshake(h.Name, requestHead(r, path), clientIP(r))
}

// isUpgrade tells whether r asks for a WebSocket. Whether it asks correctly is for the core to say.
func isUpgrade(r *http.Request) bool {
	switch {
	case r.ProtoMajor == 1:
	case r.Method == http.MethodConnect:
		return connectProtocol(r) == "websocket"
	default:
		return false
	}

	return httpguts.HeaderValuesContainsToken(r.Header["Upgrade"], "websocket")
}

// isOtherConnect tells whether r is an extended CONNECT, which no handler behind this one expects, for something else.
func isOtherConnect(r *http.Request) bool {
	return r.Method == http.MethodConnect && r.ProtoMajor > 1 && connectProtocol(r) != ""
}

// connectProtocol is the :protocol of an extended CONNECT: of HTTP/2 (RFC 8441) as x/net/http2 shows it, of HTTP/3 (RFC 9220)
// as quic-go does.
func connectProtocol(r *http.Request) string {
	if r.ProtoMajor == 3 {
		if strings.HasPrefix(r.Proto, "HTTP/") {
			return ""
		}

		return r.Proto
	}

	return r.Header.Get(protocolHeader)
}

const protocolHeader = ":protocol"

// clientIP is the client's address as Caddy sees it, trusted proxies considered.
func clientIP(r *http.Request) string {
	ip, _ := caddyhttp.GetVar(r.Context(), caddyhttp.ClientIPVarKey).(string)

	return ip
}

// refusedError is why a handshake leads to no connection, for the error pages of a site, and for the client where there are none.
type refusedError string

func (r refusedError) Error() string { return string(r) }

// refuse answers a handshake that does not lead to a connection, or leaves that to the error pages of the site. Headers that
// are set already are kept by both.
func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, status int, text string) error {
	if h.app.hasErrorPages(r) {
		return caddyhttp.Error(status, refusedError(text))
	}

	return writeRefusal(w, status, text)
}

func writeRefusal(w http.ResponseWriter, status int, text string) error {
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
