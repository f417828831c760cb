package websocket

import (
	"net/http"
	"time"
)

// deadline is when a handshake whose request has just been read must be done. It is not a context: the timer of one would
// keep the request's memory for as long after the connection was taken over.
func (h *Handler) deadline() time.Time {
	return time.Now().Add(h.handshakeTimeout())
}

// answerUntil bounds the writing of the 101: a client that does not take it holds a place on the route. Taking a connection
// over lifts the bound; on a stream that stays with the HTTP server, its handler must.
func answerUntil(deadline time.Time, w http.ResponseWriter) {
	// Where it is not supported, the server's own write timeout is all there is.
	_ = http.NewResponseController(w).SetWriteDeadline(deadline)
}
