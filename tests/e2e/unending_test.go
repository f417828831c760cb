package e2e

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

func TestARequestForAWebSocketThatNobodyTakesHoldsNoThreadOfPHP(t *testing.T) {
	t.Parallel()
	s := start(t, streams(site{
		global: "\tfrankenphp {\n\t\tnum_threads 3\n\t\tworker {\n\t\t\tname lab\n\t\t\tfile $TESTDATA/lab.php\n\t\t\tnum 1\n\t\t}\n\t\tworker {\n\t\t\tname pages\n\t\t\tfile $DIR/pages.php\n\t\t\tnum 1\n\t\t}\n\t}",
		body:   "\troot $DIR\n\twebsocket /lab {\n\t\tworker lab\n\t}\n\tphp_server",
		files: map[string]string{
			"index.php": "<?php echo $_SERVER['REQUEST_METHOD'], ' ', strlen(file_get_contents('php://input'));",
			"pages.php": "<?php while (frankenphp_handle_request(function () { http_response_code(202); echo $_SERVER['REQUEST_METHOD'], ' ', strlen(file_get_contents('php://input')); })) {}",
		},
	}))
	for _, tr := range transports[1:] {
		t.Run(tr.name, func(t *testing.T) {
			// One thread serves ordinary pages, one the worker: one request that holds its thread is one too many.
			for _, path := range []string{"/nope", "/pages.php", "/nope", "/pages.php"} {
				r, err := tr.open(s, path, nil)
				if err != nil {
					t.Fatal(err)
				}
				defer r.Close()
				body, err := io.ReadAll(r.in)
				// A 2xx would tell the client that its WebSocket is open.
				if r.response.StatusCode != http.StatusMethodNotAllowed || string(body) != "CONNECT 0" || err != nil {
					t.Errorf("%s: %s %q, %v", path, r.response.Status, body, err)
				}
			}
			for path, want := range map[string]int{"/nope": http.StatusOK, "/pages.php": http.StatusAccepted} {
				if status, body := s.post(path, "text/plain", "12345"); status != want || body != "POST 5" {
					t.Errorf("a page after that, %s: %d %q", path, status, body)
				}
			}
		})
	}
}

func TestATabThatOpensWebSocketsOnAWrongPathDoesNotStopTheSite(t *testing.T) {
	t.Parallel()
	s := start(t, streams(site{
		global: "\tfrankenphp {\n\t\tnum_threads 2\n\t\tworker {\n\t\t\tname lab\n\t\t\tfile $TESTDATA/lab.php\n\t\t\tnum 1\n\t\t}\n\t}",
		body:   "\tlog\n\troot $DIR\n\twebsocket /lab {\n\t\tworker lab\n\t}\n\tphp_server",
		files:  map[string]string{"index.php": "<?php echo 'page ', $_SERVER['REQUEST_METHOD'];"},
	}))
	tab := open(t, browser(t), s.url("/"))
	var got string
	tab.evaluate(`window.happened = [];
		const ended = Array.from({ length: 4 }, () => new Promise((end) => {
			const socket = new WebSocket('wss://' + location.host + '/nope');
			socket.onopen = () => window.happened.push('opened');
			socket.onclose = end;
		}));
		Promise.all(ended).then(() => fetch('/')).then((r) => r.text()).then((text) => window.happened.push(text));
		''`, &got)
	eventually(t, func() error {
		if tab.evaluate(`window.happened.join(', ')`, &got); got != "page GET" {
			return fmt.Errorf("it happened: %q", got)
		}
		return nil
	})
	if len(s.log.records("http.log.access", `"method":"CONNECT"`, "/nope")) != 4 {
		t.Error("the browser did not use HTTP/2: this test tests nothing")
	}
}

func TestARequestForAWebSocketThatNoDirectiveTookIsInTheLogOnceABurst(t *testing.T) {
	t.Parallel()
	s := start(t, streams(site{body: `
	rewrite /rewritten* /index.html
	handle /caught/* {
		respond "not a WebSocket"
	}
	handle /proxied {
		reverse_proxy 127.0.0.1:{$PORT} {
			transport http {
				tls_insecure_skip_verify
			}
			rewrite /core
		}
	}
	websocket /core {
		echo
	}`}))
	const message = "no websocket directive took"
	if tr := transports[0]; tr.dial(t, s, "/core", nil) == nil {
		t.Fatal("not taken")
	}
	for _, tr := range transports {
		r := tr.dial(t, s, "/proxied", nil)
		r.send(t, text("through a proxy"))
		r.wantFrame(t, opText, "through a proxy")
		r.Close()
	}
	if status, _ := s.get("/rewritten/page"); status != http.StatusOK {
		t.Error(status)
	}
	expect(t, "connections", 1, func() int { return s.stat("connections") })
	if found := s.log.records(message); len(found) > 0 {
		t.Fatalf("requests that are no matter of the directive are in the log: %s", found)
	}

	for _, tr := range transports {
		for _, path := range []string{"/rewritten/by/a/rule?token=secret", "/caught/chat", "/nowhere"} {
			r, err := tr.open(s, path, nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Close()
		}
	}
	eventually(t, func() error {
		found := s.log.records(message)
		if len(found) == 0 || !strings.Contains(found[0], `"path":"/rewritten/by/a/rule"`) || !strings.Contains(found[0], `"client_ip":"127.0.0.1"`) {
			return fmt.Errorf("the log says %s", found)
		}
		return nil
	})
	if found := s.log.records(message); len(found) > 2 {
		t.Errorf("%d records of one burst", len(found))
	}
	if s.log.contains("secret") && len(s.log.records(message, "secret")) > 0 {
		t.Error("the query is in the log")
	}
}
