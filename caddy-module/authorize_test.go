package websocket

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
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
		header WebSocket-Authorize accept
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
		{"header WebSocket-Authorize accept\nrespond \"log in\" 401", "log in", "WebSocket-Authorize", "", 401},
		{"header WebSocket-Authorize accept\nredir * /login 303", "", "Location", "/login", 303},
		{"header WebSocket-Authorize accept\nerror broken 502", "", "WebSocket-Authorize", "", 502},
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
	folder := t.TempDir()
	if err := os.WriteFile(folder+"/page.html", []byte("<p>hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	const yes = "header WebSocket-Authorize accept\n"
	files := "root * " + folder + "\n"
	for name, body := range map[string]string{
		"nobody is there for the URI":        site("\twebsocket /core {\n\t\techo\n\t\tauthorize /auth\n\t}\n"),
		"a header alone, and nobody there":   site("\theader WebSocket-Authorize accept\n\twebsocket /core {\n\t\techo\n\t\tauthorize /auth\n\t}\n"),
		"a page that knows nothing of it":    guarded("respond hello 200"),
		"a file":                             guarded(files + "rewrite * /page.html\nfile_server"),
		"an empty answer":                    guarded("respond 204"),
		"another value":                      guarded("header WebSocket-Authorize yes\nrespond 200"),
		"the value in capitals":              guarded("header WebSocket-Authorize Accept\nrespond 200"),
		"the value among others":             guarded("header WebSocket-Authorize \"accept, accept\"\nrespond 200"),
		"no value":                           guarded("header WebSocket-Authorize \"\"\nrespond 200"),
		"two values":                         guarded(yes + "header +WebSocket-Authorize refuse\nrespond 200"),
		"the value twice":                    guarded(yes + "header +WebSocket-Authorize accept\nrespond 200"),
		"another name":                       guarded("header WebSocket-Authorise accept\nrespond 200"),
		"a header that means nothing":        guarded(yes + "header WebSocket-Tag vip\nrespond 200"),
		"an empty id":                        guarded(yes + "header WebSocket-Id \"\"\nrespond 200"),
		"an id that is too long":             guarded(yes + "header WebSocket-Id " + strings.Repeat("i", 256) + "\nrespond 200"),
		"two ids":                            guarded(yes + "header WebSocket-Id a\nheader +WebSocket-Id b\nrespond 200"),
		"an id that is not encoded":          guarded(yes + "header WebSocket-Id \"a b\"\nrespond 200"),
		"an id that is encoded wrongly":      guarded(yes + "header WebSocket-Id 50%\nrespond 200"),
		"an id that is not UTF-8":            guarded(yes + "header WebSocket-Id %FF\nrespond 200"),
		"a tag that is too long":             guarded(yes + "header WebSocket-Tags a," + strings.Repeat("t", 256) + "\nrespond 200"),
		"information without a key":          guarded(yes + "header WebSocket-Information =x\nrespond 200"),
		"information that is no pair":        guarded(yes + "header WebSocket-Information x\nrespond 200"),
		"a sub-protocol that is not offered": guarded(yes + "header WebSocket-Subprotocol b\nrespond 200"),
	} {
		t.Run(name, func(t *testing.T) {
			socket := run(t, body)
			_, response := dial(t, socket, "/core", nil)
			wantRefusal(t, response, http.StatusInternalServerError, "did not settle")
		})
	}
}

func TestAnErrorPageDoesNotTurnARefusalIntoAYes(t *testing.T) {
	page := "http:// {\n\thandle_errors {\n\t\theader WebSocket-Authorize accept\n\t\trespond oops 200\n\t}\n"
	for lines, status := range map[string]int{"error no 403": 403, "error no 500": 500, "header WebSocket-Authorize accept\nerror fine 200": 500, "reverse_proxy 127.0.0.1:1": 502} {
		socket := run(t, strings.Replace(guarded(lines), "http:// {\n", page, 1))
		_, response := dial(t, socket, "/core", nil)
		wantRefusal(t, response, status, "")
	}
}

func TestAnAuthorizeRequestThatIsMadeAnUpgradeEnds(t *testing.T) {
	socket := run(t, site("\trequest_header Upgrade websocket\n\trequest_header Connection Upgrade\n\twebsocket {\n\t\techo\n\t\tauthorize /auth\n\t}\n"))
	_, response := dial(t, socket, "/core", nil)
	wantRefusal(t, response, http.StatusLoopDetected, "ask for a WebSocket")
}

func TestARouteForEveryPathIsAuthorisedByOneOfThem(t *testing.T) {
	socket := run(t, site("\twebsocket {\n\t\techo\n\t\tauthorize /auth\n\t}\n\thandle /auth {\n\t\theader WebSocket-Authorize accept\n\t\trespond 200\n\t}\n"))
	c, _ := dial(t, socket, "/core", nil)
	exchange(t, c, "hello")
}

func TestAClientCannotSayYes(t *testing.T) {
	socket := run(t, guarded(`header WebSocket-Authorize "{header.WebSocket-Authorize}{header.Websocket_Authorize}{header.WebSocket.Authorize}"
		respond 200`))
	conn, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	request := strings.Replace(upgrade, "/ws", "/core", 1) + "WebSocket-Authorize: accept\r\nwebsocket_authorize: accept\r\nWebSocket.Authorize: accept\r\n\r\n"
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	wantRefusal(t, response, http.StatusInternalServerError, "did not settle")
	if got := response.Header.Get("WebSocket-Authorize"); got != "" {
		t.Errorf("the client was sent %q", got)
	}
}

// slowly runs a server that answers a request when told, or gives up with it.
func slowly(t *testing.T) (address string, asked chan *http.Request, answer chan int) {
	t.Helper()

	asked, answer = make(chan *http.Request, 10), make(chan int, 10)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- r
		select {
		case status := <-answer:
			w.Header().Set("WebSocket-Authorize", "accept")
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
	socket := run(t, strings.Replace(guarded("header WebSocket-Authorize accept\nheader WebSocket-Subprotocol b\nrespond 200"), "http:// {\n", "http:// {\n\trequest_header Sec-WebSocket-Protocol \"a, b\"\n", 1))
	_, response := dial(t, socket, "/core", nil)
	if got := response.Header.Get("Sec-WebSocket-Protocol"); response.StatusCode != 101 || got != "b" {
		t.Errorf("got %d %q", response.StatusCode, got)
	}
}

// asking sends an upgrade request and returns its connection, and later its answer.
func asking(t *testing.T, socket, path, more string) (net.Conn, <-chan *http.Response) {
	t.Helper()

	conn, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if _, err := io.WriteString(conn, strings.Replace(upgrade, "/ws", path, 1)+"\r\n"+more); err != nil {
		t.Fatal(err)
	}
	answer := make(chan *http.Response, 1)
	go func() {
		if response, err := http.ReadResponse(bufio.NewReader(conn), nil); err == nil {
			answer <- response
		}
	}()

	return conn, answer
}

// authorizing are the numbers of the statistics.
func authorizing(t *testing.T) (n struct{ Waiting, Running, Given_up, Refused_busy int }) {
	t.Helper()

	encoded, err := bridge.Stats()
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(bytes.ReplaceAll(encoded, []byte("authorize_"), nil), &n); err != nil {
		t.Fatal(err)
	}

	return n
}

// settles waits until as many handshakes wait and are asked about.
func settles(t *testing.T, waiting, running int) {
	t.Helper()

	eventually(t, func() bool { n := authorizing(t); return n.Waiting == waiting && n.Running == running }, func() {
		t.Fatalf("%+v, want %d waiting and %d running", authorizing(t), waiting, running)
	})
}

// one lets one request at a time to what /auth is.
func one(name, answer string) string {
	return strings.Replace(site("\twebsocket /core {\n\t\techo\n\t\tname "+name+"\n\t\tmax_connections_per_ip 3\n\t\tauthorize /auth\n\t}\n\thandle /auth {\n\t\t"+answer+"\n\t}\n"),
		"admin off\n", "admin off\n\twebsocket {\n\t\tauthorize {\n\t\t\tmax_running 1\n\t\t}\n\t}\n\tservers {\n\t\ttrusted_proxies static 0.0.0.0/0\n\t\ttrusted_proxies_unix\n\t}\n", 1)
}

func TestOneRequestAtATimeIsWithTheSiteAndWhoLeavesMeanwhileNeverIs(t *testing.T) {
	address, asked, answer := slowly(t)
	socket := run(t, one("queue", "reverse_proxy "+address))
	before := authorizing(t)

	_, first := asking(t, socket, "/core", "")
	comes(t, asked, "the first request")
	gone, _ := asking(t, socket, "/core", "")
	settles(t, 1, 1)
	// What a client sends early must not hide that it has left.
	early, _ := asking(t, socket, "/core", "")
	settles(t, 2, 1)
	if _, err := early.Write(text("early")); err != nil {
		t.Fatal(err)
	}
	_, last := asking(t, socket, "/core", "")
	settles(t, 3, 1)

	gone.Close()
	settles(t, 2, 1)
	early.Close()
	answer <- http.StatusOK
	if response := comes(t, first, "the answer to the first"); response.StatusCode != http.StatusSwitchingProtocols {
		t.Errorf("the first got %d", response.StatusCode)
	}
	comes(t, asked, "the second request")
	answer <- http.StatusOK
	if response := comes(t, last, "the answer to the last"); response.StatusCode != http.StatusSwitchingProtocols {
		t.Errorf("the last got %d", response.StatusCode)
	}
	if len(asked) != 0 {
		t.Error("the site was asked about one that had left")
	}
	settles(t, 0, 0)
	if now := authorizing(t); now.Given_up != before.Given_up+2 {
		t.Errorf("%d given up, want 2 more than %d", now.Given_up, before.Given_up)
	}
}

func TestARequestThatIsGivenUpKeepsItsTurnUntilTheSiteIsDoneWithIt(t *testing.T) {
	done, asked := make(chan struct{}), make(chan struct{}, 10)
	stubborn = func() { // a handler that does not look whether anybody waits, as PHP does
		asked <- struct{}{}
		<-done
	}
	socket := run(t, one("stubborn", "test_stubborn"))
	conn, _ := asking(t, socket, "/core", "")
	comes(t, asked, "the request")
	conn.Close()
	_, next := asking(t, socket, "/core", "")
	settles(t, 1, 1)
	if len(asked) != 0 {
		t.Error("two requests are with the site")
	}
	close(done)
	if response := comes(t, next, "the answer"); response.StatusCode != http.StatusSwitchingProtocols {
		t.Errorf("the next one got %d", response.StatusCode)
	}
	settles(t, 0, 0)
}

func TestWhoCannotBeAskedAboutInTimeIsToldWhenToComeAgain(t *testing.T) {
	address, asked, answer := slowly(t)
	config := strings.Replace(one("late", "reverse_proxy "+address), "authorize /auth\n", "authorize /auth {\n\t\t\ttimeout 1s\n\t\t}\n", 1)
	socket := run(t, config)
	_, first := asking(t, socket, "/core", "")
	comes(t, asked, "the first request")
	_, second := asking(t, socket, "/core", "")
	response := comes(t, second, "a refusal")
	wantRefusal(t, response, http.StatusServiceUnavailable, "try again later")
	if response.Header.Get("Retry-After") != "1" {
		t.Errorf("Retry-After: %q", response.Header.Get("Retry-After"))
	}
	wantRefusal(t, comes(t, first, "a refusal"), http.StatusGatewayTimeout, "in time")
	_ = answer
}

func TestHandshakesThatWaitForTheirTurnCountForTheirAddress(t *testing.T) {
	address, asked, answer := slowly(t)
	socket := run(t, one("counted", "reverse_proxy "+address))
	from := func(ip string) <-chan *http.Response {
		conn, err := net.Dial("unix", socket)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		_, _ = io.WriteString(conn, strings.Replace(upgrade, "/ws", "/core", 1)+"X-Forwarded-For: "+ip+"\r\n\r\n")
		got := make(chan *http.Response, 1)
		go func() {
			if response, err := http.ReadResponse(bufio.NewReader(conn), nil); err == nil {
				got <- response
			}
		}()

		return got
	}
	from("192.0.2.1")
	comes(t, asked, "the first request")
	from("192.0.2.1")
	from("192.0.2.1")
	settles(t, 2, 1)
	if response := comes(t, from("192.0.2.1"), "a refusal"); response.StatusCode != http.StatusTooManyRequests {
		t.Errorf("the fourth of an address got %d", response.StatusCode)
	}
	// Another address has the next turn, though two came before it.
	other := from("192.0.2.2")
	settles(t, 3, 1)
	for range 2 {
		answer <- http.StatusForbidden
		comes(t, asked, "the next request")
	}
	answer <- http.StatusOK
	if response := comes(t, other, "the answer to the other"); response.StatusCode != http.StatusSwitchingProtocols {
		t.Errorf("the other address got %d", response.StatusCode)
	}
	comes(t, asked, "the last request")
	answer <- http.StatusForbidden
	settles(t, 0, 0)
}

func TestTheLogShowsNothingOfTheRequestThatTheSiteHides(t *testing.T) {
	folder := t.TempDir()
	config := strings.Replace(site("\tlog {\n\t\toutput file "+folder+"/access\n\t\tformat filter {\n\t\t\trequest>uri query {\n\t\t\t\treplace token HIDDEN\n\t\t\t}\n\t\t}\n\t}\n"+
		"\twebsocket /core {\n\t\techo\n\t\tauthorize /auth/{query.path}?{query}\n\t}\n"+
		"\thandle /auth/fine {\n\t\theader WebSocket-Authorize accept\n\t\trespond 200\n\t}\n\thandle /auth/broken {\n\t\terror broken 500\n\t}\n"+
		"\thandle /auth/wrong {\n\t\theader WebSocket-Authorize accept\n\t\theader WebSocket-Information \"key={query.token} value,{query.token}\"\n\t\trespond 200\n\t}\n\thandle /auth/nothing {\n\t\trespond hello\n\t}\n"),
		"output discard", "output file "+folder+"/log\n\t\tlevel debug", 1)
	socket := run(t, config)
	for path, status := range map[string]int{
		"fine": 101, "broken": 500, "wrong": 500, "nothing": 500,
		"SECRET%2F..%2Fx": 400, "%00SECRET": 400,
	} {
		conn, err := net.Dial("unix", socket)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(conn, strings.Replace(upgrade, "/ws", "/core?token=SECRET&path="+path, 1)+"Cookie: session=SECRET\r\nAuthorization: Bearer SECRET\r\n\r\n")
		response, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil || response.StatusCode != status {
			t.Errorf("%s: %v %v", path, response, err)
		}
		conn.Close()
	}
	// An accepted handshake is logged when its handler has returned, which may be after the client has its 101.
	records := func() int {
		written, _ := os.ReadFile(folder + "/access")
		return strings.Count(string(written), "handled request")
	}
	eventually(t, func() bool { return records() >= 6 }, func() { t.Errorf("the access log has %d records", records()) })
	if err := caddy.Stop(); err != nil { // the files are written
		t.Error(err)
	}
	for _, name := range []string{"access", "log"} {
		written, err := os.ReadFile(folder + "/" + name)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(written)) {
			// In the upgrade request's own line the path is shown, as the site does not hide it.
			if line = regexp.MustCompile(`path=[^&"]*`).ReplaceAllString(line, ""); strings.Contains(line, "SECRET") {
				t.Errorf("%s: %s", name, line)
			}
		}
		if want := map[string]int{"access": 6, "log": 0}[name]; strings.Count(string(written), "handled request") != want {
			t.Errorf("%s has %d records of requests, want %d:\n%s", name, strings.Count(string(written), "handled request"), want, written)
		}
	}
}
