package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/coder/websocket"
)

// A view is a page that a person looks at, in some browser.
type view interface {
	shows(selector string, texts ...string)
	text(selector string) string
	evaluate(expression string, result any)
	leave()
}

func (p *tab) leave() { p.close() }

// firefox is a Firefox that is driven by WebDriver BiDi, which it speaks itself.
type firefox struct {
	t    *testing.T
	mu   sync.Mutex // guards what follows: one command at a time
	conn *websocket.Conn
	last int
}

// userPrefs keep Firefox from calling anybody but the server.
const userPrefs = `user_pref("app.update.enabled", false);
user_pref("browser.shell.checkDefaultBrowser", false);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("network.captive-portal-service.enabled", false);
user_pref("network.connectivity-service.enabled", false);
user_pref("network.proxy.type", 0);
user_pref("services.settings.server", "data:,#remote-settings-dummy/v1");
user_pref("toolkit.telemetry.enabled", false);
`

// startFirefox starts a Firefox of its own, with a new profile, until the test ends. tools/setup.sh installs it where Debian's packages are.
func startFirefox(t *testing.T) *firefox {
	t.Helper()
	program, err := exec.LookPath("firefox-esr")
	if err != nil {
		program, err = exec.LookPath("firefox")
	}
	if err != nil {
		t.Skip("Firefox is left out: there is neither firefox-esr nor firefox on this machine")
	}
	// Not t.TempDir: its processes may write to it a moment longer than it lives.
	profile, err := os.MkdirTemp("", "firefox-")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(profile, "user.js"), []byte(userPrefs), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "--headless", "--no-remote", "--remote-debugging-port=0", "--profile", profile)
	cmd.Env = append(os.Environ(), "HOME="+profile, "MOZ_CRASHREPORTER_DISABLE=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	output := &serverLog{}
	cmd.Stdout, cmd.Stderr = output, output
	if err := startLocked(cmd); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		cmd.Wait()
		eventually(t, func() error { return os.RemoveAll(profile) })
		if t.Failed() {
			t.Logf("Firefox:\n%s", output.tail(30))
		}
	})
	f := &firefox{t: t}
	eventually(t, func() error {
		told, err := os.ReadFile(filepath.Join(profile, "WebDriverBiDiServer.json"))
		if err != nil {
			return err
		}
		var at struct {
			Host string `json:"ws_host"`
			Port int    `json:"ws_port"`
		}
		if err := json.Unmarshal(told, &at); err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(context.Background(), bound)
		defer cancel()
		f.conn, _, err = websocket.Dial(ctx, fmt.Sprintf("ws://%s:%d/session", at.Host, at.Port), nil)
		return err
	})
	t.Cleanup(func() { f.conn.CloseNow() })
	f.conn.SetReadLimit(16 << 20)
	f.ask("session.new", map[string]any{"capabilities": map[string]any{}}, nil)
	f.ask("session.subscribe", map[string]any{"events": []string{"log.entryAdded"}}, nil)
	return f
}

// ask gives a command. What goes wrong in a page meanwhile fails the test.
func (f *firefox) ask(method string, params map[string]any, result any) {
	f.t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.last++
	command, err := json.Marshal(map[string]any{"id": f.last, "method": method, "params": params})
	if err != nil {
		f.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), bound)
	defer cancel()
	if err := f.conn.Write(ctx, websocket.MessageText, command); err != nil {
		f.t.Fatalf("Firefox: %s: %v", method, err)
	}
	for {
		_, data, err := f.conn.Read(ctx)
		if err != nil {
			f.t.Fatalf("Firefox: %s: %v", method, err)
		}
		var answer struct {
			ID             int
			Type           string
			Result, Params json.RawMessage
			Message        string
		}
		if err := json.Unmarshal(data, &answer); err != nil {
			f.t.Fatal(err)
		}
		switch {
		case answer.Type == "event":
			var entry struct{ Level, Text string }
			if err := json.Unmarshal(answer.Params, &entry); err == nil && entry.Level == "error" {
				f.t.Errorf("the page, in Firefox: %s", entry.Text)
			}
		case answer.ID != f.last:
		case answer.Type == "error":
			f.t.Fatalf("Firefox: %s: %s", method, answer.Message)
		case result == nil:
			return
		default:
			if err := json.Unmarshal(answer.Result, result); err != nil {
				f.t.Fatal(err)
			}
			return
		}
	}
}

// A window is one page in Firefox.
type window struct {
	*firefox
	context string
}

// open opens an address in a window of its own.
func (f *firefox) open(address string) view {
	f.t.Helper()
	var made struct{ Context string }
	f.ask("browsingContext.create", map[string]any{"type": "tab"}, &made)
	f.ask("browsingContext.navigate", map[string]any{"context": made.Context, "url": address, "wait": "complete"}, nil)
	return &window{f, made.Context}
}

// evaluate has a page compute something, which comes back as JSON.
func (w *window) evaluate(expression string, result any) {
	w.t.Helper()
	var done struct {
		Type             string
		Result           struct{ Value string }
		ExceptionDetails struct{ Text string }
	}
	w.ask("script.evaluate", map[string]any{
		"expression": "JSON.stringify((" + expression + ") ?? null)", "target": map[string]string{"context": w.context}, "awaitPromise": false,
	}, &done)
	if done.Type != "success" {
		w.t.Fatalf("in Firefox: %s: %s", expression, done.ExceptionDetails.Text)
	}
	if result != nil {
		if err := json.Unmarshal([]byte(done.Result.Value), result); err != nil {
			w.t.Fatal(err)
		}
	}
}

func (w *window) text(selector string) (text string) {
	w.t.Helper()
	w.evaluate(fmt.Sprintf("document.querySelector(%q).innerText", selector), &text)
	return text
}

func (w *window) shows(selector string, texts ...string) {
	w.t.Helper()
	eventually(w.t, func() error {
		shown := w.text(selector)
		for _, text := range texts {
			if !strings.Contains(shown, text) {
				return fmt.Errorf("%s shows %q, want %q", selector, shown, text)
			}
		}
		return nil
	})
}

func (w *window) leave() {
	w.ask("browsingContext.close", map[string]any{"context": w.context}, nil)
}
