package websocket

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	bridge "github.com/frankenphp-ws/frankenphp-ws/go-bridge"
)

// These tests run Caddy with the core in this process, see integration_test.go. Instead of PHP, other handlers answer.

// withReplacer prepares a request as a server of Caddy does.
func withReplacer(r *http.Request) *http.Request {
	return caddyhttp.PrepareRequest(r, caddy.NewReplacer(), httptest.NewRecorder(), new(caddyhttp.Server))
}

// guarded is an echo route that /auth authorises, which is answered by the lines.
func guarded(lines string, options ...string) string {
	return site("\twebsocket /core {\n\t\techo\n\t\tsubprotocols a b\n\t\tauthorize /auth {\n" + strings.Join(options, "\n") + "\n\t\t}\n\t}\n" +
		"\thandle /auth {\n" + lines + "\n\t}\n")
}

// wantRefusal expects an answer that opens no connection.
func wantRefusal(t *testing.T, response *http.Response, status int, text string) {
	t.Helper()

	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != status || !strings.Contains(string(body), text) || response.Header.Get("Upgrade") != "" || response.Header.Get("Sec-WebSocket-Accept") != "" {
		t.Errorf("got %d %v %s, want %d … %s …", response.StatusCode, response.Header, body, status, text)
	}
}

func TestWhatTheSiteAcceptsIsOpenedWithCookiesAndNamedHeadersOnThe101(t *testing.T) {
	socket := run(t, guarded(`
		header Set-Cookie "seen=1"
		header +Set-Cookie "twice=1"
		header X-Request-Id 77
		header X-Secret 1
		header WebSocket-Id ann
		header WebSocket-Tags "vip, group%201"
		header WebSocket-Information "name=J%C3%BCrgen"
		respond 204`, "copy_response_headers x-request-id"))

	c, response := dial(t, socket, "/core", nil)
	if response.StatusCode != 101 || strings.Join(response.Header.Values("Set-Cookie"), "|") != "seen=1|twice=1" || response.Header.Get("X-Request-Id") != "77" {
		t.Errorf("got %d %v", response.StatusCode, response.Header)
	}
	for name := range response.Header {
		if name == "X-Secret" || strings.HasPrefix(name, grantPrefix) {
			t.Errorf("%s reached the client", name)
		}
	}
	exchange(t, c, "hello")

	// The id is taken now.
	_, response = dial(t, socket, "/core", nil)
	wantRefusal(t, response, http.StatusConflict, "another client has this id")
}

func TestAnythingElseThan2xxIsTheClientsAnswer(t *testing.T) {
	for _, c := range []struct {
		lines, text, header, value string
		status                     int
	}{
		{"redir https://example.com/login 302", "", "Location", "https://example.com/login", 302},
		{"header WWW-Authenticate Bearer\nrespond \"who are you?\" 401", "who are you?", "WWW-Authenticate", "Bearer", 401},
		{"header WebSocket-Id ann\nheader Upgrade h2c\nrespond no 403", "no", "WebSocket-Id", "", 403},
		{"respond 304", "", "", "", 304},
		{"error nothing 404", "", "", "", 404},
	} {
		t.Run(fmt.Sprint(c.status), func(t *testing.T) {
			socket := run(t, guarded(c.lines))
			_, response := dial(t, socket, "/core", nil)
			if c.header != "" && response.Header.Get(c.header) != c.value {
				t.Errorf("%s: %q", c.header, response.Header.Get(c.header))
			}
			wantRefusal(t, response, c.status, c.text)
		})
	}
}

func TestWhatSettlesNothingRefuses(t *testing.T) {
	for name, body := range map[string]string{
		"nobody is there for the URI":        site("\twebsocket /core {\n\t\techo\n\t\tauthorize /auth\n\t}\n"),
		"a header that means nothing":        guarded("header WebSocket-Tag vip\nrespond 200"),
		"an empty id":                        guarded("header WebSocket-Id \"\"\nrespond 200"),
		"an id that is too long":             guarded("header WebSocket-Id " + strings.Repeat("i", 256) + "\nrespond 200"),
		"two ids":                            guarded("header WebSocket-Id a\nheader +WebSocket-Id b\nrespond 200"),
		"an id that is not encoded":          guarded("header WebSocket-Id \"a b\"\nrespond 200"),
		"an id that is encoded wrongly":      guarded("header WebSocket-Id 50%\nrespond 200"),
		"an id that is not UTF-8":            guarded("header WebSocket-Id %FF\nrespond 200"),
		"a tag that is too long":             guarded("header WebSocket-Tags a," + strings.Repeat("t", 256) + "\nrespond 200"),
		"information without a key":          guarded("header WebSocket-Information =x\nrespond 200"),
		"information that is no pair":        guarded("header WebSocket-Information x\nrespond 200"),
		"a sub-protocol that is not offered": guarded("header WebSocket-Subprotocol b\nrespond 200"),
	} {
		t.Run(name, func(t *testing.T) {
			socket := run(t, body)
			_, response := dial(t, socket, "/core", nil)
			wantRefusal(t, response, http.StatusInternalServerError, "did not settle")
		})
	}
}

func TestAnErrorPageDoesNotTurnARefusalIntoA200(t *testing.T) {
	socket := run(t, strings.Replace(guarded("error no 403"), "http:// {\n", "http:// {\n\thandle_errors {\n\t\trespond oops 200\n\t}\n", 1))
	_, response := dial(t, socket, "/core", nil)
	wantRefusal(t, response, http.StatusForbidden, "")
}

func TestAnAuthorizeRequestThatIsMadeAnUpgradeEnds(t *testing.T) {
	socket := run(t, site("\trequest_header Upgrade websocket\n\trequest_header Connection Upgrade\n\twebsocket {\n\t\techo\n\t\tauthorize /auth\n\t}\n"))
	_, response := dial(t, socket, "/core", nil)
	wantRefusal(t, response, http.StatusLoopDetected, "ask for a WebSocket")
}

func TestARouteForEveryPathIsAuthorisedByOneOfThem(t *testing.T) {
	socket := run(t, site("\twebsocket {\n\t\techo\n\t\tauthorize /auth\n\t}\n\trespond /auth yes\n"))
	c, _ := dial(t, socket, "/core", nil)
	exchange(t, c, "hello")
}

// slowly runs a server that answers a request when told, or gives up with it.
func slowly(t *testing.T) (address string, asked chan *http.Request, answer chan int) {
	t.Helper()

	asked, answer = make(chan *http.Request, 10), make(chan int, 10)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- r
		select {
		case status := <-answer:
			w.WriteHeader(status)
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(server.Close)

	return strings.TrimPrefix(server.URL, "http://"), asked, answer
}

// comes returns what comes from a channel, which it does soon.
func comes[T any](t *testing.T, c <-chan T, what string) (value T) {
	t.Helper()

	select {
	case value = <-c:
	case <-time.After(20 * time.Second):
		t.Fatal("waited in vain for " + what)
	}

	return value
}

func TestNoAnswerInTimeRefuses(t *testing.T) {
	address, asked, _ := slowly(t)
	socket := run(t, guarded("reverse_proxy "+address, "timeout 1s"))

	_, response := dial(t, socket, "/core", nil)
	wantRefusal(t, response, http.StatusGatewayTimeout, "in time")
	comes(t, comes(t, asked, "the request").Context().Done(), "its end")
}

func TestAConnectionThatIsBeingAuthorisedHoldsItsPlaceAndARefusedOneGivesItBack(t *testing.T) {
	address, asked, answer := slowly(t)
	socket := run(t, site("\twebsocket /single {\n\t\techo\n\t\tname single\n\t\tmax_connections 1\n\t\tauthorize /auth\n\t}\n\thandle /auth {\n\t\treverse_proxy "+address+"\n\t}\n"))

	refused := make(chan *http.Response)
	go func() {
		_, response := dial(t, socket, "/single", nil)
		refused <- response
	}()
	comes(t, asked, "the request")
	_, response := dial(t, socket, "/single", nil)
	wantRefusal(t, response, http.StatusServiceUnavailable, "as many connections as it may")

	answer <- 403
	wantRefusal(t, comes(t, refused, "the refusal"), http.StatusForbidden, "")
	answer <- 200
	c, _ := dial(t, socket, "/single", nil)
	exchange(t, c, "hello")
}

func TestAClientThatGoesWhileItIsAuthorisedGivesItsPlaceBack(t *testing.T) {
	address, asked, _ := slowly(t)
	socket := run(t, site("\twebsocket /abandoned {\n\t\techo\n\t\tname abandoned\n\t\tmax_connections 1\n\t\tauthorize /auth\n\t}\n\thandle /auth {\n\t\treverse_proxy "+address+"\n\t}\n"))

	conn, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, strings.Replace(upgrade, "/ws", "/abandoned", 1)+"\r\n"); err != nil {
		t.Fatal(err)
	}
	inner := comes(t, asked, "the request")
	conn.Close()
	comes(t, inner.Context().Done(), "its end")

	eventually(t, func() bool {
		h, err := bridge.NewHandshake("abandoned", []byte(upgrade+"\r\n"), "")
		if err != nil {
			t.Fatal(err)
		}
		defer h.Close()

		return h.Status() == 101
	}, func() { t.Error("its place is still taken") })
}

func TestTheAuthorisedSubprotocolIsTheOneOfThe101(t *testing.T) {
	socket := run(t, strings.Replace(guarded("header WebSocket-Subprotocol b\nrespond 200"), "http:// {\n", "http:// {\n\trequest_header Sec-WebSocket-Protocol \"a, b\"\n", 1))
	_, response := dial(t, socket, "/core", nil)
	if got := response.Header.Get("Sec-WebSocket-Protocol"); response.StatusCode != 101 || got != "b" {
		t.Errorf("got %d %q", response.StatusCode, got)
	}
}
