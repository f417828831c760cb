package websocket

import (
	"net/http"
	"net/http/httptest"
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

func TestAnExtendedConnectForAnotherProtocolIsAnsweredWith501(t *testing.T) {
	overHTTP2 := httptest.NewRequest(http.MethodConnect, "/ws", nil)
	overHTTP2.ProtoMajor, overHTTP2.Header = 2, http.Header{":protocol": {"connect-udp"}}

	overHTTP3 := httptest.NewRequest(http.MethodConnect, "/ws", nil)
	overHTTP3.ProtoMajor, overHTTP3.Proto = 3, "connect-udp"

	for _, r := range []*http.Request{overHTTP2, overHTTP3} {
		if w := serve(t, r); w.Code != http.StatusNotImplemented {
			t.Errorf("HTTP/%d: got %d %s, want 501", r.ProtoMajor, w.Code, w.Body)
		}
	}

	ordinary := httptest.NewRequest(http.MethodConnect, "/ws", nil)
	ordinary.ProtoMajor, ordinary.Proto = 3, "HTTP/3.0"
	if w := serve(t, ordinary); w.Code != http.StatusTeapot {
		t.Errorf("an ordinary CONNECT: got %d, want that of the next handler", w.Code)
	}
}

func TestAnUpgradeHeaderMeansNothingOverHTTP2(t *testing.T) {
	r := parseRequest(t, upgrade+"\r\n")
	r.ProtoMajor = 2
	if w := serve(t, r); w.Code != http.StatusTeapot {
		t.Errorf("got %d, want that of the next handler", w.Code)
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
