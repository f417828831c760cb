package websocket

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

func TestTheAuthorizeRequestCarriesWhatTheVisitorIsAndNothingOfTheHandshake(t *testing.T) {
	r := parseRequest(t, strings.ReplaceAll(upgrade, "/ws", "/ws%20x?room=1")+
		"Sec-WebSocket-Protocol: a, b\r\nSec-WebSocket-Extensions: permessage-deflate\r\nCookie: session=1\r\nAuthorization: Basic eDp5\r\nOrigin: http://example.com\r\n"+
		"X-Forwarded-For: 192.0.2.9\r\nAccept-Encoding: gzip\r\nIf-None-Match: \"x\"\r\nRange: bytes=0-0\r\nKeep-Alive: 5\r\n"+
		// Attempts to pass for what the handler itself says, of which PHP would not see the difference.
		"X-Original-Uri: /admin\r\nX_Original_Uri: /admin\r\nx-original_uri: /admin\r\nX-Websocket-Route: admin\r\nX_WebSocket_Subprotocols: admin\r\nX.Original.Uri: /admin\r\nx.original-uri: /admin\r\nX.WebSocket_Route: admin\r\nWebSocket-Id: admin\r\n\r\n")

	sub := subrequest(t.Context(), r, &url.URL{Path: "/auth", RawQuery: "q=1"}, "chat")

	want := http.Header{
		"Cookie": {"session=1"}, "Authorization": {"Basic eDp5"}, "Origin": {"http://example.com"}, "X-Forwarded-For": {"192.0.2.9"},
		"X-Original-Uri": {"/ws%20x?room=1"}, "X-Websocket-Route": {"chat"}, "X-Websocket-Subprotocols": {"a, b"}, "Content-Type": {authorizeContentType},
	}
	for name, values := range sub.Header {
		if strings.Join(values, "|") != strings.Join(want[name], "|") {
			t.Errorf("%s: %q, want %q", name, values, want[name])
		}
	}
	for name := range want {
		if sub.Header[name] == nil {
			t.Errorf("%s is missing", name)
		}
	}
	if sub.Method != http.MethodGet || sub.RequestURI != "/auth?q=1" || sub.Host != "example.com" || sub.Body != http.NoBody || isUpgrade(sub) {
		t.Errorf("got %s %s on %s, %v", sub.Method, sub.RequestURI, sub.Host, sub.Body)
	}
	if !isAuthorizing(sub.Context()) || isAuthorizing(r.Context()) {
		t.Error("the mark that ends loops is not on the inner request alone")
	}
	if r.Header.Get("Upgrade") == "" || r.URL.Path == "/auth" {
		t.Error("the upgrade request itself was changed")
	}
}

func TestTheAuthorizeRequestOfAnExtendedCONNECTIsAnOrdinaryOne(t *testing.T) {
	r := parseRequest(t, "GET /ws HTTP/1.1\r\nHost: a\r\n\r\n")
	r.Method, r.ProtoMajor, r.ProtoMinor, r.Proto = http.MethodConnect, 3, 0, "websocket"
	r.Header[":protocol"] = []string{"websocket"}

	sub := subrequest(t.Context(), r, &url.URL{Path: "/auth"}, "chat")
	if sub.Method != http.MethodGet || sub.Proto != "HTTP/3.0" || isUpgrade(sub) || len(sub.Header) != 3 {
		t.Errorf("got %s %s %v", sub.Method, sub.Proto, sub.Header)
	}
}

// answerTo lets a handler answer.
func answerTo(handler http.HandlerFunc) (*answer, error) {
	return answerOf(withoutError(handler), httptest.NewRequest(http.MethodGet, "/", nil), func() {})
}

func withoutError(handler http.HandlerFunc) caddyhttp.Handler {
	return caddyhttp.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
		handler(w, r)

		return nil
	})
}

func TestOnlyAnAnswerThatWasWrittenIsOne(t *testing.T) {
	for name, handler := range map[string]http.HandlerFunc{
		"nobody answers":      func(http.ResponseWriter, *http.Request) {},
		"headers alone":       func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("WebSocket-Id", "ann") },
		"early hints alone":   func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusEarlyHints) },
		"switching protocols": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusSwitchingProtocols) },
		"PHP failed behind its answer": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte("Warning: …"))
			_, _ = w.Write([]byte(scriptFailed))
		},
		"PHP failed, and a handler writes the body as a whole": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte("Warning: …" + scriptFailed + "<footer>"))
		},
		"PHP failed, and a handler writes the body in pieces": func(w http.ResponseWriter, _ *http.Request) {
			for _, b := range []byte("\x00the " + scriptFailed + "<footer>") {
				_, _ = w.Write([]byte{b})
			}
		},
		"PHP failed, and a handler cuts the body where that is said": func(w http.ResponseWriter, _ *http.Request) {
			body := strings.Repeat("x", 100) + scriptFailed
			_, _ = w.Write([]byte(body[:120]))
			_, _ = w.Write([]byte(body[120:]))
		},
		"a panic": func(http.ResponseWriter, *http.Request) { panic("at the disco") },
	} {
		if got, err := answerTo(handler); err == nil {
			t.Errorf("%s: got %d", name, got.status)
		}
	}
}

func TestTheFirstFinalStatusCountsWithTheHeadersOfThatMoment(t *testing.T) {
	got, err := answerTo(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Set("X-Before", "1")
		w.WriteHeader(http.StatusForbidden)
		w.Header().Set("X-After", "1")
		w.WriteHeader(http.StatusOK)
		_, _ = w.Write([]byte("no"))
	})
	if err != nil || got.isSuccess() || got.status != 403 || string(got.body) != "no" || got.header.Get("X-Before") != "1" || got.header.Get("X-After") != "" {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestAnErrorOfAHandlerIsItsStatusAndNeverASuccess(t *testing.T) {
	for _, c := range []struct {
		err    error
		before int // the status that was written before the error
		want   int // 0: it is no answer
	}{
		{caddyhttp.Error(http.StatusNotFound, errors.New("no such file")), 0, http.StatusNotFound},
		{caddyhttp.Error(http.StatusBadGateway, errors.New("nobody there")), 0, http.StatusBadGateway},
		{caddyhttp.Error(http.StatusOK, errors.New("fine")), 0, http.StatusInternalServerError},
		{errors.New("oh"), 0, http.StatusInternalServerError},
		{errors.New("oh"), http.StatusServiceUnavailable, http.StatusServiceUnavailable},
		{errors.New("oh"), http.StatusNoContent, 0},
	} {
		got, err := answerOf(caddyhttp.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) error {
			if c.before != 0 {
				w.WriteHeader(c.before)
			}

			return c.err
		}), httptest.NewRequest(http.MethodGet, "/", nil), func() {})
		if c.want == 0 && err == nil || c.want != 0 && (err != nil || got.status != c.want) {
			t.Errorf("%v after %d: got %+v, %v", c.err, c.before, got, err)
		}
	}
}

func TestAnAnswerCanWhatServersAskOfAResponse(t *testing.T) {
	control := http.NewResponseController(newAnswer())
	if err := errors.Join(control.Flush(), control.EnableFullDuplex()); err != nil {
		t.Error(err)
	}
}

func TestTheBodyOfARefusalIsBounded(t *testing.T) {
	got, err := answerTo(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		for range 1000 {
			if n, err := w.Write(make([]byte, 1000)); n != 1000 || err != nil {
				t.Errorf("writing: %d, %v", n, err)
			}
		}
	})
	if err != nil || len(got.body) != answerLimit {
		t.Errorf("%d bytes, %v", len(got.body), err)
	}
}

func TestWhatAnAbandonedHandlerWritesFails(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()

	written := make(chan error, 1)
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
		for {
			if _, err := w.Write([]byte("late")); err != nil {
				written <- err

				return
			}
		}
	})
	ended := make(chan struct{})
	if _, err := answerOf(withoutError(handler), httptest.NewRequest(http.MethodGet, "/", nil).WithContext(ctx), func() { close(ended) }); err != context.DeadlineExceeded {
		t.Errorf("got %v", err)
	}
	<-written
	<-ended
}

func TestPlaceholdersCannotLeaveTheirPartOfTheURI(t *testing.T) {
	for _, c := range []struct{ uri, request, want string }{
		{"/auth?room={http.request.uri.query.room}", "/ws?room=a%26admin%3D1%23x", "/auth?room=a%26admin%3D1%23x"},
		{"/auth?{http.request.uri.query}", "/ws?a=1&b=%26", "/auth?a=1&b=%26"},
		{"/auth?uri={http.request.uri}", "/ws?a=1&b=2", "/auth?uri=%2Fws%3Fa%3D1%26b%3D2"},
		{"/auth{http.request.uri.path}", "/ws%3Fadmin=1", "/auth/ws%3Fadmin=1"},
		{"/auth?x={unknown.thing}", "/ws", "/auth?x="},
		{"/auth%20x", "/ws", "/auth%20x"},
		{"/auth{http.request.uri.path}", "/a/../../admin.php", ""},
		{"/auth{http.request.uri.path}", "/%2e%2e/admin.php", ""},
		{"/auth/{http.request.uri.query.f}", "/ws?f=..%5Cadmin.php", ""},
	} {
		r := withReplacer(parseRequest(t, "GET "+c.request+" HTTP/1.1\r\nHost: a\r\n\r\n"))
		target, err := (&Authorize{URI: c.uri}).target(r)
		if c.want == "" {
			if err == nil {
				t.Errorf("%s for %s: got %s", c.uri, c.request, target)
			}

			continue
		}
		if err != nil || target.RequestURI() != c.want {
			t.Errorf("%s for %s: got %v, %v, want %s", c.uri, c.request, target, err, c.want)
		}
	}
}
