package websocket

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"syscall"

	"github.com/frankenphp-ws/frankenphp-ws/caddy-module/internal/stream"
	bridge "github.com/frankenphp-ws/frankenphp-ws/go-bridge"
	"golang.org/x/sys/unix"
)

// connKey is where a request's context has the connection that it came on, if the server is one of ours: net/http hands a
// connection out only after the answer is begun, which is too late to find out that it cannot be had.
type connKey struct{}

// rememberConn is a [caddyhttp.Server.RegisterConnContext] function.
func rememberConn(ctx context.Context, conn net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, conn)
}

// transportOf is what carries the connection of a request.
func transportOf(r *http.Request) bridge.Transport {
	switch {
	case r.ProtoMajor == 2:
		return bridge.HTTP2
	case r.ProtoMajor == 3:
		return bridge.HTTP3
	case r.TLS != nil:
		return bridge.TLS
	}
	if conn, ok := r.Context().Value(connKey{}).(net.Conn); ok {
		if _, local := stream.Innermost(conn).(*net.UnixConn); local {
			return bridge.Unix
		}
	}

	return bridge.TCP
}

// reserved is what a connection of HTTP/1.1 needs to move into the core, got before it is told that it may.
type reserved struct {
	socket syscall.Conn // whose duplicate fd is
	fd     int          // -1: there is none
}

// reserve duplicates the descriptor of the socket that r came on, if that is all that there is of the connection. It fails
// where no more descriptors are to be had.
func reserve(r *http.Request) (*reserved, error) {
	none := &reserved{fd: -1}
	conn, ok := r.Context().Value(connKey{}).(net.Conn)
	switch {
	case !ok || r.ProtoMajor == 3: // all clients of HTTP/3 share one descriptor
		return none, nil
	case r.ProtoMajor == 2:
		// A stream takes no descriptor of its own, but it keeps that of its connection for as long as it lives.
		return none, descriptors.room(conn)
	}
	plain, err := stream.Socket(conn)
	if err != nil {
		return none, descriptors.room(conn)
	}

	fd, err := duplicate(plain)
	if err != nil {
		return nil, fmt.Errorf("duplicating the socket: %w", err)
	}
	if err := descriptors.roomAt(fd); err != nil {
		_ = unix.Close(fd)

		return nil, err
	}

	return &reserved{socket: plain, fd: fd}, nil
}

// take returns the duplicate of a socket, which is the caller's from now on.
func (r *reserved) take(plain syscall.Conn) (int, error) {
	if r.fd < 0 || r.socket != plain {
		return duplicate(plain)
	}
	fd := r.fd
	r.fd = -1

	return fd, nil
}

// release gives back what was not taken.
func (r *reserved) release() {
	if r.fd >= 0 {
		_ = unix.Close(r.fd)
		r.fd = -1
	}
}

// adopt moves the connection of a response whose 101 is written into the core: its socket, or, where that alone is of no
// use, its bytes through a pipe.
func adopt(w http.ResponseWriter, handshake *bridge.Handshake, transport bridge.Transport, reserved *reserved) error {
	conn, buffer, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return fmt.Errorf("%w: %w", stream.ErrNotTaken, err)
	}

	// What the client sent right behind its request: the first frames.
	first, err := buffer.Reader.Peek(buffer.Reader.Buffered())
	if err != nil {
		_ = conn.Close()

		return fmt.Errorf("reading the first frames: %w", err)
	}

	plain, err := stream.Socket(conn)
	if err != nil {
		err = process.pipes.Adopt(conn, handshake, transport, bytes.Clone(first))
	} else {
		err = adoptSocket(plain, handshake, first, reserved)
	}
	if err != nil || plain != nil {
		_ = conn.Close()
	}

	return err
}

// adoptSocket hands a duplicate of the socket over.
func adoptSocket(plain syscall.Conn, handshake *bridge.Handshake, first []byte, reserved *reserved) error {
	fd, err := reserved.take(plain)
	if err != nil {
		return fmt.Errorf("duplicating the socket: %w", err)
	}
	if err := handshake.Adopt(fd, first); err != nil {
		_ = unix.Close(fd)

		return fmt.Errorf("handing the connection to the WebSocket core: %w", err)
	}

	return nil
}

// duplicate returns a descriptor of the same socket that is not Go's. It is as non-blocking as Go's. Deadlines that
// net/http has set live in Go's netpoller and do not concern it.
func duplicate(conn syscall.Conn) (int, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return -1, err
	}

	fd := -1
	var duplicating error
	if err := raw.Control(func(own uintptr) {
		fd, duplicating = unix.FcntlInt(own, unix.F_DUPFD_CLOEXEC, 0)
	}); err != nil {
		return -1, err
	}

	return fd, duplicating
}
