package stream

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	bridge "github.com/frankenphp-ws/frankenphp-ws/go-bridge"
	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

// ServeHTTP3 takes a stream of HTTP/3 (RFC 9220) out of its server, so that the handler, with its stack and its request,
// can end.
func (t *Table) ServeHTTP3(w http.ResponseWriter, handshake *bridge.Handshake) error {
	writer, err := answerOK(w)
	if err != nil {
		return err
	}
	streamer, ok := writer.(http3.HTTPStreamer)
	if !ok {
		return ErrNotTaken
	}
	stream := streamer.HTTPStream()
	// The stream's own: what Caddy puts around it keeps deadlines of a request.
	if err := errors.Join(stream.SetReadDeadline(time.Time{}), stream.SetWriteDeadline(time.Time{})); err != nil {
		return err
	}

	p, err := t.open(handshake, bridge.HTTP3, &http3Stream{Stream: stream}, nil)
	if err != nil {
		return err
	}
	go p.read(nil)

	return nil
}

// HTTP3Servers are servers of HTTP/3, each once. The zero value is ready.
type HTTP3Servers struct{ servers sync.Map }

// Add remembers the server of a request.
func (h *HTTP3Servers) Add(r *http.Request) {
	if server, ok := r.Context().Value(http3.ServerContextKey).(*http3.Server); ok {
		h.servers.Store(server, nil)
	}
}

// Shutdown ends their connections, with a goodbye and at the latest after timeout. It does not wait. A client keeps a
// connection without requests for as long as it likes, and a server that shuts down waits for it.
func (h *HTTP3Servers) Shutdown(timeout time.Duration) {
	for server := range h.servers.Range {
		go func() {
			ctx, cancel := context.WithTimeout(context.Background(), timeout)
			defer cancel()
			_ = server.(*http3.Server).Shutdown(ctx)
		}()
	}
}

// http3Stream is a stream of HTTP/3.
type http3Stream struct {
	*http3.Stream

	mu      sync.Mutex // guards writing and closed: quic-go allows no Close during a Write
	writing bool
	closed  bool
}

// Write implements [stream].
func (s *http3Stream) Write(b []byte) (int, error) {
	s.mu.Lock()
	s.writing = true
	s.mu.Unlock()

	count, err := s.Stream.Write(b)

	s.mu.Lock()
	s.writing = false
	s.mu.Unlock()

	return count, err
}

// CloseWrite implements [stream].
func (s *http3Stream) CloseWrite() error {
	s.mu.Lock()
	defer s.mu.Unlock()

	return s.closeWrite()
}

func (s *http3Stream) closeWrite() error {
	if s.closed {
		return nil
	}
	s.closed = true
	if s.writing {
		s.CancelWrite(quic.StreamErrorCode(http3.ErrCodeRequestCanceled))

		return nil
	}

	return s.Stream.Close()
}

// Close implements [stream].
func (s *http3Stream) Close() error {
	s.CancelRead(quic.StreamErrorCode(http3.ErrCodeNoError))

	return s.CloseWrite()
}

// Buffered implements [stream].
func (s *http3Stream) Buffered() int { return 0 }
