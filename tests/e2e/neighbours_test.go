package e2e

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// neighbours is two servers of one user, each with its own project, that share the folder in which servers are found.
func neighbours(t *testing.T) (a, b *server, folder string) {
	t.Helper()
	folder = shortFolder(t)
	project := func(name string) *server {
		s := controlled()
		s.env = []string{"FRANKENPHP_WS_SOCKET=" + folder}
		s.files = map[string]string{"who.php": `<?php echo frankenphp_ws_global_get('who');`}
		srv := start(t, s)
		doors(t, srv, "/control")[1].want(t, nil, "global_set", "who", name)
		return srv
	}
	return project("a"), project("b"), folder
}

// in runs the binary in a folder, for whichever server is found there.
func (s *server) in(folder string, args ...string) ran {
	s.t.Helper()
	var stdout, stderr strings.Builder
	cmd := exec.Command(frankenphp(s.t), args...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = folder, s.env, &stdout, &stderr
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		s.t.Fatal(err)
	}
	return ran{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

func TestTwoServersOfOneUserAreEachReachedFromTheirOwnProject(t *testing.T) {
	t.Parallel()
	a, b, _ := neighbours(t)
	elsewhere := t.TempDir()
	for name, s := range map[string]*server{"a": a, "b": b} {
		for what, got := range map[string]ran{
			"websocket in its folder": s.in(s.home, "websocket", "kv", "get", "who"),
			"a script of cron":        s.in(elsewhere, "php-cli", filepath.Join(s.home, "who.php")),
			"code in its folder":      s.in(s.home, "php-cli", "-r", "echo frankenphp_ws_global_get('who');"),
			"a script, relative":      s.in(s.home, "php-cli", "who.php"),
		} {
			if got.stdout != name || got.code != 0 {
				t.Errorf("%s of %s: %+v", what, name, got)
			}
		}
	}

	listed := []string{
		"2 servers run", "it is not certain", elsewhere, a.config, b.config, "pid " + strconv.Itoa(a.cmd.Process.Pid),
		"pid " + strconv.Itoa(b.cmd.Process.Pid), "FRANKENPHP_WS_SOCKET=", "--socket",
	}
	got := a.in(elsewhere, "websocket", "kv", "set", "who", "nobody")
	if got.code != 4 || got.stdout != "" {
		t.Errorf("elsewhere: %+v", got)
	}
	wantIn(t, got.stderr, listed...)
	wantIn(t, a.in(elsewhere, "php-cli", "-r", `try { frankenphp_ws_global_set('who', 'nobody'); } catch (FrankenPHP\WebSocket\ControlException $e) { echo $e->getCode(), $e->getMessage(); }`).stdout,
		append(listed, "32frankenphp_ws_global_set(): ")...)

	_, socket, _ := strings.Cut(got.stderr, ", control socket ")
	socket, _, _ = strings.Cut(socket, "\n")
	if got := a.in(elsewhere, "websocket", "kv", "get", "who", "--socket", socket); got.code != 0 || len(got.stdout) != 1 {
		t.Errorf("--socket %s: %+v", socket, got)
	}

	// A reload keeps the sockets, and who is gone is not mistaken for the other.
	b.load(b.source())
	if got := b.in(b.home, "websocket", "kv", "get", "who", "--socket", socket); got.code != 0 {
		t.Errorf("after a reload: %+v", got)
	}
	b.stop()
	gone := b.in(b.home, "websocket", "kv", "get", "who")
	if gone.code != 4 {
		t.Errorf("b has ended: %+v", gone)
	}
	wantIn(t, gone.stderr, "the server of the project in "+b.home+" does not run", a.config)
	if got := a.in(elsewhere, "websocket", "kv", "get", "who"); got.stdout != "a" {
		t.Errorf("there is only a: %+v", got)
	}
}

func TestAKilledServerIsNeitherAskedNorInTheWay(t *testing.T) {
	t.Parallel()
	a, b, folder := neighbours(t)
	b.cmd.Process.Kill()
	<-b.exited
	if got := a.in(t.TempDir(), "websocket", "kv", "get", "who"); got.stdout != "a" {
		t.Errorf("there is only a: %+v", got)
	}
	if err := b.launch(); err != nil {
		t.Fatal(err)
	}
	if got := b.in(b.home, "websocket", "kv", "get", "who"); got.code != 3 {
		t.Errorf("b has been started again: %+v", got)
	}
	files, err := os.ReadDir(folder)
	if err != nil || len(files) != 6 {
		t.Errorf("what is left of the killed one: %v (%v)", files, err)
	}
	a.stop()
	b.stop()
	if files, err := os.ReadDir(folder); err != nil || len(files) != 0 {
		t.Errorf("what is left of both: %v (%v)", files, err)
	}
}

func TestAServerWithoutAControlSocketIsNotMistakenForAnother(t *testing.T) {
	t.Parallel()
	_, b, _ := neighbours(t)
	off := controlled()
	off.global += "\n\twebsocket {\n\t\tcontrol off\n\t}"
	b.writeConfig(off)
	b.load(b.source())
	got := b.in(b.home, "websocket", "kv", "get", "who")
	if got.code != 4 {
		t.Errorf("%+v", got)
	}
	wantIn(t, got.stderr, "cannot be asked", "control off", b.config)
}

func TestASecondServerOfASocketHasItWhenTheFirstOneEnds(t *testing.T) {
	t.Parallel()
	first := start(t, controlled())
	second := controlled()
	second.env = []string{"FRANKENPHP_WS_SOCKET=" + first.socket}
	s := start(t, second)
	eventually(t, func() error {
		if found := s.log.records("cannot reach this server until the other one ends", first.socket); len(found) != 1 {
			return fmt.Errorf("it was said %d times", len(found))
		}
		return nil
	})
	doors(t, s, "/control")[1].want(t, nil, "global_set", "who", "second")
	doors(t, first, "/control")[1].want(t, nil, "global_set", "who", "first")
	if got := s.eval(`echo frankenphp_ws_global_get('who');`); got != "first" {
		t.Errorf("the command line has reached the %s", got)
	}
	first.stop()
	eventually(t, func() error {
		if got := s.eval(`echo frankenphp_ws_global_get('who');`); got != "second" {
			return errors.New(got)
		}
		return nil
	})
	if found := s.log.records("the other server has ended", first.socket); len(found) != 1 {
		t.Errorf("it was said %d times", len(found))
	}
}

func TestAServerWithoutWebSocketRoutesDoesNotTalkToAnotherServer(t *testing.T) {
	t.Parallel()
	other := start(t, controlled())
	s := start(t, site{
		global: "\tfrankenphp",
		body:   "\troot $TESTDATA/public\n\tphp_server",
		env:    []string{"FRANKENPHP_WS_SOCKET=" + other.socket},
	})
	_, body := s.post("/call.php", "application/json", `{"call":"frankenphp_ws_getClientsCount","args":[]}`)
	wantIn(t, body, "NotRunningException")
	if got := s.eval(`echo frankenphp_ws_getClientsCount();`); got != "0" {
		t.Errorf("its command line, though: %s", got)
	}
}
