package websocket

import (
	"os"
	"path/filepath"
	"testing"
)

func TestAFileIsBelowItsFoldersAndTheirLinksOnly(t *testing.T) {
	folder := t.TempDir()
	for _, name := range []string{"public/sub", "publicity"} {
		if err := os.MkdirAll(filepath.Join(folder, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"worker.php", "public/in.php", "public/sub/deep.php", "publicity/other.php"} {
		if err := os.WriteFile(filepath.Join(folder, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(filepath.Join(folder, "public"), filepath.Join(folder, "link")); err != nil {
		t.Fatal(err)
	}

	for name, want := range map[string]bool{
		"public/in.php": true, "public/sub/deep.php": true, "link/in.php": true,
		"worker.php": false, "publicity/other.php": false, "public/missing.php": false,
	} {
		if got := below(filepath.Join(folder, "public"), filepath.Join(folder, name)); got != want {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
}
