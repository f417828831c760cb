package websocket

import (
	"net"
	"net/http"
	"syscall"

	"github.com/frankenphp-ws/frankenphp-ws/caddy-module/internal/stream"
	"golang.org/x/sys/unix"
)

// hasLeft tells whether the client of a request is known to have closed its connection. The context of the request tells as
// well, but no longer once the client has sent something behind its request: net/http stops reading then, and does not see
// the end that follows.
func hasLeft(r *http.Request) bool {
	if r.ProtoMajor > 1 {
		return false // streams have frames that tell
	}
	conn, ok := r.Context().Value(connKey{}).(net.Conn)
	if !ok {
		return false
	}
	plain, ok := stream.Innermost(conn).(syscall.Conn)

	return ok && hungUp(plain)
}

// hungUp tells whether the other side of a socket has closed it, whatever is still to be read.
func hungUp(conn syscall.Conn) (gone bool) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return false
	}
	_ = raw.Control(func(fd uintptr) {
		ends := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}}
		n, err := unix.Poll(ends, 0)
		gone = err == nil && n > 0 && ends[0].Revents&(unix.POLLRDHUP|unix.POLLHUP|unix.POLLERR) != 0
	})

	return gone
}
