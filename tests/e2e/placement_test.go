package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"
)

// guardedSite has a rule for each directive that can deny a request, on a path of its own, and a websocket directive on all.
func guardedSite(t *testing.T, auth string) site {
	t.Helper()
	hash, err := exec.Command(frankenphp(t), "hash-password", "--plaintext", "secret").Output()
	if err != nil {
		t.Fatal(err)
	}
	account := "alice " + strings.TrimSpace(string(hash))
	return streams(site{
		files: map[string]string{"page.html": "a page", "index.php": "<?php echo 'PHP';"},
		body: fmt.Sprintf(`
	root $DIR
	@abort path /abort
	abort @abort
	@error path /error
	error @error 403
	@respond path /respond
	respond @respond 418
	redir /redir /elsewhere
	basic_auth /basic_auth {
		%[1]s
	}
	forward_auth /forward_auth %[2]s {
		uri /verify
	}
	handle /handle/* {
		basic_auth {
			%[1]s
		}
	}
	handle_path /handle_path/* {
		respond 410
	}
	route /route/* {
		error 404
	}
	metrics /metrics
	@nobody remote_ip 192.0.2.0/24
	respond @nobody 451
	@foreign not remote_ip 192.0.2.0/24
	handle /foreign {
		respond @foreign 403
	}
	websocket {
		echo
	}
	reverse_proxy /reverse_proxy %[2]s
	php_fastcgi /php_fastcgi %[2]s
	file_server /page.html
	php_server`, account, auth),
	})
}

func TestWhatDeniesPagesDeniesWebSocketsAndWhatOnlyAnswersDoesNot(t *testing.T) {
	t.Parallel()
	authority := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "" {
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
	t.Cleanup(authority.Close)
	address := strings.TrimPrefix(authority.URL, "http://")
	s := start(t, guardedSite(t, address))
	// A named route cannot stand in a site.
	source := strings.Replace(s.source(), "\n\nhttps://", "\n\n&(denied) {\n\trespond 403\n}\n\nhttps://", 1)
	s.load(strings.Replace(source, "\tmetrics", "\tinvoke /invoke denied\n\tmetrics", 1))

	overAll(t, s, func(t *testing.T, tr transport) {
		before := s.stat("connections_opened")
		for path, status := range map[string]int{
			"/error": 403, "/respond": 418, "/redir": 302, "/basic_auth": 401, "/forward_auth": 401, "/handle/x": 401, "/handle_path/x": 410,
			"/route/x": 404, "/invoke": 403, "/metrics": 200, "/foreign": 403,
		} {
			r, err := tr.open(s, path, nil)
			if err != nil {
				t.Errorf("%s: %v", path, err)
				continue
			}
			if r.response.StatusCode != status {
				t.Errorf("%s: %s, want %d", path, r.response.Status, status)
			}
			r.Close()
		}
		if r, err := tr.open(s, "/abort", nil); err == nil {
			t.Errorf("/abort: %s", r.response.Status)
			r.Close()
		}
		if got := s.stat("connections_opened"); got != before {
			t.Errorf("%d connections were opened", got-before)
		}

		credentials := http.Header{"Authorization": {"Basic YWxpY2U6c2VjcmV0"}}
		for _, path := range []string{"/basic_auth", "/forward_auth", "/handle/x", "/reverse_proxy", "/php_fastcgi", "/page.html", "/", "/index.php"} {
			r := tr.dial(t, s, path, credentials)
			r.send(t, text(path))
			r.wantFrame(t, opText, path)
			r.Close()
		}
	})
}
