//lint:file-ignore SA1019 No other transport sends the extended CONNECT of RFC 8441.

package e2e

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"golang.org/x/net/http2"
)

// herded is a site with so many ordinary threads of PHP. /ws is authorised by a page that takes a while: as many
// milliseconds as ?ms= says, or until the file go is there. Clients say which address they have by X-Forwarded-For.
func herded(threads int) site {
	return site{
		global: fmt.Sprintf(`
	servers {
		trusted_proxies static 127.0.0.0/8
	}
	frankenphp {
		num_threads %d
		worker {
			name guarded
			file $TESTDATA/guarded.php
			num 1
		}
	}`, threads+1),
		body: `
	root $DIR/public
	websocket /ws {
		worker guarded
		authorize /ws-auth.php?{query} {
			timeout 20s
		}
	}
	php_server`,
		files: map[string]string{
			"public/hello.php": "<?php echo 'hello';",
			"public/locked.php": `<?php
session_save_path('$DIR');
session_start();
$_SESSION['user'] = 'ann';
touch('$DIR/locked');
while (!file_exists('$DIR/go')) {
    usleep(10_000);
    clearstatcache();
}
echo 'done';`,
			"public/ws-auth.php": `<?php
$running = frankenphp_ws_global_increment('running');
frankenphp_ws_global_set("at once $running", 'x');
frankenphp_ws_global_increment('runs');
register_shutdown_function(fn () => frankenphp_ws_global_increment('running', -1));
if (isset($_GET['session'])) {
    session_save_path('$DIR');
    session_start(['read_and_close' => true]);
}
if (isset($_GET['ms'])) {
    usleep(1000 * (int) $_GET['ms']);
} elseif (isset($_GET['go'])) {
    while (!file_exists('$DIR/go')) {
        usleep(10_000);
        clearstatcache();
    }
}
header('WebSocket-Authorize: accept');
header('WebSocket-Tags: ' . rawurlencode('user ' . ($_SESSION['user'] ?? '')));`,
		},
	}
}

// value is a global value as a number.
func (s *server) value(name string) (n int) {
	s.t.Helper()
	status, text := s.do(http.MethodGet, "http://"+s.admin+"/websocket/values/"+strings.ReplaceAll(name, " ", "%20"), "", nil)
	if status == http.StatusNotFound {
		return 0
	}
	if _, err := fmt.Sscan(text, &n); err != nil {
		return 1 // it is there
	}
	return n
}

// knocking sends an upgrade request from an address, and does not wait for the answer.
func knocking(t *testing.T, s *server, ip, query string, extra ...string) *raw {
	t.Helper()
	r, err := dialTCP(s.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	if _, err := io.WriteString(r, upgradeRequest(s.addr, "/ws?"+query, append(extra, "X-Forwarded-For: "+ip)...)); err != nil {
		t.Fatal(err)
	}
	return r
}

// wantIn reads the answer.
func (r *raw) wantIn(t *testing.T) {
	t.Helper()
	response, err := http.ReadResponse(r.in, nil)
	if err != nil || response.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("%v %v", response, err)
	}
}

// asking waits until as many handshakes wait and are with PHP.
func (s *server) asking(waiting, running int) {
	s.t.Helper()
	expect(s.t, "waiting handshakes", waiting, func() int { return s.stat("authorize_waiting") })
	expect(s.t, "authorize requests with PHP", running, func() int { return s.stat("authorize_running") })
}

func TestHandshakesThatAreGivenUpWhileTheyWaitNeverReachPHP(t *testing.T) {
	t.Parallel()
	s := start(t, herded(4))
	var first, herd []*raw
	for n := range 3 { // three of four threads, the documented part
		first = append(first, knocking(t, s, fmt.Sprint("192.0.2.", n), "go"))
	}
	s.asking(0, 3)
	for n := range 200 {
		herd = append(herd, knocking(t, s, fmt.Sprint("198.51.100.", n), "go"))
	}
	s.asking(200, 3)
	if status, body := s.get("/hello.php"); status != http.StatusOK || body != "hello" {
		t.Errorf("an ordinary page meanwhile: %d %q", status, body)
	}
	for _, r := range herd[:150] {
		r.Close()
	}
	s.asking(50, 3)
	s.writeFile("go", "")
	for _, r := range append(first, herd[150:]...) {
		r.wantIn(t)
	}
	if runs := s.value("runs"); runs != 53 {
		t.Errorf("PHP ran %d scripts for 53 clients that waited, and 150 that did not", runs)
	}
	if s.value("at once 3") != 1 || s.value("at once 4") != 0 {
		t.Error("it was not three scripts at a time")
	}
	if given := s.stat("authorize_given_up"); given != 150 {
		t.Errorf("%d given up", given)
	}
}

func TestTenTabsThatWaitForOneSessionDoNotKeepOthersOut(t *testing.T) {
	t.Parallel()
	s := start(t, herded(5))
	request, err := http.NewRequest(http.MethodGet, s.url("/locked.php"), nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Cookie", "PHPSESSID=anns0session")
	page := make(chan error, 1)
	go func() { // one page of hers takes its time, and has the lock of her session
		response, err := s.client.Do(request)
		if err == nil {
			response.Body.Close()
		}
		page <- err
	}()
	eventually(t, func() error {
		_, err := os.Stat(s.home + "/locked")
		return err
	})
	var tabs []*raw
	for range 10 {
		tabs = append(tabs, knocking(t, s, "192.0.2.1", "session=1", "Cookie: PHPSESSID=anns0session"))
	}
	eventually(t, func() error {
		if running := s.stat("authorize_running"); running == 0 {
			return fmt.Errorf("%d tabs are asked about", running)
		}
		return nil
	})
	for n := range 20 {
		knocking(t, s, fmt.Sprint("198.51.100.", n), "session=1", fmt.Sprint("Cookie: PHPSESSID=bob", n)).wantIn(t)
	}
	if status, _ := s.get("/hello.php"); status != http.StatusOK {
		t.Errorf("an ordinary page meanwhile: %d", status)
	}
	if waiting := s.stat("authorize_waiting") + s.stat("authorize_running"); waiting != 10 {
		t.Errorf("%d of ten tabs are not in yet", waiting)
	}
	s.writeFile("go", "")
	for _, r := range tabs {
		r.wantIn(t)
	}
	if err := <-page; err != nil {
		t.Error(err)
	}
}

func TestHandshakesWaitForAReloadAndAreAnsweredAfterIt(t *testing.T) {
	t.Parallel()
	s := start(t, herded(4))
	var all []*raw
	for n := range 3 {
		all = append(all, knocking(t, s, fmt.Sprint("192.0.2.", n), "go"))
	}
	s.asking(0, 3)
	for n := range 50 {
		all = append(all, knocking(t, s, fmt.Sprint("198.51.100.", n), "ms=1"))
	}
	s.asking(50, 3)
	reloaded := make(chan struct{})
	go func() { // PHP is restarted once its scripts have ended
		defer close(reloaded)
		s.load(strings.Replace(s.source(), "php_server", "header X-New yes\n\tphp_server", 1))
	}()
	eventually(t, func() error {
		if !s.log.contains(`"uri":"/load"`) {
			return fmt.Errorf("the reload has not begun")
		}
		return nil
	})
	s.writeFile("go", "")
	<-reloaded
	for _, r := range all {
		r.wantIn(t)
	}
	s.asking(0, 0)
	knocking(t, s, "192.0.2.1", "ms=1").wantIn(t)
}

func TestAServerThatEndsRefusesHandshakesThatWait(t *testing.T) {
	t.Parallel()
	s := start(t, herded(2))
	running := []*raw{knocking(t, s, "192.0.2.1", "go"), knocking(t, s, "192.0.2.2", "go")}
	s.asking(0, 2)
	var waiting []*raw
	for n := range 20 {
		waiting = append(waiting, knocking(t, s, fmt.Sprint("198.51.100.", n), "ms=1"))
	}
	s.asking(20, 2)
	s.signal(syscall.SIGTERM)
	for _, r := range waiting {
		response, err := http.ReadResponse(r.in, nil)
		if err != nil {
			t.Fatal(err)
		}
		if body, _ := io.ReadAll(response.Body); response.StatusCode != http.StatusServiceUnavailable || !strings.Contains(string(body), "shutting down") {
			t.Errorf("%s %q", response.Status, body)
		}
	}
	s.writeFile("go", "")
	for _, r := range running {
		_, _ = io.Copy(io.Discard, r)
	}
	s.stop()
}

func TestAStreamThatEndsWhileItWaitsIsDropped(t *testing.T) {
	t.Parallel()
	s := start(t, streams(herded(2)))
	for n := range 2 {
		knocking(t, s, fmt.Sprint("192.0.2.", n), "go")
	}
	s.asking(0, 2)

	config := trusting.Clone()
	config.NextProtos = []string{"h2"}
	over2 := &http2.Transport{TLSClientConfig: config}
	defer over2.CloseIdleConnections()
	body, end := io.Pipe()
	defer end.Close()
	r, err := connectRequest(s, "/ws?ms=1", http.Header{":protocol": {"websocket"}}, body)
	if err != nil {
		t.Fatal(err)
	}
	ctx, leave := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := over2.RoundTrip(r.WithContext(ctx))
		ended <- err
	}()
	s.asking(1, 2)
	leave()
	if err := <-ended; err == nil {
		t.Error("the stream was answered")
	}
	s.asking(0, 2)

	conn, err := quic.DialAddr(t.Context(), s.addr, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{http3.NextProtoH3}}, &quic.Config{})
	if err != nil {
		t.Fatal(err)
	}
	stream, err := (&http3.Transport{}).NewClientConn(conn).OpenRequestStream(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if r, err = connectRequest(s, "/ws?ms=1", nil, nil); err != nil {
		t.Fatal(err)
	}
	r.Proto = "websocket"
	if err := stream.SendRequestHeader(r); err != nil {
		t.Fatal(err)
	}
	s.asking(1, 2)
	stream.CancelWrite(quic.StreamErrorCode(http3.ErrCodeRequestCanceled))
	stream.CancelRead(quic.StreamErrorCode(http3.ErrCodeRequestCanceled))
	s.asking(0, 2)
	s.writeFile("go", "")
	s.asking(0, 0)
	if runs := s.value("runs"); runs != 2 {
		t.Errorf("PHP ran %d scripts", runs)
	}
}

func TestACookieHeaderThatIsMadeToCostTimeIsRefusedBeforePHPIsAsked(t *testing.T) {
	t.Parallel()
	want := herded(2)
	want.global = strings.Replace(want.global, "servers {", "servers {\n\t\tmax_header_size 1MB", 1)
	s := start(t, want)
	// "Ez" and "FY" have the same hash in PHP, and so have all names that are made of them.
	names := []string{""}
	for len(names) < 2048 {
		var longer []string
		for _, name := range names {
			longer = append(longer, name+"Ez", name+"FY")
		}
		names = longer
	}
	for count, status := range map[int]int{500: http.StatusSwitchingProtocols, 1001: http.StatusRequestHeaderFieldsTooLarge} {
		var lines []string
		for some := range slices.Chunk(names[:count], 40) {
			lines = append(lines, "Cookie: "+strings.Join(some, "=;")+"=")
		}
		head := upgradeRequest(s.addr, "/ws?ms=1")
		head = strings.TrimSuffix(head, "\r\n") + strings.Join(lines, "\r\n") + "\r\n\r\n"
		r := request(t, s.addr, head)
		if r.response.StatusCode != status {
			t.Errorf("%d cookies: %s", count, r.response.Status)
		}
		if status != http.StatusSwitchingProtocols {
			if body, err := io.ReadAll(r.response.Body); err != nil || !strings.Contains(string(body), "more than 1000 cookies") {
				t.Errorf("%d cookies: %q %v", count, body, err)
			}
		}
	}
	if runs := s.value("runs"); runs != 1 {
		t.Errorf("PHP was asked %d times", runs)
	}
}
