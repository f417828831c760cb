package e2e

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// A client is an independent WebSocket implementation, as users have them.
type client struct {
	*websocket.Conn
	response *http.Response
}

// dial opens a WebSocket on a path of the site.
func dial(t *testing.T, s *server, path string, options *websocket.DialOptions) *client {
	t.Helper()
	c, err := tryDial(s, path, options)
	if err != nil {
		t.Fatalf("dial %s: %v", path, err)
	}
	t.Cleanup(func() { c.CloseNow() })
	return c
}

func tryDial(s *server, path string, options *websocket.DialOptions) (*client, error) {
	ctx, cancel := context.WithTimeout(context.Background(), bound)
	defer cancel()
	var own websocket.DialOptions
	if options != nil {
		own = *options
	}
	if own.HTTPClient == nil {
		own.HTTPClient = &http.Client{Transport: &http.Transport{TLSClientConfig: trusting.Clone()}}
	}
	conn, response, err := websocket.Dial(ctx, s.url(path), &own)
	if err != nil {
		return nil, err
	}
	conn.SetReadLimit(64 << 20)
	return &client{conn, response}, nil
}

func (c *client) trySend(kind websocket.MessageType, message string) error {
	ctx, cancel := context.WithTimeout(context.Background(), bound)
	defer cancel()
	return c.Write(ctx, kind, []byte(message))
}

func (c *client) tryReceive() (websocket.MessageType, string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*bound)
	defer cancel()
	kind, message, err := c.Read(ctx)
	return kind, string(message), err
}

func (c *client) send(t *testing.T, message string) {
	t.Helper()
	if err := c.trySend(websocket.MessageText, message); err != nil {
		t.Fatalf("sending %.80q: %v", message, err)
	}
}

// receive returns the next text message.
func (c *client) receive(t *testing.T) string {
	t.Helper()
	kind, message, err := c.tryReceive()
	if err != nil {
		t.Fatalf("receiving: %v", err)
	}
	if kind != websocket.MessageText {
		t.Fatalf("received a binary message of %d bytes, want text", len(message))
	}
	return message
}

func (c *client) want(t *testing.T, message string) {
	t.Helper()
	if got := c.receive(t); got != message {
		t.Fatalf("received %.200q, want %.200q", got, message)
	}
}

// wantClose reads until the connection ends, which must be by a close frame with this code; it returns the reason.
func (c *client) wantClose(t *testing.T, code websocket.StatusCode) string {
	t.Helper()
	for {
		_, message, err := c.tryReceive()
		if err == nil {
			t.Logf("before the close: %.200q", message)
			continue
		}
		var closed websocket.CloseError
		if !errors.As(err, &closed) {
			t.Fatalf("the connection ended with %v, want close code %d", err, code)
		}
		if closed.Code != code {
			t.Fatalf("close code %d %q, want %d", closed.Code, closed.Reason, code)
		}
		return closed.Reason
	}
}

// ping waits for the pong, for which somebody must be reading.
func (c *client) ping(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(c.CloseRead(context.Background()), bound)
	defer cancel()
	if err := c.Ping(ctx); err != nil {
		t.Fatalf("ping: %v", err)
	}
}

// within returns a context for one operation of a test.
func within(t *testing.T, limit time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	t.Cleanup(cancel)
	return ctx
}
