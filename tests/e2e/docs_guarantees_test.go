package e2e

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Each guarantee in docs/scaling.md names the test that shows it.
func TestTheTestsThatTheDocumentationNamesExist(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/scaling.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, found := strings.Cut(string(text), "| what is true | the test that shows it |")
	if !found {
		t.Fatal("docs/scaling.md has no table of guarantees")
	}
	table, _, _ = strings.Cut(table, "\n\n")
	var sources strings.Builder
	err = filepath.WalkDir("../../crates", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".rs" {
			return err
		}
		source, err := os.ReadFile(path)
		sources.Write(source)

		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	names := regexp.MustCompile("`([a-z0-9_]{20,})`").FindAllStringSubmatch(table, -1)
	if rows := strings.Count(table, "\n|") - 1; len(names) != rows || rows < 10 {
		t.Fatalf("%d rows name %d tests", rows, len(names))
	}
	for _, name := range names {
		if !strings.Contains(sources.String(), "#[test]\nfn "+name[1]+"()") {
			t.Errorf("there is no test %s", name[1])
		}
	}
}
