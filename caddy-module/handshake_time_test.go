package websocket

import (
	"bufio"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"
)

// pipeListener accepts one end of a pipe. A pipe holds nothing: what is written blocks until it is read.
type pipeListener struct {
	conns chan net.Conn
}

func (l pipeListener) Accept() (net.Conn, error) {
	conn, ok := <-l.conns
	if !ok {
		return nil, net.ErrClosed
	}

	return conn, nil
}

func (pipeListener) Close() error   { return nil }
func (pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }

func TestAClientThatDoesNotTakeThe101HoldsItsHandshakeNoLongerThanItsTimeout(t *testing.T) {
	handler := &Handler{Route: Route{HandshakeTimeout: caddy.Duration(50 * time.Millisecond)}}
	took := make(chan time.Duration)
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		began := time.Now()
		answerUntil(handler.deadline(), w)
		w.WriteHeader(http.StatusSwitchingProtocols)
		conn, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			conn.Close()
		}
		took <- time.Since(began)
	})}
	listener := pipeListener{make(chan net.Conn, 1)}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() {
		close(listener.conns)
		server.Close()
	})

	client, conn := net.Pipe()
	defer client.Close()
	listener.conns <- conn
	request := bufio.NewWriter(client)
	_, _ = request.WriteString(upgrade + "\r\n")
	if err := request.Flush(); err != nil {
		t.Fatal(err)
	}

	select {
	case took := <-took:
		if took < 50*time.Millisecond {
			t.Errorf("it was given up after %s", took)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("the 101 is still being written")
	}
}

func TestAHandshakeWaitsForAStartingServerNoLongerThanItsTimeout(t *testing.T) {
	run(t, site(echo)) // the core, which does not know the route asked for
	handler := &Handler{
		Route:  Route{Name: "later", Echo: true, HandshakeTimeout: caddy.Duration(50 * time.Millisecond)},
		app:    &App{committed: make(chan struct{}), ended: make(chan struct{})},
		logger: zap.NewNop(),
	}
	r := parseRequest(t, upgrade+"\r\n")
	deadline := handler.deadline()
	handshake, err := handler.examine(r, deadline)
	if err != nil {
		t.Fatal(err)
	}
	defer handshake.Close()
	if handshake.Status() != http.StatusServiceUnavailable || time.Now().Before(deadline) {
		t.Errorf("got %d, %s before the end of its time", handshake.Status(), time.Until(deadline))
	}
}
