package websocket

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"
)

// serve lets an echo handler answer a request; next answers 418.
func serve(t *testing.T, r *http.Request) *httptest.ResponseRecorder {
	t.Helper()

	handler := &Handler{Route: Route{Name: "core", Echo: true}, logger: zap.NewNop()}
	next := caddyhttp.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) error {
		w.WriteHeader(http.StatusTeapot)

		return nil
	})

	w := httptest.NewRecorder()
	if err := handler.ServeHTTP(w, r, next); err != nil {
		t.Fatal(err)
	}

	return w
}

const upgrade = "GET /ws HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

func TestOtherRequestsGoToTheNextHandler(t *testing.T) {
	if w := serve(t, parseRequest(t, "GET /ws HTTP/1.1\r\nHost: example.com\r\n\r\n")); w.Code != http.StatusTeapot {
		t.Errorf("got %d", w.Code)
	}
}

func TestWhatHasNoSocketOfItsOwnIsAnsweredWith501AndTheReason(t *testing.T) {
	encrypted := parseRequest(t, upgrade+"\r\n")
	encrypted.TLS = new(tls.ConnectionState)

	stream := parseRequest(t, upgrade+"\r\n")
	stream.ProtoMajor = 2

	for reason, r := range map[string]*http.Request{"encrypted": encrypted, "HTTP/2": stream} {
		w := serve(t, r)
		if w.Code != http.StatusNotImplemented || !strings.Contains(w.Body.String(), reason) {
			t.Errorf("got %d %s, want 501 and a word on %s", w.Code, w.Body, reason)
		}
	}
}

func TestAHandshakeWithABodyIsRefusedSinceTheBodyWouldBeTakenForFrames(t *testing.T) {
	for name, body := range map[string]string{
		"of a length": "Content-Length: 5\r\n\r\nhello",
		"in chunks":   "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
	} {
		if w := serve(t, parseRequest(t, upgrade+body)); w.Code != http.StatusBadRequest || w.Body.String() != "a WebSocket handshake has no body\n" {
			t.Errorf("%s: got %d %s", name, w.Code, w.Body)
		}
	}
}
