package stream

import (
	"errors"
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/quic-go/quic-go/http3"
)

// ErrNotTaken is why a connection is still the HTTP server's although its client was told that it is a WebSocket.
var ErrNotTaken = errors.New("taking the connection out of the HTTP server")

// ErrHeldBack is why a client was told nothing yet.
var ErrHeldBack = errors.New("a handler in front of this one holds the answer back until it is complete, which that of a WebSocket never is")

// innermostWriter is the HTTP server's own response writer, below those that handlers have put in front of it. Where one of
// them does not show what it wraps, it is that one.
func innermostWriter(w http.ResponseWriter) http.ResponseWriter {
	for {
		outer, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return w
		}
		w = outer.Unwrap()
	}
}

// Reachable tells whether the connection below a response writer, or its stream, can be had. A handler of the site may
// have put a writer of its own in front of the server's, and not every one lets it through.
func Reachable(w http.ResponseWriter, protocol int) (ok bool) {
	switch w := innermostWriter(w); protocol {
	case 1:
		_, ok = w.(http.Hijacker)
	case 2:
		_, ok = w.(interface {
			FlushError() error
			SetReadDeadline(time.Time) error
			SetWriteDeadline(time.Time) error
		})
	default:
		_, ok = w.(http3.HTTPStreamer)
	}

	return ok
}

// answerOK accepts an extended CONNECT, whose stream goes on as the WebSocket. It returns the HTTP server's own writer. Only
// the header goes through those of handlers: what they, and Caddy itself, do about the time that a write takes outlasts the
// write.
func answerOK(w http.ResponseWriter) (http.ResponseWriter, error) {
	w.WriteHeader(http.StatusOK)
	if holdsBack(w) {
		return nil, ErrHeldBack
	}
	inner := innermostWriter(w)

	return inner, http.NewResponseController(inner).Flush()
}

// holdsBack tells whether a handler waits for the rest of an answer whose header was written, as intercept and templates do
// with those that they may change.
func holdsBack(w http.ResponseWriter) bool {
	for {
		if recorder, ok := w.(caddyhttp.ResponseRecorder); ok && recorder.Buffered() {
			return true
		}
		outer, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return false
		}
		w = outer.Unwrap()
	}
}
