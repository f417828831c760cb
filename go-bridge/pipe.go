package bridge

// #include <fws.h>
// #cgo noescape fws_pipe_feed
// #cgo nocallback fws_pipe_feed
// #cgo noescape fws_pipe_take
// #cgo nocallback fws_pipe_take
// #cgo noescape fws_pipes_dirty
// #cgo nocallback fws_pipes_dirty
import "C"

// Pipe is a connection of the core whose bytes the host carries. The zero Pipe is none. A pipe that was freed is an error
// ([ErrStale]) in every call, never another connection.
type Pipe uint64

// Transport says what a connection came over.
type Transport uint32

// The transports.
const (
	TLS   Transport = C.FWS_TRANSPORT_TLS
	HTTP2 Transport = C.FWS_TRANSPORT_HTTP2
	HTTP3 Transport = C.FWS_TRANSPORT_HTTP3
	// TCP is a plain connection whose socket cannot be moved.
	TCP Transport = C.FWS_TRANSPORT_TCP
	// Unix is the same over a Unix socket.
	Unix Transport = C.FWS_TRANSPORT_UNIX
)

// PipeState is what the host has to do about a pipe, a set of bits.
type PipeState uint32

const (
	// PipeOutput: there are bytes to take.
	PipeOutput PipeState = C.FWS_PIPE_OUTPUT
	// PipeResume: what was not consumed can be fed again.
	PipeResume PipeState = C.FWS_PIPE_RESUME
	// PipeFinished: behind the bytes that can be taken now, the sending side is to be closed.
	PipeFinished PipeState = C.FWS_PIPE_FINISHED
	// PipeOver: behind these bytes, or soon, the connection is to be closed.
	PipeOver PipeState = C.FWS_PIPE_OVER
)

// Has tells whether any of some bits is set.
func (s PipeState) Has(bits PipeState) bool { return s&bits != 0 }

// OpenPipe hands over a connection whose socket cannot be, and consumes the handshake in every case. The pipe must be
// freed by [Pipe.Free].
func (h *Handshake) OpenPipe(transport Transport) (Pipe, error) {
	handle := h.handle
	h.handle = nil

	var id C.uint64_t
	err := callError("fws_pipe_open", C.fws_pipe_open(handle, C.uint32_t(transport), &id), nil)

	return Pipe(id), err
}

// Feed hands over what the client sent, and returns how much of it was consumed. The rest is to be fed again after
// [PipeResume]. state says what is to be done already. It is for one goroutine at a time.
func (p Pipe) Feed(bytes []byte) (consumed int, state PipeState, err error) {
	b, n := cBytes(bytes)

	var (
		count C.size_t
		bits  C.uint32_t
	)
	if result := C.fws_pipe_feed(C.uint64_t(p), b, n, &count, &bits); result != C.FWS_OK {
		return 0, 0, callError("fws_pipe_feed", result, nil)
	}

	return int(count), PipeState(bits), nil
}

// Take moves bytes for the client into buffer, which is not empty. It is for one goroutine at a time.
func (p Pipe) Take(buffer []byte) (taken int, state PipeState, err error) {
	b, n := cBytes(buffer)

	var (
		count C.size_t
		bits  C.uint32_t
	)
	if result := C.fws_pipe_take(C.uint64_t(p), b, n, &count, &bits); result != C.FWS_OK {
		return 0, 0, callError("fws_pipe_take", result, nil)
	}

	return int(count), PipeState(bits), nil
}

// End says that the client sends no more.
func (p Pipe) End() error {
	return callError("fws_pipe_close", C.fws_pipe_close(C.uint64_t(p), C.FWS_PIPE_END), nil)
}

// Free says that the host is through with the pipe. A connection that is not over is cut.
func (p Pipe) Free() error {
	return callError("fws_pipe_close", C.fws_pipe_close(C.uint64_t(p), C.FWS_PIPE_FREE), nil)
}

// NewPipeWatcher returns a watcher of dirty pipes; ready is to take them by [DirtyPipes]. It must be closed.
func NewPipeWatcher() (*Watcher, error) {
	return watch("fws_pipe_fd", int(C.fws_pipe_fd()))
}

// DirtyPipes calls look for each pipe about which there is something new. It may have been freed meanwhile.
func DirtyPipes(look func(Pipe, PipeState)) {
	var dirty [64]C.fws_dirty

	for {
		n := int(C.fws_pipes_dirty(&dirty[0], C.size_t(len(dirty))))
		for i := range dirty[:n] {
			look(Pipe(dirty[i].id), PipeState(dirty[i].state))
		}

		if n < len(dirty) {
			return
		}
	}
}
