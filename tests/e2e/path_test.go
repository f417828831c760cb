package e2e

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// sentPaths is a site whose worker tells each client the path and the query that PHP sees, twice, in hexadecimal.
func sentPaths() site {
	return site{
		global: "\tfrankenphp {\n\t\tworker {\n\t\t\tname paths\n\t\t\tfile $DIR/paths.php\n\t\t\tnum 1\n\t\t}\n\t}",
		body: `
	@odd path_regexp ^/[^/]*odd
	handle @odd {
		websocket {
			worker paths
		}
	}
	handle_path /app/* {
		websocket {
			worker paths
		}
	}
	handle /strip/* {
		uri strip_prefix /strip
		websocket {
			worker paths
		}
	}
	handle /pretty/* {
		rewrite /pretty/* /ws?room={path.1}&{query}
		websocket {
			worker paths
		}
	}
	root $TESTDATA/public
	php_server`,
		files: map[string]string{"paths.php": `<?php
while (frankenphp_handle_request(function () {
	while ($e = frankenphp_ws_nextEvent()) {
		if ($e['type'] === 'open') {
			$again = frankenphp_ws_getClient($e['id'])['path'];
			frankenphp_ws_send($e['id'], implode(' ', [bin2hex($e['path']), bin2hex($e['query']), bin2hex($again), $e['id']]));
		}
	}
})) {
}`},
	}
}

// wantPath reads what PHP says of path and query, and returns the client's id.
func (r *raw) wantPath(t *testing.T, path, query string) string {
	t.Helper()
	_, _, message, err := r.readFrame()
	if err != nil {
		t.Fatal(err)
	}
	words := strings.Split(string(message), " ")
	if len(words) != 4 {
		t.Fatalf("got %q", message)
	}
	var seen []string
	for _, word := range words[:3] {
		decoded, err := hex.DecodeString(word)
		if err != nil {
			t.Fatal(err)
		}
		seen = append(seen, string(decoded))
	}
	if want := []string{path, query, path}; fmt.Sprintf("%q", seen) != fmt.Sprintf("%q", want) {
		t.Errorf("the event has path and query, and getClient the path %q, want %q", seen, want)
	}
	return words[3]
}

func TestThePathIsTheOneThatTheClientSentWhateverHandlersMakeOfIt(t *testing.T) {
	t.Parallel()
	s := start(t, streams(sentPaths()))
	overAll(t, s, func(t *testing.T, tr transport) {
		for _, c := range []struct{ target, path, query string }{
			{"/app/chat?a=1&b=%20", "/app/chat", "a=1&b=%20"},
			{"/app/a%2Fb%20c/%C3%A9", "/app/a%2Fb%20c/%C3%A9", ""},
			{"/strip/x/y?q", "/strip/x/y", "q"},
			// As a PHP page has them in REQUEST_URI and QUERY_STRING.
			{"/pretty/lyon?x=y", "/pretty/lyon", "room=lyon&x=y"},
		} {
			tr.dial(t, s, c.target, nil).wantPath(t, c.path, c.query)
		}
	})
}

func TestBytesThatAreNoTextReachPHPAsTheyWereSent(t *testing.T) {
	t.Parallel()
	s := start(t, sentPaths())
	var id string
	for _, path := range []string{"/odd/caf\xe9", "/odd\xff\xfe", "/größe-odd", `/odd/"<>{|}^` + "`" + `\`, "/odd/a#b", "//odd/a"} {
		dialRaw(t, s.addr, path+"?q=\xe9", "").wantPath(t, path, "q=\xe9")
	}
	id = dialRaw(t, s.addr, "/odd/caf\xe9", "").wantPath(t, "/odd/caf\xe9", "")

	// Where there are no bytes but text, it is said to be none.
	var answer struct {
		Client struct{ Path map[string]string }
	}
	_, text := s.asks("GET", "/websocket/clients/"+id, "")
	if err := json.Unmarshal([]byte(text), &answer); err != nil || answer.Client.Path["base64"] != "L29kZC9jYWbp" {
		t.Errorf("the admin endpoint says %s (%v)", text, err)
	}
	// A page has the same name.
	if r := request(t, s.addr, "GET /hello.php/caf\xe9 HTTP/1.1\r\nHost: "+s.addr+"\r\n\r\n"); r.response.StatusCode != 200 {
		t.Errorf("a page is answered with %s", r.response.Status)
	}
}

func TestBytesThatAreNoTextAreInTheAccessLogAndReachAuthorize(t *testing.T) {
	t.Parallel()
	want := sentPaths()
	want.body = `
	log
	root $DIR/public
	websocket /odd* {
		worker paths
		authorize /may.php?{query}
	}
	php_server`
	want.files["public/may.php"] = `<?php
file_put_contents('$DIR/asked', bin2hex($_SERVER['HTTP_X_ORIGINAL_URI']) . ' ' . bin2hex($_SERVER['QUERY_STRING']) . "\n", FILE_APPEND);
if (!isset($_GET['refuse'])) {
	header('WebSocket-Authorize: accept');
} else {
	http_response_code(403);
}`
	s := start(t, want)
	dialRaw(t, s.addr, "/odd/caf\xe9?q=\xe9", "").wantPath(t, "/odd/caf\xe9", "q=\xe9")
	refused(t, s, "/odd/caf\xe9?refuse=\xff", http.StatusForbidden)
	asked := s.lines("asked")
	for i, query := range []string{"q=\xe9", "refuse=\xff"} {
		if want := fmt.Sprintf("%x %x", "/odd/caf\xe9?"+query, query); len(asked) != 2 || asked[i] != want {
			t.Errorf("authorize saw %q, want %q", asked, want)
		}
	}
	// JSON has no way to write them.
	for query, status := range map[string]int{`q=\ufffd`: 101, `refuse=\ufffd`: 403} {
		eventually(t, func() error {
			if len(s.log.records(`"logger":"http.log.access`, `"uri":"/odd/caf\ufffd?`+query+`"`, fmt.Sprintf(`"status":%d`, status))) != 1 {
				return fmt.Errorf("%s is not in the access log with %d", query, status)
			}
			return nil
		})
	}
}

func TestATargetThatIsAWholeURLHasAPath(t *testing.T) {
	t.Parallel()
	want := sentPaths()
	want.plain = true // over TLS, another host is another site
	s := start(t, want)
	for _, scheme := range []string{"http", "https", "ws"} {
		target := scheme + "://" + s.addr + "/app/chat"
		dialRaw(t, s.addr, target+"?room=1", "", "Origin: "+s.url("")).wantPath(t, "/app/chat", "room=1")
	}
	// Its host is the request's (RFC 9112, 3.2.2), also for the origin.
	for host, status := range map[string]int{s.addr: 101, "other.example": 403} {
		r := request(t, s.addr, upgradeRequest(s.addr, "http://"+host+"/app/chat", "Origin: "+s.url("")))
		if r.response.StatusCode != status {
			t.Errorf("%s: %s, want %d", host, r.response.Status, status)
		}
	}
}
