package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestLimitsOfRequestsDoNotEndAWebSocket(t *testing.T) {
	t.Parallel()
	const limit = 300 * time.Millisecond
	s := start(t, streams(site{
		global: `	servers {
		timeouts {
			read_body 300ms
			read_body_idle 300ms 1000000
			write 300ms
			write_idle 300ms 1000000
		}
	}`,
		body: `	log
	encode
	request_body {
		max_size 1KB
	}
	timeouts {
		read_timeout 300ms 1000000
		write_timeout 300ms 1000000
	}
	websocket /core {
		echo
	}`,
	}))
	// In a named route the directive is provisioned when the others are compiled already.
	source := strings.Replace(s.source(), "\n\nhttps://", "\n\n&(named) {\n\twebsocket {\n\t\tname named\n\t\techo\n\t}\n}\n\nhttps://", 1)
	s.load(strings.Replace(source, "\twebsocket /core", "\tinvoke /named named\n\twebsocket /core", 1))
	overAll(t, s, func(t *testing.T, tr transport) {
		named := tr.dial(t, s, "/named", nil)
		named.send(t, text(strings.Repeat("x", 2000)))
		named.wantFrame(t, opText, strings.Repeat("x", 2000))
		r := tr.dial(t, s, "/core", nil)
		began := time.Now()
		for n := 0; n < 100 || time.Since(began) < 2*limit; n++ {
			message := fmt.Sprintf("%0100d", n)
			r.send(t, text(message))
			r.wantFrame(t, opText, message)
		}
		time.Sleep(2 * limit) // silence is what these limits are about
		r.send(t, text("still here"))
		r.wantFrame(t, opText, "still here")
		r.send(t, frame(true, opClose, []byte(closeBody(1000, ""))))
		r.wantFrame(t, opClose, closeBody(1000, ""))
		r.wantEnd(t)
	})
}

func TestAClientThatDoesNotReadForLongerThanAResponseMayTakeIsNotCut(t *testing.T) {
	t.Parallel()
	const limit = 300 * time.Millisecond
	s := start(t, streams(site{
		global: "\tservers {\n\t\ttimeouts {\n\t\t\twrite 300ms\n\t\t\twrite_idle 300ms\n\t\t}\n\t}",
		body:   "\twebsocket /core {\n\t\techo\n\t\tmax_outbox 64MiB\n\t\tmax_message_size 16MiB\n\t}",
	}))
	overAll(t, s, func(t *testing.T, tr transport) {
		r := tr.dial(t, s, "/core", nil)
		message := strings.Repeat("x", 8<<20) // more than any buffer on the way takes
		sent := make(chan error, 1)
		go func() {
			_, err := r.Write(text(message))
			sent <- err
		}()
		if err := <-sent; err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * limit)
		r.wantFrame(t, opText, message)
	})
}

func TestCookiesThatPagesTakeAWebSocketTakes(t *testing.T) {
	t.Parallel()
	s := start(t, site{
		plain:  true,
		global: "\tservers {\n\t\tmax_header_size 512KiB\n\t}\n" + lab().global,
		body:   lab().body,
	})
	lines := []string{"Cookie: big=" + strings.Repeat("x", 100<<10)}
	for n := range 500 {
		lines = append(lines, fmt.Sprintf("X-Line-%d: %d", n, n))
	}
	r := dialRaw(t, s.addr, "/lab?facts", "", lines...)
	_, _, payload, err := r.readFrame()
	if err != nil {
		t.Fatal(err)
	}
	facts := s.factsIn(string(payload))
	if len(facts.Cookies["big"]) != 100<<10 || facts.Headers["x-line-499"] != "499" {
		t.Errorf("PHP was told of %d headers and a cookie of %d bytes", len(facts.Headers), len(facts.Cookies["big"]))
	}
	if r := request(t, s.addr, upgradeRequest(s.addr, "/lab", "Cookie: big="+strings.Repeat("x", 600<<10))); r.response.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("beyond the server's limit: %s", r.response.Status)
	}
}

func TestAUnixSocketIsATransportOfItsOwn(t *testing.T) {
	t.Parallel()
	folder := shortFolder(t)
	for name, wrapper := range map[string]string{"plain": "", "wrapped": "\tservers {\n\t\tlistener_wrappers {\n\t\t\tproxy_protocol\n\t\t}\n\t}\n"} {
		t.Run(name, func(t *testing.T) {
			socket := filepath.Join(folder, name)
			want := lab()
			want.plain = true
			want.global += "\n" + wrapper
			s := start(t, want)
			s.load(s.source() + "\nhttp:// {\n\tbind unix/" + socket + "\n\twebsocket /lab {\n\t\tworker lab\n\t}\n}\n")
			conn, err := net.Dial("unix", socket)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			conn.SetDeadline(time.Now().Add(2 * bound))
			r := &raw{Conn: conn, in: bufio.NewReader(conn)}
			if _, err := io.WriteString(r, upgradeRequest(s.addr, "/lab?facts")); err != nil {
				t.Fatal(err)
			}
			if r.response, err = http.ReadResponse(r.in, nil); err != nil || r.response.StatusCode != http.StatusSwitchingProtocols {
				t.Fatalf("%v, %v", r.response, err)
			}
			_, _, payload, err := r.readFrame()
			if err != nil {
				t.Fatal(err)
			}
			known, _ := doors(t, s, "/core")[1].value(t, "getClient", s.factsIn(string(payload)).ID).(map[string]any)
			if known["transport"] != "unix" {
				t.Errorf("it came over %v", known["transport"])
			}
		})
	}
}

// withErrorPages is a site that answers refusals with a file, with a page of PHP, and with a line.
func withErrorPages() site {
	return site{
		files: map[string]string{"403.html": "a page of the site", "error.php": "<?php http_response_code((int) $_GET['status']); echo 'PHP says ', $_GET['status'];"},
		body: `
	root $DIR
	log
	encode
	websocket /core {
		echo
		max_connections 1
	}
	handle_errors 403 {
		rewrite /403.html
		file_server
	}
	handle_errors 503 {
		rewrite /error.php?status={err.status_code}
		php
	}
	handle_errors {
		header X-Page yes
		respond "{err.status_code}: {err.message}"
	}`,
	}
}

func TestErrorPagesRenderRefusalsAndKeepTheirHeaders(t *testing.T) {
	t.Parallel()
	s := start(t, streams(withErrorPages()))
	overAll(t, s, func(t *testing.T, tr transport) {
		header := func(name, value string) http.Header {
			if tr.name == "tls" {
				return http.Header{name: {value}}
			}
			return http.Header{http.CanonicalHeaderKey(name): {value}}
		}
		for _, test := range []struct {
			name   string
			header http.Header
			status int
			body   string
			kept   http.Header
		}{
			{"another version", header("Sec-WebSocket-Version", "8"), 426, "426: this server speaks WebSocket version 13", http.Header{"Sec-Websocket-Version": {"13"}, "X-Page": {"yes"}}},
			{"early data", header("Early-Data", "1"), 425, "425: this request may be a replay", http.Header{"X-Page": {"yes"}}},
			{"a foreign origin", header("Origin", "https://evil.example"), 403, "a page of the site", nil},
		} {
			r, err := tr.open(s, "/core", test.header)
			if err != nil {
				t.Errorf("%s: %v", test.name, err)
				continue
			}
			r.wantRefusal(t, test.name, test.status, test.body, test.kept)
		}

		first := tr.dial(t, s, "/core", nil)
		r, err := tr.open(s, "/core", nil)
		if err != nil {
			t.Fatal(err)
		}
		// Of a page that PHP makes, a 2xx would tell a client of HTTP/2 that it is connected; this one has a status of its own.
		r.wantRefusal(t, "one too many", 503, "PHP says 503", nil)
		first.Close()
		expect(t, "connections", 0, func() int { return s.stat("connections") })
	})
	post := request(t, s.addr, strings.Replace(upgradeRequest(s.addr, "/core"), "GET", "PUT", 1))
	post.wantRefusal(t, "another method", 405, "405: the method of a WebSocket handshake is GET", http.Header{"Allow": {"GET"}, "X-Page": {"yes"}})
	if found := s.log.records("http.log.error", `"level":"error"`); len(found) > 0 {
		t.Errorf("refusals are errors in the log: %s", found[0])
	}
}

// wantRefusal reads an answer that opens no connection.
func (r *raw) wantRefusal(t *testing.T, name string, status int, text string, header http.Header) {
	t.Helper()
	defer r.Close()
	in := io.Reader(r.response.Body)
	if _, streams := r.Conn.(*streamConn); streams {
		in = r.in
	}
	body, err := io.ReadAll(in)
	if r.response.StatusCode != status || !strings.HasPrefix(string(body), text) || err != nil {
		t.Errorf("%s: %s %q (%v), want %d %q", name, r.response.Status, body, err, status, text)
	}
	for name, want := range header {
		if got := r.response.Header[name]; fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: %s is %q, want %q", text, name, got, want)
		}
	}
}

func TestAtTheLimitOfDescriptorsNoClientIsCutAndPagesAreServed(t *testing.T) {
	t.Parallel()
	s := start(t, site{body: "\tlog\n\twebsocket /core {\n\t\techo\n\t}\n\trespond /page \"a page\""})
	limit := unix.Rlimit{Cur: 256, Max: 256}
	if err := unix.Prlimit(s.cmd.Process.Pid, unix.RLIMIT_NOFILE, &limit, nil); err != nil {
		t.Fatal(err)
	}
	page := func(when string) {
		t.Helper()
		if status, body := s.get("/page"); status != http.StatusOK || body != "a page" {
			t.Errorf("a page %s: %d %q", when, status, body)
		}
	}
	page("before")

	var open []*raw
	refused := 0
	for n := range 400 {
		r, err := tryRequest(s.addr, upgradeRequest(s.addr, "/core"))
		if err != nil {
			t.Fatalf("client %d heard nothing: %v", n, err)
		}
		defer r.Close()
		switch r.response.StatusCode {
		case http.StatusSwitchingProtocols:
			open = append(open, r)
		case http.StatusServiceUnavailable:
			refused++
		default:
			t.Fatalf("client %d: %s", n, r.response.Status)
		}
	}
	page("at the limit")
	if len(open) < 100 || refused < 100 {
		t.Errorf("%d connections, %d refusals", len(open), refused)
	}
	for n, r := range open {
		r.send(t, text(fmt.Sprint(n)))
		r.wantFrame(t, opText, fmt.Sprint(n))
	}
	if found := s.log.records(`"level":"error"`, "there is no descriptor for them", "of 256"); len(found) == 0 || len(found) > 10 {
		t.Errorf("the log has %d records of %d refusals", len(found), refused)
	}

	for _, r := range open {
		r.Close()
	}
	expect(t, "connections", 0, func() int { return s.stat("connections") })
	again := dial(t, s, "/core", nil)
	again.send(t, "again")
	again.want(t, "again")
}

func TestAtTheLimitOfDescriptorsClientsThatComeAtOnceAreServedOrRefused(t *testing.T) {
	t.Parallel()
	plain := transport{"plain", func(s *server, path string, _ http.Header) (*raw, error) {
		return tryRequest(s.addr, upgradeRequest(s.addr, path))
	}}
	body := "\twebsocket /core {\n\t\techo\n\t}\n\trespond /page \"a page\""
	// HTTP/3 takes no descriptor for a client.
	for _, tr := range append([]transport{plain}, transports[:2]...) {
		t.Run(tr.name, func(t *testing.T) {
			t.Parallel()
			want := streams(site{body: body})
			if tr.name == plain.name {
				want = site{body: body, plain: true}
			}
			s := start(t, want)
			limit := unix.Rlimit{Cur: 256, Max: 256}
			if err := unix.Prlimit(s.cmd.Process.Pid, unix.RLIMIT_NOFILE, &limit, nil); err != nil {
				t.Fatal(err)
			}
			var (
				mu      sync.Mutex // guards open, refused
				open    []*raw
				refused int
				all     sync.WaitGroup
			)
			for range 400 {
				all.Go(func() {
					r, err := tr.open(s, "/core", nil)
					if err != nil {
						t.Errorf("a client heard nothing: %v", err)
						return
					}
					mu.Lock()
					defer mu.Unlock()
					switch r.response.StatusCode {
					case http.StatusSwitchingProtocols, http.StatusOK:
						open = append(open, r)
					case http.StatusServiceUnavailable:
						refused++
						r.Close()
					default:
						t.Errorf("a client was told %s", r.response.Status)
					}
				})
			}
			all.Wait()
			if len(open) < 100 || refused < 100 {
				t.Errorf("%d connections, %d refusals", len(open), refused)
			}
			if status, body := s.get("/page"); status != http.StatusOK || body != "a page" {
				t.Errorf("a page at the limit: %d %q", status, body)
			}
			for n, r := range open {
				defer r.Close()
				r.send(t, text(fmt.Sprint(n)))
				r.wantFrame(t, opText, fmt.Sprint(n))
			}
		})
	}
}

func TestAHandlerThatHoldsTheAnswerBackIsNotLeftWithAWebSocketThatNeverOpens(t *testing.T) {
	t.Parallel()
	s := start(t, streams(site{body: `
	intercept {
		@fine status 2xx
		handle_response @fine {
			respond "another answer"
		}
	}
	websocket /core {
		echo
	}`}))
	for _, tr := range transports[1:] {
		t.Run(tr.name, func(t *testing.T) {
			r, err := tr.open(s, "/core", nil)
			if err != nil {
				t.Fatal(err)
			}
			r.wantRefusal(t, "held back", http.StatusNotImplemented, "", nil)
		})
	}
	if opened := s.stat("connections_opened"); opened != 0 {
		t.Errorf("%d connections", opened)
	}
	transports[0].dial(t, s, "/core", nil).send(t, text("a 101 is not held back"))
}
