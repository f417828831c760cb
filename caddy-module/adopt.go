package websocket

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"reflect"
	"syscall"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	bridge "github.com/frankenphp-ws/frankenphp-ws/go-bridge"
	"golang.org/x/sys/unix"
)

var errTLS = errors.New("the connection is encrypted, so its socket alone is of no use")

// socket returns the socket below conn. Only Caddy's own wrappers, which add nothing that is needed any more, are taken
// off: another one may hold bytes, or change them, as TLS does.
func socket(conn net.Conn) (syscall.Conn, error) {
	for {
		switch c := conn.(type) {
		case *net.TCPConn:
			return c, nil
		case *net.UnixConn:
			return c, nil
		case *tls.Conn:
			return nil, errTLS
		}

		inner, ok := unwrap(conn)
		if !ok {
			return nil, fmt.Errorf("the connection is a %T, not a plain socket (a listener wrapper of the server makes it so)", conn)
		}
		conn = inner
	}
}

// unwrap takes off a wrapper of Caddy. They are unexported: hijackedConn counts bytes for the access log, http2Conn looks
// for the preface of HTTP/2 where the server speaks HTTP/1 only. Both embed the connection.
func unwrap(conn net.Conn) (net.Conn, bool) {
	t := reflect.TypeOf(conn)
	if t == nil || t.Kind() != reflect.Pointer || t.Elem().Kind() != reflect.Struct ||
		t.Elem().PkgPath() != reflect.TypeFor[caddyhttp.Server]().PkgPath() {
		return nil, false
	}

	switch t.Elem().Name() {
	case "hijackedConn", "http2Conn":
	default:
		return nil, false
	}

	field := reflect.ValueOf(conn).Elem().FieldByName("Conn")
	if !field.IsValid() {
		return nil, false
	}
	inner, ok := field.Interface().(net.Conn)

	return inner, ok && inner != nil
}

// innermost looks below all wrappers of a connection that show what they wrap. What it returns is good for questions only: the
// wrappers may hold bytes, or change them.
func innermost(conn net.Conn) net.Conn {
	for {
		inner, ok := beneath(conn)
		if !ok {
			return conn
		}
		conn = inner
	}
}

// beneath returns the connection that another one wraps: as crypto/tls and the proxy protocol show it, or in a field Conn.
func beneath(conn net.Conn) (net.Conn, bool) {
	var inner net.Conn
	switch c := conn.(type) {
	case *net.TCPConn, *net.UnixConn:
		return nil, false
	case interface{ NetConn() net.Conn }:
		inner = c.NetConn()
	case interface{ Raw() net.Conn }:
		inner = c.Raw()
	default:
		v := reflect.Indirect(reflect.ValueOf(conn))
		if v.Kind() != reflect.Struct {
			return nil, false
		}
		if field := v.FieldByName("Conn"); field.IsValid() && field.CanInterface() {
			inner, _ = field.Interface().(net.Conn)
		}
	}

	return inner, inner != nil
}

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
		if _, local := innermost(conn).(*net.UnixConn); local {
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
	plain, err := socket(conn)
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
		return fmt.Errorf("%w: %w", errNotTaken, err)
	}

	// What the client sent right behind its request: the first frames.
	first, err := buffer.Reader.Peek(buffer.Reader.Buffered())
	if err != nil {
		_ = conn.Close()

		return fmt.Errorf("reading the first frames: %w", err)
	}

	plain, err := socket(conn)
	if err != nil {
		err = adoptStream(conn, handshake, transport, bytes.Clone(first))
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

// adoptStream hands the bytes over. It reads in a fresh goroutine: that of the HTTP server has a stack of many times the
// size, and all that belongs to the request hangs on it.
func adoptStream(conn net.Conn, handshake *bridge.Handshake, transport bridge.Transport, first []byte) error {
	p, err := process.pipes.openPipe(handshake, transport, newTLSStream(conn), nil)
	if err != nil {
		return fmt.Errorf("handing the connection to the WebSocket core: %w", err)
	}
	go p.read(first)

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
