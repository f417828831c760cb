package stream

import (
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	bridge "github.com/frankenphp-ws/frankenphp-ws/go-bridge"
)

// ServeHTTP2 serves a WebSocket on a stream of HTTP/2 (RFC 8441), which lives as long as its handler. body is the stream's
// own, as are the writer and its deadlines: the limits of time, rate and size that Caddy and handlers put around a request are
// for those that end.
func (t *Table) ServeHTTP2(w http.ResponseWriter, body io.Reader, handshake *bridge.Handshake) error {
	writer, err := answerOK(w)
	if err != nil {
		return err
	}
	s := &http2Stream{Reader: body, writer: writer, control: http.NewResponseController(writer)}
	// Deadlines are also what ends a read and a write that wait.
	if err := errors.Join(s.control.SetReadDeadline(time.Time{}), s.control.SetWriteDeadline(time.Time{})); err != nil {
		return err
	}

	gone := make(chan struct{})
	p, err := t.open(handshake, bridge.HTTP2, s, gone)
	if err != nil {
		return err
	}
	p.read(nil)
	<-gone
	s.end()

	return nil
}

// http2Stream is a stream of HTTP/2 as its handler has it.
type http2Stream struct {
	io.Reader
	writer  http.ResponseWriter
	control *http.ResponseController

	mu      sync.Mutex // guards what follows; held while deadlines are set, so that the handler has not ended then
	writing bool
	ended   bool
}

// Write implements [stream].
func (s *http2Stream) Write(b []byte) (int, error) {
	s.setWriting(true)
	defer s.setWriting(false)

	count, err := s.writer.Write(b)
	if err == nil {
		err = s.control.Flush()
	}

	return count, err
}

func (s *http2Stream) setWriting(writing bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writing = writing
}

// CloseWrite ends the reading: it is the end of the handler that tells the client that nothing follows.
func (s *http2Stream) CloseWrite() error { return s.Close() }

// Close ends the reading, which ends the handler. A write that waits is cut short, and the stream with it.
func (s *http2Stream) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()

	if s.ended {
		return nil
	}
	past := time.Unix(1, 0)
	if s.writing {
		_ = s.control.SetWriteDeadline(past)
	}

	return s.control.SetReadDeadline(past)
}

// end says that the handler returns: nothing of the stream may be touched any more.
func (s *http2Stream) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
}

// Buffered implements [stream].
func (s *http2Stream) Buffered() int { return 0 }
