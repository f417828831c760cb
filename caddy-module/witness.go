package websocket

import (
	"context"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"
)

// witness sees every request of a server before its handlers do. It is put among the matchers of the server's first route,
// since a server of Caddy has no other place for what comes first: it looks like a matcher, and decides nothing.
type witness struct {
	app *App
	// matches is what the first route would answer without it, where it had no matchers.
	matches bool
}

// install puts a witness into a server whose matchers are provisioned, and whose handlers are not yet compiled: that is so
// while the handlers are provisioned.
func (a *App) installWitness(server *caddyhttp.Server) {
	if len(server.Routes) == 0 {
		return // the handler is in a named route that nothing invokes
	}

	first := &server.Routes[0]
	all := len(first.MatcherSets) == 0
	first.MatcherSets = slices.Insert(first.MatcherSets, 0, caddyhttp.MatcherSet{&witness{app: a, matches: all}})
}

// MatchWithError implements [caddyhttp.RequestMatcherWithError].
func (w *witness) MatchWithError(r *http.Request) (bool, error) {
	if isUpgrade(r) {
		w.see(r)
	}

	return w.matches, nil
}

// attempt is an upgrade request on its way through the handlers of its server.
type attempt struct {
	// body is the stream of an extended CONNECT as the HTTP server made it. Handlers wrap it: request_body ends it after so
	// many bytes, and Caddy itself after a time without any.
	body io.ReadCloser
	// take says that the handler of a websocket directive has the request. Nothing of it is kept then.
	take func() bool
}

const attemptVar = "websocket.attempt"

// attemptOf returns what a witness noted of r. Where there was none, as before a handler in a named route, it is what r
// itself says.
func attemptOf(r *http.Request) *attempt {
	if a, ok := caddyhttp.GetVar(r.Context(), attemptVar).(*attempt); ok {
		return a
	}

	return &attempt{body: ownBody(r), take: func() bool { return true }}
}

// ownBody is the body of a request below Caddy's own wrappers, and below those of handlers if those are not there yet.
func ownBody(r *http.Request) io.ReadCloser {
	if reader, _ := caddyhttp.IdleTimeoutsFromContext(r.Context()); reader != nil {
		return reader.ReadCloser
	}

	return r.Body
}

// see notes an upgrade request, and tells the log in the end if no websocket directive took it: its client cannot know
// why, and the site's own answer, be it a page or an error, says nothing of it.
func (w *witness) see(r *http.Request) {
	a := &attempt{body: ownBody(r)}
	caddyhttp.SetVar(r.Context(), attemptVar, a)

	// Not read from r at the end, which comes early if the client leaves: handlers may be changing it then.
	host, path, ip := r.Host, r.URL.Path, clientIP(r)
	repl, _ := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	a.take = context.AfterFunc(r.Context(), func() {
		if isProxied(repl) {
			return
		}
		w.app.untaken.log(time.Now(), func(before int) {
			w.app.logger.Warn("no websocket directive took a request for a WebSocket: none matches its path, or another directive "+
				"answers it or rewrites its path first (docs/placement.md)", zap.String("host", shortened(host)),
				zap.String("path", shortened(path)), zap.String("client_ip", ip), zap.Int("and_before", before))
		})
	})
}

// isProxied tells whether reverse_proxy made a WebSocket of a request.
func isProxied(repl *caddy.Replacer) bool {
	if repl == nil {
		return false
	}
	status, _ := repl.Get("http.reverse_proxy.status_code")

	return status == http.StatusSwitchingProtocols
}

// Interface guard
var _ caddyhttp.RequestMatcherWithError = (*witness)(nil)
