package phpext_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dunglas/frankenphp"
	_ "github.com/frankenphp-ws/frankenphp-ws/caddy-module/phpext"
	bridge "github.com/frankenphp-ws/frankenphp-ws/go-bridge"
)

// patience is how long a test waits for something that is to happen at once.
const patience = 20 * time.Second

const routes = `{
	"routes": [
		{"name": "app", "worker": "app", "origins": ["*"], "max_message_size": 8388608, "max_outbox": 8388608, "on_error": "continue"},
		{"name": "limited", "worker": "limited", "origins": ["*"], "max_message_size": 8388608},
		{"name": "quiet", "echo": true, "origins": ["*"]},
		{"name": "many", "echo": true, "origins": ["*"]}
	],
	"workers": [{"name": "app", "threads": 1}, {"name": "limited", "threads": 1}]
}`

var testdata string

// TestMain runs PHP and the core as the server does, without Caddy: what rings the bells here is not what does in production.
func TestMain(m *testing.M) {
	os.Exit(func() int {
		var err error
		if testdata, err = filepath.Abs("testdata"); err != nil {
			panic(err)
		}
		startPHP()
		defer frankenphp.Shutdown()

		if err := bridge.Start(nil); err != nil {
			panic(err)
		}
		if err := bridge.StageRoutes(1, []byte(routes)); err != nil {
			panic(err)
		}
		if err := bridge.CommitRoutes(1); err != nil {
			panic(err)
		}
		watcher, err := bridge.NewWatcher()
		if err != nil {
			panic(err)
		}
		defer func() { _ = watcher.Close() }()
		go func() {
			if err := watcher.Run(func() {
				bridge.TakeBells(func(r bridge.Ring) { go ring(r) })
				records.take()
			}); err != nil {
				panic(err)
			}
		}()

		return m.Run()
	}())
}

func startPHP() {
	if err := frankenphp.Init(
		frankenphp.WithNumThreads(4),
		frankenphp.WithWorkers("app", filepath.Join(testdata, "worker.php"), 1),
		frankenphp.WithWorkers("limited", filepath.Join(testdata, "limited.php"), 1),
		frankenphp.WithLogger(slog.New(slog.NewTextHandler(io.Discard, nil))),
		frankenphp.WithPhpIni(map[string]string{"html_errors": "0", "display_errors": "1"}),
	); err != nil {
		panic(err)
	}
}

func ring(r bridge.Ring) {
	request := httptest.NewRequest(http.MethodGet, "http://localhost/?fws_bell="+r.Nonce, http.NoBody)
	bell, err := frankenphp.NewRequestWithContext(request, frankenphp.WithWorkerName(r.Worker),
		frankenphp.WithRequestDocumentRoot("/dev/null/none", false))
	if err != nil {
		panic(err)
	}
	response := httptest.NewRecorder()
	if err := frankenphp.ServeHTTP(response, bell); err != nil {
		bridge.EndBell(r.Nonce, bridge.Failed, response.Body.Bytes(), err.Error())

		return
	}
	bridge.EndBell(r.Nonce, bridge.Served, response.Body.Bytes(), "")
}

// records are what the core has logged.
var records = log{changed: make(chan struct{})}

type log struct {
	mu      sync.Mutex
	lines   []string
	changed chan struct{} // closed and replaced when there are more
}

func (l *log) take() {
	buf := make([]byte, 1<<16)
	for {
		text := bridge.TakeLog(buf)
		if len(text) == 0 {
			return
		}
		l.mu.Lock()
		l.lines = append(l.lines, strings.Split(strings.TrimSpace(string(text)), "\n")...)
		close(l.changed)
		l.changed = make(chan struct{})
		l.mu.Unlock()
	}
}

// since returns what was logged after the first n lines, and a channel that closes when there is more.
func (l *log) since(n int) ([]string, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()

	return l.lines[n:], l.changed
}

func (l *log) len() int {
	lines, _ := l.since(0)

	return len(lines)
}

// await waits for a line after the first n that contains text.
func (l *log) await(t *testing.T, n int, text string) string {
	t.Helper()
	deadline := time.After(patience)
	for {
		lines, more := l.since(n)
		for _, line := range lines {
			if strings.Contains(line, text) {
				return line
			}
		}
		select {
		case <-more:
		case <-deadline:
			t.Fatalf("the core has not logged %q, but:\n%s", text, strings.Join(lines, "\n"))
		}
	}
}

// answer is what a piece of PHP code returned or threw.
type answer struct {
	Returned json.RawMessage
	Thrown   string
	Message  string
	Code     int
}

// raw runs PHP code in an ordinary request and returns what it printed.
func raw(t *testing.T, code string) string {
	t.Helper()
	request, err := frankenphp.NewRequestWithContext(
		httptest.NewRequest(http.MethodPost, "http://localhost/eval.php", strings.NewReader(code)),
		frankenphp.WithRequestDocumentRoot(testdata, false),
	)
	if err != nil {
		t.Fatal(err)
	}
	response := httptest.NewRecorder()
	if err := frankenphp.ServeHTTP(response, request); err != nil {
		t.Fatal(err)
	}

	return response.Body.String()
}

func php(t *testing.T, code string, args ...any) answer {
	t.Helper()
	out := raw(t, fmt.Sprintf(code, args...))
	var a answer
	if err := json.Unmarshal([]byte(out), &a); err != nil {
		t.Fatalf("%s\nprinted %q", fmt.Sprintf(code, args...), out)
	}

	return a
}

// returned runs PHP code that is to return, and compares what it returns with want.
func returned(t *testing.T, want any, code string, args ...any) {
	t.Helper()
	a := php(t, code, args...)
	expected, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	if a.Thrown != "" || !bytes.Equal(a.Returned, expected) {
		t.Errorf("%s\nreturned %s, threw %s %q; want %s", fmt.Sprintf(code, args...), a.Returned, a.Thrown, a.Message, expected)
	}
}
