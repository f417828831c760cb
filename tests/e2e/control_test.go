package e2e

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// php makes a command of `frankenphp php-cli`, in the environment of the server.
func (s *server) php(args ...string) *exec.Cmd {
	s.t.Helper()
	cmd := exec.Command(frankenphp(s.t), append([]string{"php-cli"}, args...)...)
	cmd.Dir, cmd.Env = s.dir, s.env
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd
}

// eval runs PHP code on the command line and returns what it prints; class and message of an exception too.
func (s *server) eval(code string) string {
	s.t.Helper()
	output, err := s.php("-r", `try { `+code+` } catch (Throwable $e) { echo $e::class, ': ', $e->getMessage(); }`).CombinedOutput()
	if err != nil {
		s.t.Fatalf("%v: %s", err, output)
	}
	return string(output)
}

// commandLine is the door of the command line: one script for all calls, started by the first.
func commandLine(s *server) door {
	var (
		once sync.Once
		in   io.Writer
		out  *bufio.Reader
	)
	return door{"on the command line", func(t *testing.T, request string) string {
		t.Helper()
		once.Do(func() {
			cmd := s.php("testdata/cli.php")
			cmd.Dir = "."
			stdin, err := cmd.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			stdout, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			cmd.Stderr = os.Stderr
			if err := startLocked(cmd); err != nil {
				t.Fatal(err)
			}
			s.t.Cleanup(func() {
				stdin.Close()
				if err := cmd.Wait(); err != nil {
					s.t.Errorf("the script on the command line: %v", err)
				}
			})
			in, out = stdin, bufio.NewReader(stdout)
		})
		if _, err := io.WriteString(in, request+"\n"); err != nil {
			t.Fatal(err)
		}
		answer, err := out.ReadString('\n')
		if err != nil {
			t.Fatalf("%v after %.300q", err, answer)
		}
		return answer
	}}
}

func wantIn(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%q is not in %q", part, text)
		}
	}
}

func TestEventsAreNotForTheCommandLine(t *testing.T) {
	t.Parallel()
	s := start(t, controlled())
	for _, call := range []string{`nextEvent()`, `failEvent('x')`} {
		wantIn(t, s.eval("frankenphp_ws_"+call+";"), `FrankenPHP\WebSocket\OutsideEventLoopException`, "handed to workers of the server")
	}
}

func TestWithoutAServerTheCommandLineSaysWhereItLookedAndWhy(t *testing.T) {
	t.Parallel()
	s := start(t, controlled())
	count := `frankenphp_ws_getClientsCount();`

	// A server that does not answer.
	s.signal(syscall.SIGSTOP)
	silent := s.eval(count)
	s.signal(syscall.SIGCONT)
	wantIn(t, silent, `FrankenPHP\WebSocket\ControlException`, s.socket, "does not answer")
	if strings.Contains(silent, "took") {
		t.Error(silent)
	}

	s.stop()
	gone := s.eval(count)
	wantIn(t, gone, `FrankenPHP\WebSocket\ControlException`, "no server answers at "+s.socket, "FRANKENPHP_WS_SOCKET names")
	if strings.Contains(gone, "took") {
		t.Error(gone)
	}
}

func TestTheControlSocketGoesWithItsServerAndADeadOnesIsReplaced(t *testing.T) {
	t.Parallel()
	s := start(t, controlled())
	d := commandLine(s)
	d.want(t, nil, "global_set", "k", "first")

	s.cmd.Process.Kill()
	<-s.exited
	if _, err := os.Lstat(s.socket); err != nil {
		t.Errorf("who is killed cannot remove it: %v", err)
	}
	d.throws(t, "ControlException", "global_get", "k")
	if err := s.launch(); err != nil {
		t.Fatal(err)
	}
	// The script that was there before is connected anew.
	d.want(t, "", "global_get", "k")

	s.stop()
	for _, path := range []string{s.socket, s.socket + ".lock"} {
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is still there: %v", path, err)
		}
	}
}

// isForItsUser asks by a script of another user, who becomes that before the first call. narrow is the site with the default mode.
func isForItsUser(t *testing.T, s *server, folder, path string, narrow site) {
	t.Helper()
	if err := os.Chmod(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	as := `posix_setgid(65534); posix_setuid(65534); echo frankenphp_ws_getClientsCount();`
	if got := s.eval(as); got != "0" {
		t.Errorf("with mode 0666: %s", got)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	wantIn(t, s.eval(as), "ControlException", "permission denied at "+path, "user 0", "0600", "user 65534", "control")

	// The mode that a socket was given by the option holds, whatever becomes of the file.
	s.writeConfig(narrow)
	s.load(s.source())
	eventually(t, func() error {
		if found, err := os.Lstat(path); err != nil || found.Mode().Perm() != 0o600 {
			return fmt.Errorf("%v %v", found, err)
		}
		return os.Chmod(path, 0o666)
	})
	wantIn(t, s.eval(as), "ControlException", "has refused this process", "user 65534", "for user 0")
	eventually(t, func() error {
		if len(s.log.records("a client of the control socket was cut off", "user 65534", "for user 0")) == 0 {
			return errors.New("it is not in the log")
		}
		return nil
	})
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestTheOptionControlSaysWhereAndForWhom(t *testing.T) {
	t.Parallel()
	want := controlled()
	gid := os.Getgid()
	if os.Getuid() == 0 {
		gid = 33
	}
	option := func(options string) site {
		changed := want
		changed.global += "\n\twebsocket {\n\t\tcontrol " + options + "\n\t}"
		return changed
	}
	folder := shortFolder(t)
	path := filepath.Join(folder, "x.sock")
	changed := option(path + " {\n\t\t\tmode 0666\n\t\t\tgroup " + strconv.Itoa(gid) + "\n\t\t}")
	changed.env = []string{"FRANKENPHP_WS_SOCKET=" + path}
	s := start(t, changed)
	found, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	if found.Mode().Perm() != 0o666 || found.Sys().(*syscall.Stat_t).Gid != uint32(gid) {
		t.Errorf("%s, group %d", found.Mode(), found.Sys().(*syscall.Stat_t).Gid)
	}

	if os.Getuid() == 0 {
		isForItsUser(t, s, folder, path, option(path))
	}

	// A reload changes it, and takes it away.
	s.writeConfig(option(path))
	s.load(s.source())
	eventually(t, func() error {
		if found, err := os.Lstat(path); err != nil || found.Mode().Perm() != 0o600 {
			return fmt.Errorf("%v %v", found, err)
		}
		return nil
	})
	s.writeConfig(option("off"))
	s.load(s.source())
	eventually(t, func() error {
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("it is still there: %v", err)
		}
		return nil
	})
}

func TestAForkedChildOfAServerKeepsNothingOfTheControlSocket(t *testing.T) {
	t.Parallel()
	s := start(t, controlled())
	status, body := s.get("/fork.php")
	child, err := strconv.Atoi(strings.TrimSpace(body))
	if err != nil || child <= 0 {
		t.Fatalf("%d %s", status, body)
	}
	t.Cleanup(func() { syscall.Kill(child, syscall.SIGKILL) })
	s.cmd.Process.Kill()
	<-s.exited
	wantIn(t, s.eval(`frankenphp_ws_getClientsCount();`), "ControlException", "no server answers")

	next := controlled()
	next.env = []string{"FRANKENPHP_WS_SOCKET=" + s.socket}
	if got := start(t, next).eval(`echo frankenphp_ws_getClientsCount();`); got != "0" {
		t.Errorf("its successor: %s", got)
	}
}

func TestAForkedScriptThrowsInTheChildOnly(t *testing.T) {
	t.Parallel()
	s := start(t, controlled())
	got := s.eval(`
		frankenphp_ws_global_set('who', 'parent');
		$child = pcntl_fork();
		if ($child === 0) {
			try { frankenphp_ws_global_set('who', 'child'); } catch (Throwable $e) { echo $e::class, "\n"; }
			posix_kill(posix_getpid(), SIGKILL);
		}
		pcntl_waitpid($child, $status);
		echo frankenphp_ws_global_get('who');`)
	wantIn(t, got, `FrankenPHP\WebSocket\NotRunningException`, "parent")
}
