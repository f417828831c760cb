package e2e

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// A server is one running frankenphp process of a test.
type server struct {
	t      *testing.T
	dir    string // where it is started
	home   string // where its files are, those that PHP writes too
	config string // path of its Caddyfile
	addr   string // host:port of the site
	admin  string // host:port of the admin endpoint
	socket string // path of its control socket
	env    []string
	cmd    *exec.Cmd
	log    *serverLog
	exited chan struct{} // closed once the process is gone
	err    error         // how it went, valid after exited
	client *http.Client
	secure bool // the site is served over TLS
}

// site is what a test wants to run. $DIR (the server's own folder) and $TESTDATA are replaced in them.
type site struct {
	global string            // lines in the global options block
	body   string            // lines of the one site, on $PORT
	file   string            // a whole Caddyfile, instead of global and body; started in its own folder
	files  map[string]string // written into the server's own folder, with the same replacements
	env    []string
	plain  bool // never over TLS
	tls    bool // always
	// patient leaves the grace period out, so that Caddy waits for requests for ever.
	patient bool
}

// overTLS is whether this run of the tests is over TLS: every site that does not say otherwise is served, and called, so.
var overTLS = os.Getenv("FWS_E2E_TRANSPORT") == "tls"

// encrypted are the addresses of sites that are served over TLS.
var encrypted sync.Map

// trusting believes every certificate: that of a site is made by the server under test.
var trusting = &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}}

// start runs the site until the test ends, and returns when it accepts connections.
func start(t *testing.T, s site) *server {
	t.Helper()
	for attempt := 1; ; attempt++ {
		srv, err := tryStart(t, s)
		if err == nil {
			return srv
		}
		// Another process may have taken a port between our look and the server's bind.
		if attempt == 3 || !strings.Contains(err.Error(), "address already in use") {
			t.Fatal(err)
		}
	}
}

func tryStart(t *testing.T, s site) (*server, error) {
	t.Helper()
	home := t.TempDir()
	port, admin := freePort(t), freePort(t)
	srv := &server{
		t:      t,
		dir:    home,
		home:   home,
		addr:   "127.0.0.1:" + port,
		admin:  "127.0.0.1:" + admin,
		socket: filepath.Join(shortFolder(t), "ctl.sock"),
		client: &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: trusting.Clone()}, Timeout: 2 * bound},
		secure: s.tls || overTLS && !s.plain,
	}
	if srv.secure {
		encrypted.Store(srv.addr, true)
	}
	config := filepath.Join(home, "Caddyfile")
	if s.file != "" {
		source, err := os.ReadFile(s.file)
		if err != nil {
			t.Fatal(err)
		}
		// An example says nothing about the admin endpoint; two of them shall be able to run at once.
		text := strings.Replace(string(source), "{\n", "{\n\tadmin "+srv.admin+"\n", 1)
		if !canWatch(t) {
			text = watchLine.ReplaceAllString(text, "")
		}
		if srv.secure {
			text = strings.Replace(text, "{\n", "{\n"+secureGlobal, 1)
			text = strings.Replace(text, "\n:{$PORT:8080} {\n", "\nhttps://127.0.0.1:{$PORT} {\n\ttls internal\n", 1)
		}
		if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		srv.dir = filepath.Dir(s.file)
	} else {
		srv.writeConfig(s)
	}
	for name, text := range s.files {
		srv.writeFile(name, text)
	}

	// The second keeps them out of the folder where a developer's servers are found.
	srv.env = append(environment(home), "PORT="+port, "E2E_DIR="+home, "FRANKENPHP_WS_SOCKET="+srv.socket, "XDG_RUNTIME_DIR="+filepath.Dir(srv.socket))
	srv.env = append(srv.env, s.env...)
	srv.config = config
	t.Cleanup(func() {
		srv.stop()
		if t.Failed() {
			t.Logf("the server's log:\n%s", srv.log.tail(200))
		}
	})
	return srv, srv.launch()
}

// launch starts the process, on the same ports each time, and waits until it accepts connections.
func (s *server) launch() error {
	cmd := exec.Command(frankenphp(s.t), "run", "--config", s.config, "--adapter", "caddyfile")
	cmd.Dir, cmd.Env = s.dir, s.env
	log := &serverLog{}
	cmd.Stdout, cmd.Stderr = log, log
	// A test run that is killed takes its servers along.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := startLocked(cmd); err != nil {
		return err
	}
	exited := make(chan struct{})
	s.cmd, s.log, s.exited = cmd, log, exited
	go func() {
		s.err = cmd.Wait()
		close(exited)
	}()
	return wait(func() error {
		select {
		case <-exited:
			return stopWaiting{fmt.Errorf("the server ended while starting: %v\n%s", s.err, log.tail(50))}
		default:
		}
		// Caddy says so when all apps have started.
		if !log.contains("serving initial configuration") {
			return errors.New("not serving yet")
		}
		// Caddy makes the certificate in the background.
		conn, err := dialStream(s.addr)
		if err == nil {
			conn.Close()
		}
		return err
	})
}

const secureGlobal = "\tskip_install_trust\n\tauto_https disable_redirects\n"

func (s *server) writeConfig(want site) {
	s.t.Helper()
	address, global, body := ":"+strings.TrimPrefix(s.addr, "127.0.0.1:"), want.global, want.body
	if s.secure {
		address, global, body = "https://"+s.addr, secureGlobal+global, "\ttls internal\n"+body
	}
	grace := "\tgrace_period 5s\n"
	if want.patient {
		grace = ""
	}
	text := fmt.Sprintf("{\n\tadmin %s\n%s%s\n}\n\n%s {\n%s\n}\n", s.admin, grace, global, address, body)
	s.writeFile("Caddyfile", text)
}

// url is the address of a path of the site.
func (s *server) url(path string) string {
	if s.secure {
		return "https://" + s.addr + path
	}
	return "http://" + s.addr + path
}

// dialStream connects to a site, through TLS if it is served so.
func dialStream(addr string) (net.Conn, error) {
	conn, err := net.DialTimeout("tcp", addr, bound)
	if err != nil {
		return nil, err
	}
	if _, secure := encrypted.Load(addr); !secure {
		return conn, nil
	}
	client := tls.Client(conn, trusting)
	conn.SetDeadline(time.Now().Add(bound))
	if err := client.Handshake(); err != nil {
		conn.Close()
		return nil, err
	}
	conn.SetDeadline(time.Time{})
	return client, nil
}

// writeFile writes into the server's own folder.
func (s *server) writeFile(name, text string) {
	s.t.Helper()
	testdata, err := filepath.Abs("testdata")
	if err != nil {
		s.t.Fatal(err)
	}
	text = strings.NewReplacer("$DIR", s.home, "$TESTDATA", testdata).Replace(text)
	path := filepath.Join(s.home, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// stop ends the server as a service manager would, and kills it when it does not obey.
func (s *server) stop() {
	select {
	case <-s.exited:
		return
	default:
	}
	s.signal(syscall.SIGTERM)
	select {
	case <-s.exited:
	case <-time.After(bound):
		s.t.Errorf("the server did not end within %s of SIGTERM", bound)
		s.cmd.Process.Kill()
		<-s.exited
	}
}

func (s *server) signal(sig os.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.t.Error(err)
	}
}

// get requests a path of the site.
func (s *server) get(path string) (int, string) {
	s.t.Helper()
	return s.do(http.MethodGet, s.url(path), "", nil)
}

// post sends a body to a path of the site.
func (s *server) post(path, contentType, body string) (int, string) {
	s.t.Helper()
	return s.do(http.MethodPost, s.url(path), body, http.Header{"Content-Type": {contentType}})
}

func (s *server) do(method, url, body string, header http.Header) (int, string) {
	s.t.Helper()
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	for name, values := range header {
		req.Header[name] = values
	}
	res, err := s.client.Do(req)
	if err != nil {
		s.t.Errorf("%s %s: %v", method, url, err)
		return 0, ""
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Errorf("%s %s: %v", method, url, err)
	}
	return res.StatusCode, string(answer)
}

// adminPost posts JSON to the admin endpoint.
func (s *server) adminPost(path, body string) (int, string) {
	s.t.Helper()
	header := http.Header{"Content-Type": {"application/json"}, "Cache-Control": {"must-revalidate"}}
	return s.do(http.MethodPost, "http://"+s.admin+path, body, header)
}

// adapt turns a Caddyfile into JSON. Loaded as it is, a Caddyfile that is not formatted is answered with a warning and 200,
// even when it is refused then.
func (s *server) adapt(caddyfile string) (config string, failure string) {
	s.t.Helper()
	status, answer := s.do(http.MethodPost, "http://"+s.admin+"/adapt", caddyfile, http.Header{"Content-Type": {"text/caddyfile"}})
	var adapted struct{ Result json.RawMessage }
	if status != http.StatusOK || json.Unmarshal([]byte(answer), &adapted) != nil {
		return "", answer
	}
	return string(adapted.Result), ""
}

// load makes the server run a Caddyfile, by POST /load.
func (s *server) load(caddyfile string) {
	s.t.Helper()
	config, failure := s.adapt(caddyfile)
	if failure != "" {
		s.t.Fatalf("POST /adapt: %s", failure)
	}
	if status, answer := s.adminPost("/load", config); status != http.StatusOK {
		s.t.Fatalf("POST /load: %d %s", status, answer)
	}
}

// stats returns the core's counters.
func (s *server) stats() map[string]float64 {
	s.t.Helper()
	status, answer := s.do(http.MethodGet, "http://"+s.admin+"/websocket/stats", "", nil)
	var all map[string]any
	if err := json.Unmarshal([]byte(answer), &all); status != http.StatusOK || err != nil {
		s.t.Fatalf("/websocket/stats: %d %q (%v)", status, answer, err)
	}
	numbers := make(map[string]float64, len(all))
	for name, value := range all {
		if number, ok := value.(float64); ok {
			numbers[name] = number
		}
	}
	return numbers
}

// stat returns one counter, which must exist.
func (s *server) stat(name string) int {
	s.t.Helper()
	value, ok := s.stats()[name]
	if !ok {
		s.t.Fatalf("/websocket/stats has no %q", name)
	}
	return int(value)
}

// resources are what a leak would show in.
type resources struct{ goroutines, threads, fds int }

func (s *server) resources() resources {
	s.t.Helper()
	_, profile := s.do(http.MethodGet, "http://"+s.admin+"/debug/pprof/goroutine?debug=1", "", nil)
	var goroutines int
	if _, err := fmt.Sscanf(profile, "goroutine profile: total %d", &goroutines); err != nil {
		s.t.Fatalf("goroutine profile: %v in %.80q", err, profile)
	}
	return resources{goroutines, s.countProc("task"), s.countProc("fd")}
}

func (s *server) countProc(folder string) int {
	s.t.Helper()
	entries, err := os.ReadDir(filepath.Join("/proc", strconv.Itoa(s.cmd.Process.Pid), folder))
	if err != nil {
		s.t.Fatal(err)
	}
	return len(entries)
}

// lines returns the lines of a file that PHP appends to; none while it does not exist.
func (s *server) lines(name string) []string {
	s.t.Helper()
	text, err := os.ReadFile(filepath.Join(s.home, name))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		s.t.Fatal(err)
	}
	// The last line counts once it is whole.
	end := bytes.LastIndexByte(text, '\n')
	if end < 0 {
		return nil
	}
	return strings.Split(string(text[:end]), "\n")
}
