package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The example that README.md shows first works as it stands there, but for its paths and its port.
func TestTheExampleOfTheReadmeWorks(t *testing.T) {
	t.Parallel()
	top, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	readme, err := os.ReadFile(filepath.Join(top, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	block := func(language string) string {
		match := regexp.MustCompile("(?s)```" + language + "\n(.*?)```").FindSubmatch(readme)
		if match == nil {
			t.Fatalf("README.md has no block of %s", language)
		}
		return string(match[1])
	}
	put := func(path, source string) {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(source), 0o600); err != nil {
			t.Fatal(err)
		}
	}

	folder := t.TempDir()
	replaced := strings.NewReplacer("'vendor/autoload.php'", "'"+top+"/php/autoload.php'").Replace(block("php"))
	put(filepath.Join(folder, "worker.php"), replaced)
	call := regexp.MustCompile("`(frankenphp_ws_sendToTag\\([^`]*;)`").FindSubmatch(readme)
	if call == nil {
		t.Fatal("README.md calls nothing from an ordinary request")
	}
	put(filepath.Join(folder, "public/form.php"), "<?php "+string(call[1]))

	parts := regexp.MustCompile(`(?s)^\{\n(.*?)\n\}\n\n:8080 \{\n(.*)\n\}\n$`).FindStringSubmatch(block("caddyfile"))
	if parts == nil {
		t.Fatal("README.md's Caddyfile is no global block and one site")
	}
	here := strings.NewReplacer("file worker.php", "file "+folder+"/worker.php", "root public/", "root "+folder+"/public")
	s := start(t, site{global: here.Replace(parts[1]), body: here.Replace(parts[2])})

	a, b := dial(t, s, "/chat", nil), dial(t, s, "/chat", nil)
	// A client's own message comes back once it has its tag.
	a.send(t, "a is here")
	a.want(t, "a is here")
	b.send(t, "b is here")
	a.want(t, "b is here")
	for b.receive(t) != "b is here" { // it may have heard a
	}
	a.send(t, "to both")
	a.want(t, "to both")
	b.want(t, "to both")
	if status, body := s.get("/form.php"); status != 200 || body != "" {
		t.Errorf("%d %s", status, body)
	}
	a.want(t, "Hello from a form")
	b.want(t, "Hello from a form")
}
