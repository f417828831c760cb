package e2e

import (
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// shortFolder is a folder for the length of the test whose path, unlike one of TempDir's, is short enough for a socket.
func shortFolder(t *testing.T) string {
	t.Helper()
	folder, err := os.MkdirTemp("", "fws")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	return folder
}

var (
	portsMu sync.Mutex // guards ports
	ports   = map[int]bool{}
)

// freePort returns a port that nobody listens on. It lies below the range that outgoing connections take theirs from: a
// test with thousands of clients would otherwise take another's before its server has bound it.
func freePort(t *testing.T) string {
	t.Helper()
	portsMu.Lock()
	defer portsMu.Unlock()
	for range 1000 {
		port := 12000 + rand.IntN(20000)
		if ports[port] {
			continue
		}
		listener, err := net.Listen("tcp", ":"+strconv.Itoa(port))
		if err != nil {
			continue
		}
		listener.Close()
		ports[port] = true
		return strconv.Itoa(port)
	}
	t.Fatal("no free port found")
	return ""
}

// frankenphp returns the path of the frankenphp to test.
func frankenphp(t *testing.T) string {
	t.Helper()
	path := os.Getenv("FWS_FRANKENPHP")
	if path == "" {
		path = "../../build/frankenphp"
	}
	path, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%v: run `make build` first, or name the binary in FWS_FRANKENPHP", err)
	}
	return path
}

// environment keeps Caddy's own files, and what a developer has set for Caddy, out of the tests.
func environment(home string) []string {
	env := []string{"HOME=" + home, "XDG_CONFIG_HOME=" + home, "XDG_DATA_HOME=" + home}
	for _, variable := range os.Environ() {
		name, _, _ := strings.Cut(variable, "=")
		switch name {
		case "HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR", "PORT", "PHP_INI_SCAN_DIR", "PHPRC":
		default:
			if !strings.HasPrefix(name, "CADDY_") && !strings.HasPrefix(name, "FRANKENPHP_") {
				env = append(env, variable)
			}
		}
	}
	return env
}
