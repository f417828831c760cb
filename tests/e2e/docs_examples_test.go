package e2e

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/coder/websocket"
)

// documented is the site of an example in docs: its Caddyfile as it stands there, but for its paths and its port, with its
// files in a folder of its own. code are its blocks of PHP.
func documented(t *testing.T, document string, files func(code []string) map[string]string) site {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../../docs", document))
	if err != nil {
		t.Fatal(err)
	}
	blocks := func(language string) (found []string) {
		for _, match := range regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllSubmatch(text, -1) {
			found = append(found, string(match[1]))
		}
		return append(found, "")
	}
	parts := regexp.MustCompile(`(?s)^\{\n(.*?)\n\}\n\n:8080 \{\n(.*)\n\}\n$`).FindStringSubmatch(blocks("caddyfile")[0])
	if parts == nil {
		t.Fatalf("the Caddyfile of %s is no global block and one site", document)
	}
	folder := t.TempDir()
	if err := os.Mkdir(filepath.Join(folder, "public"), 0o755); err != nil {
		t.Fatal(err)
	}
	testdata, err := filepath.Abs("testdata")
	if err != nil {
		t.Fatal(err)
	}
	for name, source := range files(blocks("php")) {
		source = strings.ReplaceAll(source, "$TESTDATA", testdata)
		if err := os.WriteFile(filepath.Join(folder, name), []byte(source), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	here := strings.NewReplacer("file ", "file "+folder+"/", "root ", "root "+folder+"/")
	return site{global: here.Replace(parts[1]), body: here.Replace(parts[2])}
}

func TestTheExampleOfTheDocumentOnAuthorizeWorks(t *testing.T) {
	t.Parallel()
	want := documented(t, "authorize.md", func(code []string) map[string]string {
		return map[string]string{
			"worker.php":           "<?php require '$TESTDATA/guarded.php';",
			"public/ws-auth.php":   code[0],
			"public/ws-single.php": strings.Replace(code[0], "header('WebSocket-Authorize", code[1]+"header('WebSocket-Authorize", 1),
			"public/login.php":     "<?php session_start(); $_SESSION = ['user' => 'ann/1', 'name' => 'Änn']; echo 'logged in';",
		}
	})
	want.body += "\n\twebsocket /single {\n\t\tname single\n\t\tworker chat\n\t\tauthorize /ws-single.php?room=1\n\t}"
	s := start(t, want)
	if _, body := refused(t, s, "/chat?room=1", http.StatusUnauthorized); body != "log in first" {
		t.Errorf("%q", body)
	}
	res, err := s.client.Get(s.url("/login.php"))
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	options := &websocket.DialOptions{HTTPHeader: http.Header{"Cookie": {res.Header.Get("Set-Cookie")}}}

	// Two tabs of one user.
	first, second := dial(t, s, "/chat?room=1", options), dial(t, s, "/chat?room=a%26b", options)
	first.given(t)
	if got := second.given(t); strings.Join(got.Tags, "|") != "group:a&b|user:ann/1" || got.Information.(map[string]any)["name"] != "w4Rubg==" {
		t.Errorf("PHP was given %+v", got)
	}
	if status, answer := s.asks("POST", "/websocket/messages?tag=user:ann%2F1", "to all tabs"); status != http.StatusOK {
		t.Errorf("%d %s", status, answer)
	}
	first.want(t, "to all tabs")
	second.want(t, "to all tabs")

	// The second snippet: only one connection of a user.
	old := dial(t, s, "/single", options)
	old.given(t)
	if got := dial(t, s, "/single", options).given(t); got.ID != "ann/1" {
		t.Errorf("PHP was given %+v", got)
	}
	if _, message, err := old.tryReceive(); err == nil {
		t.Errorf("the replaced connection goes on: %q", message)
	}
}

func TestTheExampleOfTheDocumentOnSubprotocolsWorks(t *testing.T) {
	t.Parallel()
	worker := func(name string) string {
		return "<?php $_SERVER['WORKER'] = '" + name + "'; require '$TESTDATA/guarded.php';"
	}
	s := start(t, documented(t, "subprotocols.md", func([]string) map[string]string {
		return map[string]string{"chat.php": worker("chat"), "news.php": worker("news")}
	}))
	for _, test := range []struct {
		offer               []string
		worker, subprotocol string
	}{
		{[]string{"chat.v2", "news.v1"}, "chat", "chat.v2"},
		{[]string{"soap", "news.v1"}, "news", "news.v1"},
		{[]string{"soap"}, "chat", ""},
		{nil, "chat", ""},
	} {
		if _, got := offering(t, s, test.offer...); got.Worker != test.worker || got.Subprotocol != test.subprotocol {
			t.Errorf("%q: %+v", test.offer, got)
		}
	}
}
