package e2e

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/coder/websocket"
)

// guarded is a site whose WebSockets testdata/authorize.php authorises: by /classic.php in classic mode, by /front.php as a
// worker. Of an upgrade request, the query says what the script is to do.
func guarded() site {
	route := func(name string) string {
		return fmt.Sprintf(`
	websocket /ws/%[1]s {
		name %[1]s
		worker guarded
		subprotocols a b
		authorize /%[1]s.php/ws?{query} {
			timeout 20s
			copy_response_headers X-Request-Id
		}
	}
	websocket /hasty/%[1]s {
		name hasty-%[1]s
		worker guarded
		authorize /%[1]s.php/ws?{query} {
			timeout 1s
		}
	}`, name)
	}
	return site{
		global: `
	frankenphp {
		worker {
			name guarded
			file $TESTDATA/guarded.php
			num 1
		}
		worker {
			file $TESTDATA/public/front.php
			num 4
		}
	}`,
		body: "\troot $TESTDATA/public" + route("classic") + route("front") + `
	websocket /loop {
		name loop
		worker guarded
		authorize /loop
	}
	php_server`,
	}
}

// given is what testdata/guarded.php knows of a client in its open event.
type given struct {
	Worker, ID, Subprotocol string
	Tags                    []string
	Information             any // a map, or an empty list
}

func (c *client) given(t *testing.T) given {
	t.Helper()
	var g given
	message := c.receive(t)
	if err := json.Unmarshal([]byte(message), &g); err != nil {
		t.Fatalf("%v in %q", err, message)
	}
	return g
}

// login gets a session by a page of the site.
func login(t *testing.T, s *server, script, user string) http.Header {
	t.Helper()
	res, err := s.client.Get(s.url("/" + script + ".php/login?user=" + user))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if body, _ := io.ReadAll(res.Body); len(res.Cookies()) != 1 || string(body) != "logged in" {
		t.Fatalf("%s %v %s", res.Status, res.Header, body)
	}
	return http.Header{"Cookie": {res.Cookies()[0].String()}}
}

// refused requests an upgrade that must be answered with this status, and returns the body.
func refused(t *testing.T, s *server, path string, status int, extra ...string) (*http.Response, string) {
	t.Helper()
	r := request(t, s.addr, upgradeRequest(s.addr, path, extra...))
	body, err := io.ReadAll(r.response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if r.response.StatusCode != status {
		t.Errorf("%s: %s %q, want %d", path, r.response.Status, body, status)
	}
	for _, name := range []string{"Sec-WebSocket-Accept", "Websocket-Id", "Websocket-Tags"} {
		if r.response.Header.Get(name) != "" {
			t.Errorf("%s: the answer has %s", path, name)
		}
	}
	return r.response, string(body)
}

func TestASessionOfTheSiteAuthorisesItsWebSocketsAndSaysWhoTheyAre(t *testing.T) {
	t.Parallel()
	s := start(t, guarded())
	for _, script := range []string{"classic", "front"} {
		t.Run(script, func(t *testing.T) {
			response, body := refused(t, s, "/ws/"+script, http.StatusUnauthorized)
			if body != "log in first" || response.Header.Get("X-Reason") != "no session" {
				t.Errorf("%v %q", response.Header, body)
			}

			header := login(t, s, script, script+"-ann")
			c := dial(t, s, "/ws/"+script+"?room=1", &websocket.DialOptions{HTTPHeader: header, Subprotocols: []string{"a", "b"}})
			if got := c.response.Header; len(c.response.Cookies()) != 1 || c.response.Cookies()[0].Name != "seen" || got.Get("X-Request-Id") != "77" || got.Get("Websocket-Id") != "" {
				t.Errorf("the 101 has %v", got)
			}
			got, want := c.given(t), given{
				Worker: "guarded", ID: "user " + script + "-ann", Subprotocol: "b", Tags: []string{"group 1,2", "member"},
				Information: map[string]any{
					"name":  base64.StdEncoding.EncodeToString([]byte(script + "-ann")),
					"bytes": base64.StdEncoding.EncodeToString([]byte("\x00\xff=,%")),
				},
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("PHP was given %+v, want %+v", got, want)
			}
			if c.Subprotocol() != "b" {
				t.Errorf("the sub-protocol is %q", c.Subprotocol())
			}

			if _, body := refused(t, s, "/ws/"+script, http.StatusConflict, "Cookie: "+header.Get("Cookie")); !strings.Contains(body, "has this id") {
				t.Error(body)
			}
			c.send(t, "still here")
			c.want(t, "guarded: still here")
		})
	}
}

func TestPHPIsAskedAsByAnOrdinaryRequestOfThatVisitor(t *testing.T) {
	t.Parallel()
	s := start(t, guarded())
	refused(t, s, "/ws/classic?room=%26x", http.StatusUnauthorized, "Cookie: a=1; b=2", "Origin: http://"+s.addr, "Sec-WebSocket-Protocol: x, b",
		"X-Original-Uri: /admin", "X_Original_Uri: /admin", "X-WebSocket-Route: admin", "X_Websocket_Subprotocols: admin", "X.Original.Uri: /admin",
		"X.WebSocket.Route: admin", "X-WebSocket.Subprotocols: admin", "Authorization: Basic YWxpY2U6c2VjcmV0")

	var asked map[string]any
	lines := s.lines("asked")
	if len(lines) != 1 || json.Unmarshal([]byte(lines[0]), &asked) != nil {
		t.Fatalf("%q", lines)
	}
	for name, want := range map[string]any{
		"REQUEST_METHOD": "GET", "REQUEST_URI": "/classic.php/ws?room=%26x", "REMOTE_ADDR": "127.0.0.1", "HTTP_HOST": s.addr,
		"HTTP_ORIGIN": "http://" + s.addr, "HTTP_X_ORIGINAL_URI": "/ws/classic?room=%26x", "HTTP_X_WEBSOCKET_ROUTE": "classic",
		"HTTP_X_WEBSOCKET_SUBPROTOCOLS": "x, b", "HTTP_UPGRADE": nil, "HTTP_CONNECTION": nil, "HTTP_SEC_WEBSOCKET_KEY": nil,
		"PHP_AUTH_USER": "alice", "cookies": []any{"a", "b"},
	} {
		if got := asked[name]; !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}

func TestARefusalOfPHPIsTheClientsAnswerAndWhatSettlesNothingRefuses(t *testing.T) {
	t.Parallel()
	s := start(t, guarded())
	for _, script := range []string{"classic", "front"} {
		response, _ := refused(t, s, "/ws/"+script+"?do=redirect", http.StatusFound)
		if got := response.Header.Get("Location"); got != "/login?next=%2Fws%2F"+script+"%3Fdo%3Dredirect" {
			t.Errorf("Location: %q", got)
		}
		_, body := refused(t, s, "/ws/"+script+"?do=wrong", http.StatusInternalServerError)
		if strings.Contains(body, "rawurlencode") {
			t.Errorf("what is wrong belongs into the log, not into the answer: %q", body)
		}
		eventually(t, func() error {
			if len(s.log.records("rawurlencode()", "/"+script+".php")) == 0 {
				return fmt.Errorf("the log does not say what is wrong")
			}
			return nil
		})
		c := dial(t, s, "/ws/"+script+"?do=accept", nil)
		if got := c.given(t); len(got.Tags) != 0 || len(got.ID) != 22 {
			t.Errorf("PHP was given %+v", got)
		}
	}
	// The route itself is asked, as an ordinary request, and is none of PHP's pages.
	if r := request(t, s.addr, upgradeRequest(s.addr, "/loop")); r.response.StatusCode < 400 {
		t.Errorf("/loop: %s", r.response.Status)
	}
	expect(t, "connections", 2, func() int { return s.stat("connections") })
}

func TestPHPThatTakesTooLongRefuses(t *testing.T) {
	t.Parallel()
	s := start(t, guarded())
	refused(t, s, "/hasty/front?do=sleep", http.StatusGatewayTimeout)
	// The script goes on, as scripts of a worker do when the client has gone. It keeps its turn meanwhile, one of three.
	dial(t, s, "/hasty/front?do=accept", nil).given(t)
	expect(t, "authorize requests given up", 1, func() int { return s.stat("authorize_given_up") })
	expect(t, "authorize requests in PHP", 1, func() int { return s.stat("authorize_running") })
	s.writeFile("go", "")
	expect(t, "authorize requests in PHP", 0, func() int { return s.stat("authorize_running") })
}

func TestWithoutPHPNobodyIsLetIn(t *testing.T) {
	t.Parallel()
	want := guarded()
	want.global = strings.Replace(want.global, "$TESTDATA/guarded.php", "$DIR/worker.php\n\t\t\tmax_consecutive_failures 1", 1)
	want.body += "\n\twebsocket /core {\n\t\techo\n\t\tauthorize /classic.php/ws\n\t}"
	want.files = map[string]string{"worker.php": "<?php require '$TESTDATA/guarded.php';"}
	s := start(t, want)
	dial(t, s, "/ws/classic?do=accept", nil).given(t)

	// FrankenPHP ends the old PHP before it starts the new one: this reload leaves none.
	s.writeFile("worker.php", "<?php this does not parse")
	config, failure := s.adapt(s.source())
	if failure != "" {
		t.Fatal(failure)
	}
	if status, answer := s.adminPost("/load", config); status == http.StatusOK {
		t.Fatalf("the reload with a broken worker was accepted: %s", answer)
	}
	for _, path := range []string{"/ws/classic?do=accept", "/core"} {
		refused(t, s, path, http.StatusServiceUnavailable)
	}
}

func TestAPasswordInFrontIsAskedForOnceAndKnownToPHP(t *testing.T) {
	t.Parallel()
	hash, err := exec.Command(frankenphp(t), "hash-password", "--plaintext", "secret").Output()
	if err != nil {
		t.Fatal(err)
	}
	want := guarded()
	want.body = fmt.Sprintf("\tbasic_auth {\n\t\talice %s\n\t}\n%s", strings.TrimSpace(string(hash)), want.body)
	s := start(t, want)
	if response, _ := refused(t, s, "/ws/classic?do=accept", http.StatusUnauthorized); response.Header.Get("WWW-Authenticate") == "" {
		t.Error("it is not Caddy that refuses")
	}
	if lines := s.lines("asked"); len(lines) != 0 {
		t.Errorf("PHP was asked: %q", lines)
	}
	header := http.Header{"Authorization": {"Basic YWxpY2U6c2VjcmV0"}}
	dial(t, s, "/ws/classic?do=accept", &websocket.DialOptions{HTTPHeader: header}).given(t)
	if lines := s.lines("asked"); len(lines) != 1 || !strings.Contains(lines[0], `"PHP_AUTH_USER":"alice"`) {
		t.Errorf("PHP was asked %q", lines)
	}
}

// endings are the names of testdata/endings.php.
func endings(t *testing.T) (names []string) {
	t.Helper()
	source, err := os.ReadFile("testdata/endings.php")
	if err != nil {
		t.Fatal(err)
	}
	for _, match := range regexp.MustCompile(`(?m)^        '([a-z0-9-]+)' => `).FindAllSubmatch(source, -1) {
		names = append(names, string(match[1]))
	}
	if len(names) < 30 {
		t.Fatalf("only %d endings found: %q", len(names), names)
	}
	return names
}

func TestOnlyAScriptThatSaysYesAndEndsWellLetsSomebodyIn(t *testing.T) {
	t.Parallel()
	const templates = "\ttemplates\n"
	for name, test := range map[string]struct{ ini, body string }{
		"errors are printed":     {"", ""},
		"errors are not printed": {"php_ini display_errors 0", ""},
		"output is buffered":     {"php_ini output_buffering 4096", ""},
		"templates":              {"", templates},
		"error pages":            {"", "\thandle_errors {\n\t\theader WebSocket-Authorize accept\n\t\trewrite * /classic.php/ws?do=accept\n\t\tphp_server\n\t}\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := guarded()
			want.global = strings.Replace(want.global, "frankenphp {", "frankenphp {\n"+test.ini, 1)
			want.body = test.body + want.body
			s := start(t, want)
			for _, script := range []string{"classic", "front"} {
				for _, ending := range endings(t) {
					path := "/ws/" + script + "?do=" + ending
					if strings.HasPrefix(ending, "fine") {
						if got := dial(t, s, path, nil).given(t); got.Worker != "guarded" {
							t.Errorf("%s: PHP was given %+v", path, got)
						}
						continue
					}
					if name != "error pages" {
						refused(t, s, path, http.StatusInternalServerError)
						continue
					}
					// The client gets the page that the site has for the refusal, whatever status it has.
					if r := request(t, s.addr, upgradeRequest(s.addr, path)); r.response.StatusCode == http.StatusSwitchingProtocols || r.response.Header.Get("Sec-WebSocket-Accept") != "" {
						t.Errorf("%s: the error page opened a WebSocket", path)
					}
				}
			}
		})
	}
}

func TestAPageThatDoesNotKnowTheQuestionLetsNobodyInAndTheLogSaysWhatToDo(t *testing.T) {
	t.Parallel()
	route := func(name, uri string) string {
		return fmt.Sprintf("\twebsocket /ws/%s {\n\t\tname %[1]s\n\t\techo\n\t\tauthorize %s\n\t}\n", name, uri)
	}
	page := "<?php header('WebSocket-Authorize: accept');"
	s := start(t, site{
		global: "\tfrankenphp",
		body: "\troot $DIR/public\n" + route("right", "/ws-auth.php?token={query.token}") + route("mistyped", "/ws-aut.php") + route("source", "/source/ws-auth.php") +
			route("static", "/page.html") + "\thandle_path /source/* {\n\t\tfile_server\n\t}\n\tphp_server",
		files: map[string]string{"public/ws-auth.php": page, "public/index.php": "<?php echo 'the home page';", "public/page.html": "<p>hello"},
	})
	dial(t, s, "/ws/right", nil)
	if status, body := s.get("/ws-aut.php"); status != http.StatusOK || body != "the home page" {
		t.Fatalf("the test's site does not fall back to its index.php: %d %q", status, body)
	}
	if status, body := s.get("/source/ws-auth.php"); status != http.StatusOK || body != page {
		t.Fatalf("the test's site does not serve the source: %d %q", status, body)
	}
	for _, name := range []string{"mistyped", "source", "static"} {
		for range 20 {
			refused(t, s, "/ws/"+name, http.StatusInternalServerError)
		}
		eventually(t, func() error {
			if len(s.log.records("header('WebSocket-Authorize: accept')", `"route":"`+name+`"`)) == 0 {
				return fmt.Errorf("the log does not say what is missing")
			}
			return nil
		})
	}
	// Once in a burst for each route: two at most, should the machine be so slow that the refusals took more than a burst.
	if records := s.log.records("header('WebSocket-Authorize: accept')"); len(records) > 6 {
		t.Errorf("%d records for 60 refusals of 3 routes", len(records))
	}
}
