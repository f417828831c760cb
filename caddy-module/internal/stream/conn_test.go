package stream

import (
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/frankenphp-ws/frankenphp-ws/caddy-module/internal/stream/streamtest"
)

func TestOnlyAPlainSocketIsTakenOver(t *testing.T) {
	client, server := streamtest.SocketPair(t)

	if got, err := Socket(server); err != nil || got != server {
		t.Errorf("a TCP connection: got %v, %v", got, err)
	}
	if _, err := Socket(tls.Client(client, nil)); err != errTLS {
		t.Errorf("a TLS connection: got %v", err)
	}
	if _, err := Socket(&streamtest.Wrapped{Conn: server}); err == nil || !strings.Contains(err.Error(), "*streamtest.Wrapped") {
		t.Errorf("a foreign wrapper, even with a field Conn: got %v", err)
	}
	if _, err := Socket(streamtest.Wrapped{Conn: tls.Client(client, nil)}); err == nil {
		t.Error("a foreign wrapper around TLS was unwrapped")
	}

	pipe, _ := net.Pipe()
	if _, err := Socket(pipe); err == nil {
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
		_, err = Socket(conn)
		found <- err
	}))
	defer server.Close()

	go http.Get(server.URL) //nolint:errcheck // the server cuts the connection
	if err := <-found; err != nil {
		t.Error(err)
	}
}
