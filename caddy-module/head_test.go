package websocket

import (
	"bufio"
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// parse reads a request as net/http's server does.
func parseRequest(t *testing.T, text string) *http.Request {
	t.Helper()

	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(text)))
	if err != nil {
		t.Fatal(err)
	}

	return r
}

func TestTheHeadIsTheRequestAsItCame(t *testing.T) {
	r := parseRequest(t, "GET /a%20b?q=1&q=2 HTTP/1.1\r\nHost: example.com:8080\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\nCookie: a=1\r\nCookie: b=2\r\n\r\n")

	if got, want := string(requestHead(r, sentPath(r))), "GET /a%20b?q=1&q=2 HTTP/1.1\r\nHost: example.com:8080\r\nConnection: keep-alive, Upgrade\r\nCookie: a=1\r\nCookie: b=2\r\nUpgrade: websocket\r\n\r\n"; got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestThePathIsTheOneThatTheClientSentAndTheQueryTheOneThatHandlersLeft(t *testing.T) {
	for _, target := range []string{
		"/chat/room", "/a%20b", "/a%2Fb", "/caf\xe9/\xff\"<>{|}^`\\", "/größe", "//host/a", "/a/../b", "/", "/a#b", "/%e9%E9", "/;a=b:c@d",
	} {
		for _, form := range []string{target, "http://example.com" + target} {
			r := parseRequest(t, "GET "+form+"?q=\xe9 HTTP/1.1\r\nHost: example.com\r\n\r\n")
			original := http.Request{URL: cloneURL(r.URL), RequestURI: r.RequestURI}
			r = r.WithContext(context.WithValue(r.Context(), caddyhttp.OriginalRequestCtxKey, original))
			// What handle_path, and a rewrite with a query, do.
			r.URL.Path, r.URL.RawPath, r.URL.RawQuery = "/stripped", "", "room=1"
			r.RequestURI = r.URL.RequestURI()

			if got, want := string(requestHead(r, sentPath(r))), "GET "+target+"?room=1 HTTP/1.1\r\n"; !strings.HasPrefix(got, want) {
				t.Errorf("%q: got:\n%q\nwant:\n%q", form, got, want)
			}
			if got, want := sentTarget(r), target+"?q=\xe9"; got != want {
				t.Errorf("%q: authorize is told %q, want %q", form, got, want)
			}
		}
	}

	whole := parseRequest(t, "GET http://example.com HTTP/1.1\r\nHost: other.example\r\n\r\n")
	if got, want := string(requestHead(whole, sentPath(whole))), "GET / HTTP/1.1\r\nHost: example.com\r\n"; !strings.HasPrefix(got, want) {
		t.Errorf("got:\n%q", got)
	}

	overHTTP3 := parseRequest(t, "GET /chat?a=1 HTTP/1.1\r\nHost: example.com\r\n\r\n")
	overHTTP3.Method, overHTTP3.ProtoMajor, overHTTP3.Proto, overHTTP3.RequestURI = http.MethodConnect, 3, "websocket", "example.com:443"
	if got, want := string(requestHead(overHTTP3, sentPath(overHTTP3))), "CONNECT /chat?a=1 HTTP/1.1\r\n"; !strings.HasPrefix(got, want) {
		t.Errorf("got:\n%q", got)
	}
}

func cloneURL(u *url.URL) *url.URL {
	clone := *u

	return &clone
}

func TestAHeaderSetByAnotherHandlerCannotEndTheHead(t *testing.T) {
	r := parseRequest(t, "GET / HTTP/1.1\r\nHost: example.com\r\n\r\n")
	r.Header.Set("X-User", "eve\r\nOrigin: https://example.com\r\n\r\n")

	if got, want := string(requestHead(r, sentPath(r))), "GET / HTTP/1.1\r\nHost: example.com\r\nX-User: eve  Origin: https://example.com    \r\n\r\n"; strings.Count(got, "\r\n") != strings.Count(want, "\r\n") {
		t.Errorf("got:\n%s", got)
	}
}

func TestARequestForAWebSocketIsRecognised(t *testing.T) {
	extended := parseRequest(t, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	extended.Method, extended.ProtoMajor = http.MethodConnect, 2
	extended.Header[":protocol"] = []string{"websocket"}

	overHTTP3 := parseRequest(t, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	overHTTP3.Method, overHTTP3.ProtoMajor, overHTTP3.Proto = http.MethodConnect, 3, "websocket"

	for _, c := range []struct {
		name string
		r    *http.Request
		want bool
	}{
		{"as browsers write it", parseRequest(t, "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"), true},
		{"in capitals, in a list", parseRequest(t, "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c, WebSocket\r\n\r\n"), true},
		{"with a wrong method, for the core to refuse", parseRequest(t, "POST / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n"), true},
		{"RFC 8441", extended, true},
		{"RFC 9220", overHTTP3, true},
		{"none", parseRequest(t, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"), false},
		{"another upgrade", parseRequest(t, "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\n\r\n"), false},
		{"a longer name", parseRequest(t, "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websockets\r\n\r\n"), false},
		{"an ordinary CONNECT", parseRequest(t, "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n"), false},
	} {
		if got := isUpgrade(c.r); got != c.want {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}
