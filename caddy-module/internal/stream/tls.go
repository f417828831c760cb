package stream

import (
	"bytes"
	"crypto/tls"
	"net"
	"reflect"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// tlsStream is a hijacked connection, in general of TLS. It must never get a write deadline: a write of TLS that has timed
// out has failed for good.
type tlsStream struct {
	net.Conn
	tls *tls.Conn // the same, if it is one whose fields are known
}

// sleepingTLSStream is a connection of TLS directly on a socket.
type sleepingTLSStream struct{ tlsStream }

func newTLSStream(conn net.Conn) stream {
	// What Caddy's wrapper counts for the access log is of no use any more, and would keep the request alive.
	for {
		inner, ok := unwrap(conn)
		if !ok {
			break
		}
		conn = inner
	}

	encrypted, ok := conn.(*tls.Conn)
	if !ok || !tlsFields.known {
		return &tlsStream{Conn: conn}
	}
	s := tlsStream{Conn: conn, tls: encrypted}
	plain, err := Socket(encrypted.NetConn())
	if err != nil {
		return &s // below there may be bytes that its socket knows nothing of
	}
	limitUnsent(plain)

	return &sleepingTLSStream{s}
}

// unsent is the most bytes that the kernel keeps for a client beyond what it has sent, as the core has it of its own sockets:
// what a slow client is to get waits in its outbox, where it is bounded and counted.
const unsent = 128 << 10

func limitUnsent(plain syscall.Conn) {
	raw, err := plain.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, unsent) // not TCP, or a kernel without it
	})
}

// CloseWrite implements [stream]. A wrapper that cannot close half of a connection, such as that of the proxy protocol, is
// passed by: everything is written when this is called. Without it the client would learn of the end when the server stops
// reading, seconds later.
func (s *tlsStream) CloseWrite() error {
	conn := s.Conn
	for {
		if half, ok := conn.(interface{ CloseWrite() error }); ok {
			return half.CloseWrite()
		}
		inner, ok := beneath(conn)
		if !ok {
			return nil
		}
		conn = inner
	}
}

// Buffered implements [stream].
func (s *tlsStream) Buffered() int {
	if s.tls == nil {
		return 0
	}

	return (*bytes.Reader)(tlsFields.input.of(s.tls)).Len()
}

// TrySleep gives back what crypto/tls has kept from the handshake and from the last record: these are touched by reads
// only, and none is under way. The plaintext lies in rawInput until it is read; a part of a record, or of a message of the
// handshake, waits for its rest there.
func (s *sleepingTLSStream) TrySleep() bool {
	hand, rawInput := (*bytes.Buffer)(tlsFields.hand.of(s.tls)), (*bytes.Buffer)(tlsFields.rawInput.of(s.tls))
	if s.Buffered() > 0 || rawInput.Len() > 0 || hand.Len() > 0 {
		return false
	}
	*hand, *rawInput = bytes.Buffer{}, bytes.Buffer{}

	return true
}

// Sleep implements [sleeper]. It waits for the socket, in Go's netpoller.
func (s *sleepingTLSStream) Sleep() {
	plain, err := Socket(s.tls.NetConn())
	if err != nil {
		return
	}
	raw, err := plain.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Read(readable) // closed: reading tells
}

// readable tells whether a read of a socket would not wait.
func readable(fd uintptr) bool {
	look := [1]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	n, err := unix.Poll(look[:], 0)

	return n > 0 || err != nil && err != unix.EINTR
}

// tlsField is where a field of tls.Conn lies.
type tlsField uintptr

func (f tlsField) of(conn *tls.Conn) unsafe.Pointer { return unsafe.Add(unsafe.Pointer(conn), f) }

// tlsFields are the unexported fields of tls.Conn that are looked at, if they are what they are in the versions of Go that
// this was written for; else they are left alone.
var tlsFields = findTLSFields(reflect.TypeFor[tls.Conn]())

type tlsLayout struct {
	known                 bool
	hand, rawInput, input tlsField
}

func findTLSFields(conn reflect.Type) tlsLayout {
	find := func(name string, kind reflect.Type) (tlsField, bool) {
		f, ok := conn.FieldByName(name)

		return tlsField(f.Offset), ok && f.Type == kind && len(f.Index) == 1
	}
	hand, hasHand := find("hand", reflect.TypeFor[bytes.Buffer]())
	rawInput, hasRawInput := find("rawInput", reflect.TypeFor[bytes.Buffer]())
	input, hasInput := find("input", reflect.TypeFor[bytes.Reader]())

	return tlsLayout{known: hasHand && hasRawInput && hasInput, hand: hand, rawInput: rawInput, input: input}
}
