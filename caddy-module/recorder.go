package websocket

import (
	"fmt"
	"net/http"
)

// How much of the output of a bell is kept: of its beginning, and of its end.
const (
	recorderHead = 6 << 10
	recorderTail = 2 << 10
)

// recorder is the response writer of a bell. Nobody waits for a response, but what PHP prints in the handler of an event,
// error messages above all, would be lost: the beginning and the end are kept for the log.
type recorder struct {
	header http.Header
	head   []byte
	tail   []byte // what came after head; at least its last recorderTail bytes
	cut    int    // how many bytes were between them and are not kept
}

func (r *recorder) Header() http.Header {
	if r.header == nil {
		r.header = make(http.Header)
	}

	return r.header
}

func (r *recorder) WriteHeader(int) {}

// Write never fails: PHP would take the client for gone and end the script.
func (r *recorder) Write(p []byte) (int, error) {
	n := min(len(p), recorderHead-len(r.head))
	r.head = append(r.head, p[:n]...)

	// What is far from the end is not even copied.
	rest := p[n:]
	if skipped := len(rest) - recorderTail; skipped > 0 {
		r.cut += len(r.tail) + skipped
		r.tail, rest = r.tail[:0], rest[skipped:]
	}
	r.tail = append(r.tail, rest...)
	if len(r.tail) > 2*recorderTail {
		r.trim()
	}

	return len(p), nil
}

// trim leaves no more of the tail than is kept.
func (r *recorder) trim() {
	if excess := len(r.tail) - recorderTail; excess > 0 {
		r.cut += excess
		r.tail = r.tail[:copy(r.tail, r.tail[excess:])]
	}
}

// Flush implements [http.Flusher]; without it FrankenPHP warns at every flush().
func (r *recorder) Flush() {}

func (r *recorder) bytes() []byte {
	r.trim()
	output := r.head[:len(r.head):len(r.head)]
	if r.cut > 0 {
		output = fmt.Appendf(output, "\n[%d bytes are left out]\n", r.cut)
	}

	return append(output, r.tail...)
}

// Interface guards
var (
	_ http.ResponseWriter = (*recorder)(nil)
	_ http.Flusher        = (*recorder)(nil)
)
