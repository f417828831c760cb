package websocket

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"golang.org/x/sys/unix"
)

// socketPair returns the two ends of a TCP connection.
func socketPair(t *testing.T) (client, server *net.TCPConn) {
	t.Helper()

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()

	c, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	s, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(); s.Close() })

	return c.(*net.TCPConn), s.(*net.TCPConn)
}

// wrapped is a connection as a foreign listener wrapper makes it.
type wrapped struct{ net.Conn }

func TestOnlyAPlainSocketIsTakenOver(t *testing.T) {
	client, server := socketPair(t)

	if got, err := socket(server); err != nil || got != server {
		t.Errorf("a TCP connection: got %v, %v", got, err)
	}
	if _, err := socket(tls.Client(client, nil)); err != errTLS {
		t.Errorf("a TLS connection: got %v", err)
	}
	if _, err := socket(&wrapped{server}); err == nil || !strings.Contains(err.Error(), "*websocket.wrapped") {
		t.Errorf("a foreign wrapper, even with a field Conn: got %v", err)
	}
	if _, err := socket(wrapped{tls.Client(client, nil)}); err == nil {
		t.Error("a foreign wrapper around TLS was unwrapped")
	}

	pipe, _ := net.Pipe()
	if _, err := socket(pipe); err == nil {
		t.Error("a pipe was taken for a socket")
	}
}

func TestTheWrapperOfTheAccessLogIsTakenOff(t *testing.T) {
	found := make(chan error, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, _, err := http.NewResponseController(caddyhttp.NewResponseRecorder(w, nil, nil)).Hijack()
		if err != nil {
			found <- err

			return
		}
		defer conn.Close()

		if _, plain := conn.(*net.TCPConn); plain {
			t.Error("there is no wrapper: this test tests nothing")
		}
		_, err = socket(conn)
		found <- err
	}))
	defer server.Close()

	go http.Get(server.URL) //nolint:errcheck // the server cuts the connection
	if err := <-found; err != nil {
		t.Error(err)
	}
}

func TestADuplicateOutlivesTheConnectionAndItsDeadlines(t *testing.T) {
	client, server := socketPair(t)

	// net/http leaves such behind: the read that it interrupts by a deadline in the past.
	if err := server.SetDeadline(time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	fd, err := duplicate(server)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := server.Close(); err != nil {
		t.Fatal(err)
	}

	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
	if err != nil || flags&unix.FD_CLOEXEC == 0 {
		t.Errorf("a child process would inherit the socket: flags %#x, %v", flags, err)
	}
	if flags, err = unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0); err != nil || flags&unix.O_NONBLOCK == 0 {
		t.Errorf("the socket blocks: flags %#x, %v", flags, err)
	}

	if _, err := unix.Write(fd, []byte("hello")); err != nil {
		t.Fatal(err)
	}
	buffer := make([]byte, 5)
	if _, err := io.ReadFull(client, buffer); err != nil || string(buffer) != "hello" {
		t.Errorf("got %q, %v", buffer, err)
	}
}
