package websocket

import "net/http"

// recorderLimit is how much of the output of a bell is kept.
const recorderLimit = 8 << 10

// recorder is the response writer of a bell. Nobody waits for a response, but what PHP prints in the handler of an event,
// error messages above all, would be lost: the beginning is kept for the log.
type recorder struct {
	header http.Header
	output []byte
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
	r.output = append(r.output, p[:min(len(p), recorderLimit-len(r.output))]...)

	return len(p), nil
}

// Flush implements [http.Flusher]; without it FrankenPHP warns at every flush().
func (r *recorder) Flush() {}

func (r *recorder) bytes() []byte {
	return r.output
}

// Interface guards
var (
	_ http.ResponseWriter = (*recorder)(nil)
	_ http.Flusher        = (*recorder)(nil)
)
