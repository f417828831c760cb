package websocket

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	bridge "github.com/frankenphp-ws/frankenphp-ws/go-bridge"
	"go.uber.org/zap"
	"golang.org/x/net/http/httpguts"
)

// defaultAuthorizeTimeout is the time limit where none is configured.
const defaultAuthorizeTimeout = 10 * time.Second

// Authorize puts each upgrade request to the site itself before it is accepted: an internal request, by GET and without a
// body, with the client's cookies and headers, goes the site's own way, as one from outside would. A 2xx accepts, and its
// headers may set the connection's id, sub-protocol, tags and stored information ([grant]). Any other status is the answer
// that the client gets. Whatever goes wrong refuses.
type Authorize struct {
	// URI is what is requested: a path and perhaps a query. Placeholders are replaced, with their values escaped.
	URI string `json:"uri"`
	// Timeout is how long the answer may take; then the client gets 504. Default: 10s.
	Timeout caddy.Duration `json:"timeout,omitempty"`
	// CopyResponseHeaders are those of a 2xx that go onto the 101, besides Set-Cookie, which always does. Default: none.
	CopyResponseHeaders []string `json:"copy_response_headers,omitempty"`
}

// check refuses what could not work.
func (a *Authorize) check() error {
	if !strings.HasPrefix(a.URI, "/") || strings.ContainsAny(a.URI, "# \t\r\n") {
		return fmt.Errorf("authorize takes a path of this site, perhaps with a query, as in /ws-auth?room={query.room}, not %q", a.URI)
	}

	if a.Timeout < 0 {
		return fmt.Errorf("the timeout of authorize is a duration as in 10s, not %s", time.Duration(a.Timeout))
	}

	for _, name := range a.CopyResponseHeaders {
		if !httpguts.ValidHeaderFieldName(name) {
			return fmt.Errorf("copy_response_headers: %q is not the name of a header", name)
		}
		if isOfTheConnection(http.CanonicalHeaderKey(name)) {
			return fmt.Errorf("copy_response_headers: %s is not a header that could be copied: it belongs to the connection or to the handshake", name)
		}
	}

	return nil
}

// timeout is the time limit.
func (a *Authorize) timeout() time.Duration {
	if a.Timeout == 0 {
		return defaultAuthorizeTimeout
	}

	return time.Duration(a.Timeout)
}

// authorize asks the site whether the connection may be opened. If not, the client has been answered. The handshake is
// accepted by the core already, and holds its place meanwhile.
func (h *Handler) authorize(w http.ResponseWriter, r *http.Request, handshake *bridge.Handshake) (accepted bool, err error) {
	answer, status, err := h.ask(r)
	if err == nil && answer.accepts() {
		if status, err = grant(r.Context(), handshake, answer.header); err == nil {
			h.Authorize.copyHeaders(w.Header(), answer.header)

			return true, nil
		}
	}

	// Before the answer, which a client may be slow to take.
	handshake.Deny()

	if err == nil {
		return false, answer.writeTo(w)
	}

	level := h.logger.Error
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, bridge.ErrIDTaken), status == http.StatusBadRequest: // the visitor's doing
		level = h.logger.Info
	case errors.Is(err, context.DeadlineExceeded):
		level = h.logger.Warn
	}
	level("WebSocket refused: its authorize request did not settle whether it is allowed", zap.String("route", h.Name),
		zap.String("authorize", h.Authorize.URI), zap.String("client_ip", clientIP(r)), zap.Int("status", status), zap.Error(err))

	return false, h.refuse(w, r, status, refusals[status])
}

// refusals are what clients are told; the reasons are for the log.
var refusals = map[int]string{
	http.StatusBadRequest:          "the request cannot be put to the site",
	http.StatusConflict:            "another client has this id",
	http.StatusInternalServerError: "the site did not settle whether this WebSocket is allowed; its log says why",
	http.StatusServiceUnavailable:  "the request was given up",
	http.StatusGatewayTimeout:      "the site did not say in time whether this WebSocket is allowed",
}

// ask puts the request to the site. status is what an error means to the client.
func (h *Handler) ask(r *http.Request) (answer *answer, status int, err error) {
	server, ok := r.Context().Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	if !ok {
		return nil, http.StatusInternalServerError, errors.New("the request did not come through a server of Caddy")
	}

	target, err := h.Authorize.target(r)
	if err != nil {
		return nil, http.StatusBadRequest, err
	}

	ctx, cancel := context.WithTimeout(r.Context(), h.Authorize.timeout())
	defer cancel()

	answer, err = answerOf(server, subrequest(ctx, r, target, h.Name))
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return nil, http.StatusGatewayTimeout, fmt.Errorf("no answer within %s: %w", h.Authorize.timeout(), err)
	case errors.Is(err, context.Canceled):
		return nil, http.StatusServiceUnavailable, fmt.Errorf("the client has gone: %w", err)
	case err != nil:
		return nil, http.StatusInternalServerError, err
	default:
		return answer, 0, nil
	}
}

// target is the URI with its placeholders replaced. Their values come from the visitor: none may end the part of the URI it
// stands in.
func (a *Authorize) target(r *http.Request) (*url.URL, error) {
	repl, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	if !ok {
		repl = caddy.NewReplacer()
	}

	path, query, _ := strings.Cut(a.URI, "?")
	path, err := repl.ReplaceFunc(path, func(_ string, value any) (any, error) {
		return (&url.URL{Path: caddy.ToString(value)}).EscapedPath(), nil
	})
	if err != nil {
		return nil, err
	}
	query, err = repl.ReplaceFunc(query, func(name string, value any) (any, error) {
		if name == "http.request.uri.query" || name == "http.request.orig_uri.query" {
			return value, nil // a whole query, escaped as it came
		}

		return url.QueryEscape(caddy.ToString(value)), nil
	})
	if err != nil {
		return nil, err
	}

	unescaped, err := url.PathUnescape(path)
	if err != nil {
		return nil, fmt.Errorf("the path %q: %w", shortened(path), err)
	}
	if slices.Contains(strings.FieldsFunc(unescaped, isSlash), "..") || strings.ContainsRune(unescaped, 0) {
		return nil, fmt.Errorf("the path %q does not stay where authorize puts it", shortened(path))
	}

	return &url.URL{Path: unescaped, RawPath: path, RawQuery: query}, nil
}

func isSlash(r rune) bool {
	return r == '/' || r == '\\'
}

// copyHeaders puts headers of the site's answer onto the 101.
func (a *Authorize) copyHeaders(to, from http.Header) {
	for _, cookie := range from["Set-Cookie"] {
		to.Add("Set-Cookie", cookie)
	}

	for _, name := range a.CopyResponseHeaders {
		name = http.CanonicalHeaderKey(name)
		if values := from[name]; len(values) > 0 && name != "Set-Cookie" {
			to[name] = values
		}
	}
}
