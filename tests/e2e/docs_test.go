package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// guideBlock returns the PHP block of a page of docs/ that has a text in it.
func guideBlock(t *testing.T, page, with string) string {
	t.Helper()
	top, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(top, "docs", page))
	if err != nil {
		t.Fatal(err)
	}
	for _, block := range regexp.MustCompile("(?s)```php\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		if strings.Contains(block[1], with) {
			return strings.ReplaceAll(block[1], "__DIR__ . '/vendor/autoload.php'", "'"+top+"/php/autoload.php'")
		}
	}
	t.Fatalf("docs/%s has no PHP with %s", page, with)
	return ""
}

// guide returns the PHP blocks of a page of docs/ by the file that each says it is, and its first Caddyfile.
func guide(t *testing.T, page string) (files map[string]string, caddyfile string) {
	t.Helper()
	top, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(top, "docs", page))
	if err != nil {
		t.Fatal(err)
	}
	files = map[string]string{}
	for _, block := range regexp.MustCompile("(?s)```php\n(<\\?php // (\\w+\\.php).*?)```").FindAllStringSubmatch(string(text), -1) {
		if _, taken := files[block[2]]; !taken {
			files[block[2]] = strings.ReplaceAll(block[1], "__DIR__ . '/vendor/autoload.php'", "'"+top+"/php/autoload.php'")
		}
	}
	if match := regexp.MustCompile("(?s)```caddyfile\n(.*?)```").FindSubmatch(text); match != nil {
		caddyfile = string(match[1])
	}
	return files, caddyfile
}

func TestTheApplicationOfTheGuideRuns(t *testing.T) {
	t.Parallel()
	files, caddyfile := guide(t, "applications.md")
	parts := regexp.MustCompile(`(?s)^\{\n(.*?)\n\}\n\n:8080 \{\n(.*)\n\}\n$`).FindStringSubmatch(caddyfile)
	if parts == nil {
		t.Fatal("the Caddyfile is no global block and one site")
	}
	here := strings.NewReplacer("file worker.php", "file $DIR/worker.php", "root public/", "root $DIR/public")
	s := start(t, site{global: here.Replace(parts[1]), body: here.Replace(parts[2]), files: files})

	anna := dial(t, s, "/rooms?name=anna", nil)
	anna.send(t, "who")
	anna.want(t, "anna")
	bob := dial(t, s, "/rooms?name=bob", nil)
	anna.want(t, "bob is here")
	anna.send(t, "join kitchen")
	anna.send(t, "tell bob I have joined")
	bob.want(t, "anna to you: I have joined")
	bob.send(t, "say kitchen tea is ready")
	anna.want(t, "bob in kitchen: tea is ready")
	bob.send(t, "dance")
	bob.want(t, `Sorry: there is no "dance" here`)
	eventually(t, func() error {
		if len(s.log.records(`refused: there is no \"dance\" here`, `"level":"warn"`, `"connection":"`, `"route":"rooms"`)) == 0 {
			return os.ErrNotExist
		}
		return nil
	})
	bob.CloseNow()
	anna.want(t, "bob has left")
}

func TestTheDatabaseOfTheGuideRuns(t *testing.T) {
	t.Parallel()
	files, _ := guide(t, "applications.md")
	// The page has several workers: this is the one that needs the database.
	files["worker.php"] = guideBlock(t, "applications.md", "require __DIR__ . '/Database.php'")
	files["extension.php"] = "<?php echo (int) extension_loaded('pdo_sqlite');"
	s := start(t, site{
		global: "\tfrankenphp {\n\t\tworker {\n\t\t\tname notes\n\t\t\tfile $DIR/worker.php\n\t\t\tnum 2\n\t\t}\n\t}",
		body:   "\troot $DIR\n\twebsocket /notes {\n\t\tworker notes\n\t}\n\tphp_server",
		files:  files,
	})
	if _, body := s.get("/extension.php"); body != "1" {
		t.Skip("this PHP has no pdo_sqlite")
	}
	c := dial(t, s, "/notes", nil)
	c.send(t, "one")
	c.want(t, `{"notes":1}`)
	c.send(t, "two")
	c.want(t, `{"notes":2}`)
}

func TestTheRawLoopOfTheReferenceRuns(t *testing.T) {
	t.Parallel()
	files, _ := guide(t, "php.md")
	s := start(t, site{
		global: "\tfrankenphp {\n\t\tworker {\n\t\t\tname lobby\n\t\t\tfile $DIR/worker.php\n\t\t}\n\t}",
		body:   "\twebsocket /lobby {\n\t\tworker lobby\n\t}",
		files:  files,
	})
	a, b := dial(t, s, "/lobby", nil), dial(t, s, "/lobby", nil)
	expect(t, "handled open events", 2, func() int { return s.stat("events_acknowledged") })
	b.send(t, "hello")
	a.want(t, "hello")
}
