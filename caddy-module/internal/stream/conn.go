package stream

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"reflect"
	"syscall"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

var errTLS = errors.New("the connection is encrypted, so its socket alone is of no use")

// Socket returns the socket below conn. Only Caddy's own wrappers, which add nothing that is needed any more, are taken
// off: another one may hold bytes, or change them, as TLS does.
func Socket(conn net.Conn) (syscall.Conn, error) {
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

// Innermost looks below all wrappers of a connection that show what they wrap. What it returns is good for questions only: the
// wrappers may hold bytes, or change them.
func Innermost(conn net.Conn) net.Conn {
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
