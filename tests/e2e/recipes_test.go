package e2e

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestTheRecipesOfTheDocumentOnPlacementWork(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/placement.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```caddyfile\n:8080 \\{\n(.*?)\n\\}\n```").FindAllSubmatch(text, -1)
	pages := []struct {
		what   string
		path   string
		status int
		body   string
	}{
		{"a handle and a catch-all", "/chat", 200, ""},
		{"a route and a catch-all", "/chat", 200, "This is the chat."},
		{"symfony-docker", "/some/page", 200, "the front controller: /some/page"},
		{"try_files", "/some/page", 200, "the front controller: /some/page"},
	}
	if len(blocks) != len(pages) {
		t.Fatalf("docs/placement.md has %d recipes, this test knows %d", len(blocks), len(pages))
	}
	for n, page := range pages {
		t.Run(page.what, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			if err := os.WriteFile(filepath.Join(folder, "index.php"), []byte("<?php echo 'the front controller: ', $_SERVER['REQUEST_URI'];"), 0o600); err != nil {
				t.Fatal(err)
			}
			s := start(t, streams(site{
				global: "\tfrankenphp {\n\t\tworker {\n\t\t\tname chat\n\t\t\tfile $TESTDATA/lab.php\n\t\t\tnum 1\n\t\t}\n\t}",
				body:   strings.Replace(string(blocks[n][1]), "root public/", "root "+folder, 1),
			}))
			overAll(t, s, func(t *testing.T, tr transport) {
				r := tr.dial(t, s, "/chat?facts", nil)
				_, _, payload, err := r.readFrame()
				if err != nil {
					t.Fatal(err)
				}
				if facts := s.factsIn(string(payload)); facts.Path != "/chat" || facts.Query != "facts" {
					t.Errorf("the worker was told %q and %q", facts.Path, facts.Query)
				}
				r.Close()
				other, err := tr.open(s, "/other", nil)
				if err != nil {
					t.Fatal(err)
				}
				other.Close()
				if other.response.StatusCode == http.StatusSwitchingProtocols {
					t.Errorf("another path: %s", other.response.Status)
				}
			})
			if status, body := s.get(page.path); status != page.status || body != page.body {
				t.Errorf("%s: %d %q", page.path, status, body)
			}
			if len(s.log.records("no websocket directive took", `"path":"/other"`)) == 0 {
				t.Error("the log does not say that nobody took /other")
			}
		})
	}
}
