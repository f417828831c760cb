package e2e

import (
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"testing"

	"github.com/coder/websocket"
)

// handshake is what a client sends to a path, and how it is answered.
type handshake struct {
	name   string
	path   string
	extra  []string
	status int
	header http.Header
}

// handshakesFrom are those of a page of a host, and of others.
func handshakesFrom(host string) []handshake {
	return []handshake{
		{"a correct one", "/core", nil, 101, http.Header{
			"Upgrade": {"websocket"}, "Connection": {"Upgrade"},
			// RFC 6455, section 1.3: the answer to the key of the example.
			"Sec-Websocket-Accept": {"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="},
		}},
		{"names in any case, lists with more", "/core", []string{"Connection: keep-alive, UPGRADE", "Upgrade: WebSocket"}, 101, nil},
		{"draft version 8", "/core", []string{"Sec-WebSocket-Version: 8"}, 426, http.Header{"Sec-Websocket-Version": {"13"}}},
		{"no version", "/core", []string{"Sec-WebSocket-Version:"}, 426, http.Header{"Sec-Websocket-Version": {"13"}}},
		{"no key", "/core", []string{"Sec-WebSocket-Key:"}, 400, nil},
		{"a key that is not 16 bytes", "/core", []string{"Sec-WebSocket-Key: dGVzdA=="}, 400, nil},
		{"the same host as origin", "/core", []string{"Origin: " + host}, 101, nil},
		{"another host as origin", "/core", []string{"Origin: http://evil.example"}, 403, nil},
		{"the host as a part of another", "/core", []string{"Origin: " + host + ".evil.example"}, 403, nil},
		{"the origin of a sandboxed page", "/core", []string{"Origin: null"}, 403, nil},
		{"the same host on another port, as behind a proxy", "/core", []string{"Origin: https://127.0.0.1:8443"}, 101, nil},
		{"a page without TLS", "/core", []string{"Origin: http://127.0.0.1"}, 101, nil},
		{"the site itself, where a list leaves it out", "/friends", []string{"Origin: " + host}, 403, nil},
		{"the site itself, where a list has it", "/open", []string{"Origin: " + host}, 101, nil},
		{"the other of that list", "/open", []string{"Origin: https://deep.example.net:444"}, 101, nil},
		{"a page in a file", "/open", []string{"Origin: file://"}, 101, nil},
		{"a page without an origin", "/open", []string{"Origin: null"}, 101, nil},
		{"a page of an app", "/open", []string{"Origin: capacitor://localhost"}, 101, nil},
		{"a page at an IPv6 address", "/open", []string{"Origin: http://[::1]:3000"}, 101, nil},
		{"a page of nobody's", "/open", []string{"Origin: https://example.net"}, 403, nil},
		{"an origin that is named", "/friends", []string{"Origin: https://app.example.org"}, 101, nil},
		{"an origin that a pattern allows", "/friends", []string{"Origin: https://deep.example.net"}, 101, nil},
		{"an origin that no pattern allows", "/friends", []string{"Origin: https://example.org"}, 403, nil},
		{"no offered subprotocol", "/friends", nil, 101, http.Header{"Sec-Websocket-Protocol": nil}},
		{"a subprotocol in common", "/friends", []string{"Sec-WebSocket-Protocol: soap, chat.v1"}, 101, http.Header{"Sec-Websocket-Protocol": {"chat.v1"}}},
		{"no subprotocol in common", "/friends", []string{"Sec-WebSocket-Protocol: soap"}, 101, http.Header{"Sec-Websocket-Protocol": nil}},
		{"a subprotocol on a route without any", "/core", []string{"Sec-WebSocket-Protocol: soap"}, 101, http.Header{"Sec-Websocket-Protocol": nil}},
	}
}

// wantRefusedOrigins looks where the six handshakes above are counted that were refused for their origin.
func wantRefusedOrigins(t *testing.T, s *server) {
	t.Helper()
	if refused := s.stat("handshakes_refused_origin"); refused != 6 {
		t.Errorf("%d, want 6", refused)
	}
	eventually(t, func() error {
		// Three routes, each in its own burst.
		if records := s.log.records("refused with 403 for its origin", `"origin":"`); len(records) != 3 {
			return fmt.Errorf("%d records: %q", len(records), records)
		}
		return nil
	})
	if records := s.log.records("refused with 403", `"route":"core"`, "evil.example", `"host":"`+s.addr+`"`); len(records) != 1 {
		t.Errorf("the log has %q", records)
	}
	if _, metrics := s.do(http.MethodGet, "http://"+s.admin+"/metrics", "", nil); !strings.Contains(metrics, `frankenphp_websocket_handshakes_refused_total{reason="origin"} 6`) {
		t.Errorf("/metrics has:\n%s", metrics)
	}
}

func TestAWrongHandshakeIsAnsweredAsRFC6455Asks(t *testing.T) {
	t.Parallel()
	s := start(t, site{body: `
	route {
	websocket /core {
		echo
	}
	websocket /friends {
		name friends
		echo
		origins app.example.org *.example.net
		subprotocols chat.v2 chat.v1
	}
	websocket /open {
		name open
		echo
		origins same *.example.net file:// null capacitor://localhost [::1]
	}
	respond "not a WebSocket"
	}`})
	for _, test := range handshakesFrom(s.url("")) {
		t.Run(test.name, func(t *testing.T) {
			r := request(t, s.addr, upgradeRequest(s.addr, test.path, test.extra...))
			if r.response.StatusCode != test.status {
				body, _ := io.ReadAll(r.response.Body)
				t.Fatalf("%s %.200q, want %d", r.response.Status, body, test.status)
			}
			for name, want := range test.header {
				if got := r.response.Header[name]; !strings.EqualFold(strings.Join(got, ","), strings.Join(want, ",")) {
					t.Errorf("%s: %q, want %q", name, got, want)
				}
			}
			if test.status == 101 {
				r.send(t, text("hello"))
				r.wantFrame(t, opText, "hello")
			}
		})
	}

	t.Run("what was refused for its origin is counted, and logged once", func(t *testing.T) {
		wantRefusedOrigins(t, s)
	})
	t.Run("a request that is no upgrade goes to the next handler", func(t *testing.T) {
		if status, body := s.get("/core"); status != http.StatusOK || body != "not a WebSocket" {
			t.Errorf("%d %q", status, body)
		}
	})
	t.Run("an upgrade by POST is refused", func(t *testing.T) {
		post := strings.Replace(upgradeRequest(s.addr, "/core", "Content-Length: 0"), "GET", "POST", 1)
		if r := request(t, s.addr, post); r.response.StatusCode != http.StatusMethodNotAllowed && r.response.StatusCode != http.StatusBadRequest {
			t.Error(r.response.Status)
		}
	})
}

// behindPassword is a site with a password in front of one of its WebSockets, and a page of PHP at the path of another.
func behindPassword(hash string) site {
	return site{
		global: `
	frankenphp {
		worker {
			name lab
			file $TESTDATA/lab.php
			num 1
		}
	}`,
		body: fmt.Sprintf(`
	root $TESTDATA/public
	log
	encode
	header X-Site "of the site"
	basic_auth /private/* {
		alice %s
	}
	websocket /hello.php {
		worker lab
	}
	websocket /private/core {
		echo
	}
	php_server`, hash),
	}
}

func TestTheDirectiveStandsBehindAuthAndHeaderAndInFrontOfPHP(t *testing.T) {
	t.Parallel()
	hash, err := exec.Command(frankenphp(t), "hash-password", "--plaintext", "secret").Output()
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, behindPassword(strings.TrimSpace(string(hash))))

	t.Run("PHP answers what is no upgrade", func(t *testing.T) {
		if status, body := s.get("/hello.php"); status != http.StatusOK || body != "hello from PHP" {
			t.Errorf("%d %q", status, body)
		}
		dial(t, s, "/hello.php", nil)
	})
	t.Run("without the password there is no WebSocket", func(t *testing.T) {
		r := request(t, s.addr, upgradeRequest(s.addr, "/private/core"))
		if r.response.StatusCode != http.StatusUnauthorized || r.response.Header.Get("WWW-Authenticate") == "" {
			t.Error(r.response.Status)
		}
	})
	t.Run("the 101 carries the headers of the site", func(t *testing.T) {
		c := dial(t, s, "/private/core", &websocket.DialOptions{HTTPHeader: http.Header{"Authorization": {"Basic YWxpY2U6c2VjcmV0"}}})
		if got := c.response.Header.Get("X-Site"); got != "of the site" {
			t.Errorf("X-Site: %q", got)
		}
		c.send(t, "behind the password")
		c.want(t, "behind the password")
	})
	t.Run("the access log has the upgrade", func(t *testing.T) {
		eventually(t, func() error {
			if len(s.log.records("http.log.access", "/private/core", `"status":101`)) == 0 {
				return fmt.Errorf("no record with status 101")
			}
			return nil
		})
	})
}
