package e2e

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// readme returns the blocks of README.md in a language, in order.
func readme(t *testing.T, language string) []string {
	t.Helper()
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	var blocks []string
	for _, block := range regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllSubmatch(text, -1) {
		blocks = append(blocks, string(block[1]))
	}
	return blocks
}

// blockWith returns the block of README.md that has a text in it.
func blockWith(t *testing.T, language, text string) string {
	t.Helper()
	for _, block := range readme(t, language) {
		if strings.Contains(block, text) {
			return block
		}
	}
	t.Fatalf("README.md has no block of %s with %s", language, text)
	return ""
}

// asTheReadmeSays makes the folder of an application from the blocks of the readme, beside a clone of this project.
func asTheReadmeSays(t *testing.T, top, home string) *server {
	t.Helper()
	folder := filepath.Join(home, "my chat")
	if err := os.MkdirAll(filepath.Join(folder, "public"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(top, filepath.Join(home, "frankenphp-ws")); err != nil {
		t.Fatal(err)
	}
	port := freePort(t)
	s := &server{t: t, home: folder, dir: folder, addr: "127.0.0.1:" + port, admin: "127.0.0.1:" + freePort(t)}
	caddyfile := strings.Replace(readme(t, "caddyfile")[0], ":8080 {", ":"+port+" {", 1)
	for name, text := range map[string]string{
		"Caddyfile":        strings.Replace(caddyfile, "{\n", "{\n\tadmin "+s.admin+"\n", 1),
		"worker.php":       readme(t, "php")[0],
		"public/index.php": readme(t, "html")[0],
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}

	return s
}

// startsAndChats starts the server by a line of the readme, chats in two tabs, and ends it.
func (s *server) startsAndChats(t *testing.T, page context.Context, cmd *exec.Cmd, line string) {
	t.Helper()
	s.log = &serverLog{}
	cmd.Stdout, cmd.Stderr = s.log, s.log
	if err := startLocked(cmd); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() { cmd.Process.Kill() })
	if err := wait(func() error {
		conn, err := dialStream(s.addr)
		if err == nil {
			conn.Close()
		}
		return err
	}); err != nil {
		t.Fatalf("%s: %v\n%s", line, err, s.log.tail(50))
	}

	address := strings.Replace(s.addr, "127.0.0.1", "localhost", 1)
	one, two := open(t, page, "http://"+address), open(t, page, "http://"+address)
	for _, tab := range []*tab{one, two} {
		tab.fill("input", "I am here\n")
		tab.shows("pre", "I am here")
	}
	two.fill("input", "Hello, world\n")
	one.shows("pre", "Hello, world")
	two.shows("pre", "Hello, world")
	one.close()
	two.close()

	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	if err := <-ended; err != nil {
		t.Errorf("%s: %v\n%s", line, err, s.log.tail(50))
	}
}

// TestANewcomerFollowsTheReadme does what README.md says, in a folder of its own: the files and the commands as they stand there.
func TestANewcomerFollowsTheReadme(t *testing.T) {
	t.Parallel()
	top, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := exec.LookPath("composer"); err != nil {
		t.Fatal("composer is needed: tools/setup.sh e2e installs it")
	}
	asMakeRunStarts(t)
	home := t.TempDir()
	s := asTheReadmeSays(t, top, home)
	s.env = append(environment(home), "COMPOSER_HOME="+home, "COMPOSER_ALLOW_SUPERUSER=1", "COMPOSER_NO_AUDIT=1", "XDG_RUNTIME_DIR="+shortFolder(t))
	run := func(lines string) *exec.Cmd {
		cmd := exec.Command("sh", "-ec", lines)
		cmd.Dir, cmd.Env = s.dir, s.env
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		return cmd
	}
	install := blockWith(t, "sh", "composer require")
	if output, err := run(install).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	// Who follows it again, with a composer.json, comes to the same.
	if output, err := run(install).CombinedOutput(); err != nil {
		t.Fatalf("the second time: %v\n%s", err, output)
	}

	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the server's log:\n%s", s.log.tail(100))
		}
	})
	page := browser(t)
	for _, line := range strings.Split(strings.TrimSpace(blockWith(t, "sh", "DIR=")), "\n") {
		// `make run` builds first: this test runs what was built already.
		line = strings.Replace(line, "make -C ~/frankenphp-ws run DIR=", "exec ~/frankenphp-ws/tools/run.sh chat ", 1)
		line = strings.Replace(line, "~/frankenphp-ws/build/", "exec ~/frankenphp-ws/build/", 1)
		cmd := run(line)
		s.startsAndChats(t, page, cmd, line)
	}
}

func TestARunOfAFolderWithoutACaddyfileSaysSo(t *testing.T) {
	t.Parallel()
	for folder, want := range map[string]string{t.TempDir(): "has no Caddyfile", "/no/such/folder": "there is no folder"} {
		output, err := exec.Command("../../tools/run.sh", "chat", folder).CombinedOutput()
		if err == nil || !strings.Contains(string(output), want) {
			t.Errorf("%s: %v %s", folder, err, output)
		}
	}
}
