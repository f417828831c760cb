package websocket

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	bridge "github.com/frankenphp-ws/frankenphp-ws/go-bridge"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"golang.org/x/net/http/httpguts"
)

// defaultAuthorizeTimeout is the time limit where none is configured.
const defaultAuthorizeTimeout = 10 * time.Second

// Authorize puts each upgrade request to the site itself before it is accepted: an internal request, by GET and without a
// body, with the client's cookies and headers, goes the site's own way, as one from outside would. A 2xx with the header
// WebSocket-Authorize: accept accepts, and its other headers may set the connection's id, sub-protocol, tags and stored
// information ([grant]). A status other than 2xx is the answer that the client gets. Everything else refuses.
type Authorize struct {
	// URI is what is requested: a path and perhaps a query. Placeholders are replaced, with their values escaped.
	URI string `json:"uri"`
	// Timeout is how long the answer may take, with the time that the request waits to be sent; then the client gets 504, or
	// 503 if it was not sent. Default: 10s.
	Timeout caddy.Duration `json:"timeout,omitempty"`
	// CopyResponseHeaders are those of a 2xx that go onto the 101, besides Set-Cookie, which always does. Default: none.
	CopyResponseHeaders []string `json:"copy_response_headers,omitempty"`
}

// check refuses what could not work.
func (a *Authorize) check() error {
	if !strings.HasPrefix(a.URI, "/") || strings.ContainsAny(a.URI, "# \t\r\n") {
		return fmt.Errorf("authorize takes a path of this site, perhaps with a query, as in /ws-auth?room={query.room}, not %q", a.URI)
	}

	path, _, _ := strings.Cut(a.URI, "?")
	if _, err := unescapedPath(caddy.NewEmptyReplacer().ReplaceAll(path, "x")); err != nil {
		return fmt.Errorf("the path of authorize %w: %q", err, a.URI)
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

// undecided is why the site did not settle whether a WebSocket is allowed: it is refused.
type undecided struct {
	status int // the client's answer
	level  zapcore.Level
	what   string // for the log, always in the same words
	err    error
	fields []zap.Field
	// retryAfter is when the client may try again, if that is known.
	retryAfter time.Duration
	text       string // for the client, in place of the one for the status
}

// authorize asks the site whether the connection may be opened. If not, the client has been answered. The handshake is
// accepted by the core already, and holds its place meanwhile.
func (h *Handler) authorize(w http.ResponseWriter, r *http.Request, handshake *bridge.Handshake, deadline time.Time) (accepted bool, err error) {
	ctx, cancel := context.WithDeadline(r.Context(), deadline)
	defer cancel()

	asking, asked := context.WithTimeout(ctx, h.Authorize.timeout())
	answer, refused := h.ask(asking, r)
	asked()
	if refused == nil && answer.isSuccess() {
		if refused = h.follow(ctx, handshake, answer); refused == nil {
			h.Authorize.copyHeaders(w.Header(), answer.header)

			return true, nil
		}
	}

	// Before the answer, which a client may be slow to take.
	handshake.Deny()

	if refused == nil {
		if answer.err != nil && answer.status >= 500 { // nobody else logs it
			h.logUndecided(r, &undecided{status: answer.status, level: zap.ErrorLevel, err: answer.err, what: askFailed})
		}

		return false, answer.writeTo(w)
	}

	h.logUndecided(r, refused)
	if refused.retryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(refused.retryAfter/time.Second)))
	}

	return false, h.refuse(w, r, refused.status, cmp.Or(refused.text, refusals[refused.status]))
}

// follow gives a handshake what an answer of 2xx says, if the answer says yes.
func (h *Handler) follow(ctx context.Context, handshake *bridge.Handshake, answer *answer) *undecided {
	if err := saysYes(answer.header); err != nil {
		return &undecided{
			status: http.StatusInternalServerError, level: zap.ErrorLevel, err: err,
			what: "WebSocket refused: the answer to its authorize request does not say yes",
			fields: []zap.Field{
				zap.Int("answer_status", answer.status), zap.String("answer_content_type", answer.header.Get("Content-Type")),
				zap.String("hint", howToSayYes),
			},
		}
	}

	switch status, err := grant(ctx, handshake, answer.header); {
	case err == nil:
		return nil
	case status == http.StatusConflict: // the visitor's doing
		return &undecided{status: status, level: zap.InfoLevel, err: err, what: "WebSocket refused: another client has its id"}
	default:
		return &undecided{status: status, level: zap.ErrorLevel, err: err, what: "WebSocket refused: the answer to its authorize request cannot be followed"}
	}
}

// howToSayYes is for whoever reads the log.
const howToSayYes = "only a 2xx with the header WebSocket-Authorize: accept opens a WebSocket. In PHP, once it is clear that the visitor may connect, " +
	"and before anything is printed: header('WebSocket-Authorize: accept'). If the page does that already, then another one answered: look at the path after authorize"

// logUndecided writes to the log why a WebSocket was refused, once in a burst. The URI is the one of the configuration: its
// placeholders stand for what the visitor sent, which may be secret.
func (h *Handler) logUndecided(r *http.Request, refused *undecided) {
	process.bursts.of(trouble{refused.what, h.Name}).log(time.Now(), func(before int) {
		h.logger.Log(refused.level, refused.what, append([]zap.Field{
			zap.String("route", h.Name), zap.String("authorize", h.Authorize.URI), zap.String("client_ip", clientIP(r)),
			zap.Int("status", refused.status), zap.Int("and_before", before), zap.Error(refused.err),
		}, refused.fields...)...)
	})
}

// refusals are what clients are told; the reasons are for the log.
var refusals = map[int]string{
	http.StatusBadRequest:          "the request cannot be put to the site",
	http.StatusConflict:            "another client has this id",
	http.StatusInternalServerError: "the site did not settle whether this WebSocket is allowed; its log says why",
	http.StatusServiceUnavailable:  "too many WebSockets wait to be let in; try again later",
	http.StatusGatewayTimeout:      "the site did not say in time whether this WebSocket is allowed",
}

// ask puts the request to the site, when it is its turn, and waits for the answer until ctx ends.
func (h *Handler) ask(ctx context.Context, r *http.Request) (*answer, *undecided) {
	site, err := h.app.siteOf(r)
	if err != nil {
		return nil, &undecided{status: http.StatusInternalServerError, level: zap.ErrorLevel, err: err, what: askFailed}
	}

	target, err := h.Authorize.target(r)
	if err != nil { // the visitor's doing
		return nil, &undecided{status: http.StatusBadRequest, level: zap.InfoLevel, err: err, what: "WebSocket refused: its request cannot be put to the site"}
	}

	turn, err := process.turns.take(ctx, h.Name, neighbourhood(clientIP(r)))
	if err != nil {
		return nil, withoutTurn(err)
	}
	if hasLeft(r) {
		process.turns.unused(turn)

		return nil, withoutTurn(context.Canceled)
	}

	answer, err := answerOf(site, subrequest(ctx, r, target, h.Name), func() { process.turns.done(turn) })
	switch {
	case err == nil:
		return answer, nil
	case ctx.Err() == nil:
		return nil, &undecided{status: http.StatusInternalServerError, level: zap.ErrorLevel, err: err, what: askFailed}
	case errors.Is(err, context.DeadlineExceeded):
		process.turns.gaveUp()

		return nil, &undecided{
			status: http.StatusGatewayTimeout, level: zap.WarnLevel, err: err, what: "WebSocket refused: its authorize request was not answered in time",
			fields: []zap.Field{zap.Duration("timeout", h.Authorize.timeout()), zap.Duration("handshake_timeout", h.handshakeTimeout())},
		}
	default:
		process.turns.gaveUp()

		return nil, withoutTurn(err)
	}
}

const askFailed = "WebSocket refused: its authorize request failed"

// withoutTurn is for a handshake that was refused or given up before it was answered.
func withoutTurn(err error) *undecided {
	refused := &undecided{status: http.StatusServiceUnavailable, level: zap.WarnLevel, err: err}
	if busy := new(busyError); errors.As(err, &busy) {
		refused.what, refused.retryAfter = "WebSocket refused at once: its authorize request would have waited for too long", busy.retryAfter

		return refused
	}

	switch {
	case errors.Is(err, errNoTurn):
		refused.what, refused.retryAfter = "WebSocket refused: its authorize request has waited for too long", time.Second
	case errors.Is(err, errStopping):
		refused.level, refused.what, refused.text = zap.InfoLevel, "WebSocket refused: the server is shutting down", err.Error()
	default:
		refused.level, refused.what = zap.InfoLevel, "WebSocket given up: its client has left before the site had answered"
	}

	return refused
}

// neighbourhood is what an address shares with those that one client can choose from: IPv6 networks have 64 bits. The core
// counts in the same way.
func neighbourhood(ip string) string {
	address, err := netip.ParseAddr(ip)
	if err != nil {
		return "" // a Unix socket
	}
	address = address.Unmap().WithZone("")
	if address.Is4() {
		return address.String()
	}
	network, err := address.Prefix(64)
	if err != nil {
		return ""
	}

	return network.Addr().String()
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

	unescaped, err := unescapedPath(path)
	if err != nil {
		// The path is not shown, for it may hold what is secret.
		return nil, fmt.Errorf("with what the visitor sent in place of its placeholders, the path of authorize %w", err)
	}

	return &url.URL{Path: unescaped, RawPath: path, RawQuery: query}, nil
}

// unescapedPath is the path of a request, unless it could be another one for who reads it differently.
func unescapedPath(path string) (string, error) {
	unescaped, err := url.PathUnescape(path)
	switch {
	case err != nil:
		return "", errors.New("is not encoded as a path")
	case slices.Contains(strings.FieldsFunc(unescaped, isSlash), "..") || strings.ContainsRune(unescaped, 0):
		return "", errors.New("has a .. or a NUL byte")
	default:
		return unescaped, nil
	}
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
