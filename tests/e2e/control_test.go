package e2e

import (
	"bufio"
	"encoding/json"
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

func TestABatchReturnsWhatItsCallsReturnedInOrder(t *testing.T) {
	t.Parallel()
	s := start(t, controlled())
	for _, d := range doors(t, s, "/control") {
		t.Run(d.name, func(t *testing.T) {
			a, facts := dialLab(t, s, "/lab", nil)
			batch := func(calls ...[]any) answer {
				t.Helper()
				for i := range calls {
					calls[i] = []any{"frankenphp_ws_" + calls[i][0].(string), calls[i][1:]}
				}
				return d.any(t, "batch", append([][]any{}, calls...))
			}
			megabyte := strings.Repeat("0123456789abcdef", 1<<16)
			got := batch(
				[]any{"send", facts.ID, "first"},
				[]any{"tagClient", facts.ID, "batched"},
				[]any{"getTags", facts.ID}, // asks: behind what was called before
				[]any{"sendToTag", "batched", megabyte},
				[]any{"send", "nobody", "x"},
				[]any{"global_increment", "in a batch", 7},
				[]any{"global_delete", "in a batch"},
				[]any{"global_delete", "in a batch"},
				[]any{"untagClient", facts.ID, "batched"},
			)
			if got.Exception != "" {
				t.Fatalf("%+v", got)
			}
			answer := got.Value.(map[string]any)
			if got, want := fmt.Sprint(answer["results"]), "[true true 1 false 7 true false true]"; got != want {
				t.Errorf("results %s, want %s", got, want)
			}
			if got := fmt.Sprint(answer["returned"].([]any)[2]); got != "[batched]" {
				t.Errorf("getTags in the batch returned %s", got)
			}
			a.want(t, "first")
			a.want(t, megabyte)

			failed := batch(
				[]any{"global_set", "before", "1"},
				[]any{"sendAll", "x", "no such route"},
				[]any{"global_set", "", "no key"},
				[]any{"global_set", "behind", "1"},
			)
			if !strings.HasSuffix(failed.Exception, "UnknownRouteException") {
				t.Errorf("%+v", failed)
			}
			wantIn(t, failed.Message, "call 2 of 4", `no route is named "no such route"`, "1 more failed")
			// A client that is gone is no failure.
			gone := batch([]any{"tagClient", "nobody", "x"}, []any{"close", "nobody"}, []any{"setStoredInformation", "nobody", "k", "v"}, []any{"killConnection", "nobody"},
				[]any{"clearTagClient", "nobody"}, []any{"clearStoredInformation", "nobody"}, []any{"renameConnection", "nobody", "x"}, []any{"untagClient", "nobody", "x"})
			if got, want := fmt.Sprint(gone.Value.(map[string]any)["results"]), "[false false false false false false false false]"; got != want {
				t.Errorf("results %s, want %s", got, want)
			}
			d.want(t, "1", "global_get", "before")
			d.want(t, "1", "global_get", "behind")

			empty := batch()
			if got := fmt.Sprint(empty.Value); got != "map[results:[] returned:[]]" {
				t.Errorf("an empty batch: %s", got)
			}
			thrown := batch([]any{"global_set", "thrown", "yes"}, []any{"no_such_function"})
			if thrown.Exception != "Error" {
				t.Errorf("the callable's own exception: %+v", thrown)
			}
			d.want(t, "yes", "global_get", "thrown")
			nested := d.any(t, "batch", [][]any{{"batch", []any{[]any{}}}})
			wantIn(t, nested.Message, "within another one")
			for _, key := range []string{"before", "behind", "thrown"} {
				d.want(t, true, "global_delete", key)
			}
		})
	}
}

func TestABatchThatTheScriptLeavesByExitIsCarriedOut(t *testing.T) {
	t.Parallel()
	s := start(t, controlled())
	s.eval(`frankenphp_ws_batch(function () { frankenphp_ws_global_set('left', 'by exit'); exit; });`)
	if got := s.eval(`echo frankenphp_ws_global_get('left');`); got != "by exit" {
		t.Error(got)
	}
}

func TestTheCommandLineIsFastOneByOneAndInABatch(t *testing.T) {
	t.Parallel()
	s := start(t, controlled())
	cmd := s.php("testdata/rates.php")
	cmd.Dir = "."
	output, err := cmd.CombinedOutput()
	var rates struct {
		Single, Batch, Memory int
		Calls                 string
	}
	if err != nil || json.Unmarshal(output, &rates) != nil {
		t.Fatalf("%v: %s", err, output)
	}
	t.Logf("%d calls a second one by one, %d in a batch", rates.Single, rates.Batch)
	if rates.Calls != "220100" {
		t.Errorf("%s calls arrived", rates.Calls)
	}
	// Far below what an idle machine does: others work on this one.
	if rates.Single < 2000 || rates.Batch < 10000 {
		t.Error("that is too slow")
	}
	if got := s.stat("control_commands"); got < 220_000 {
		t.Errorf("%d commands counted", got)
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

	// A script of another user, who becomes that before the first call.
	if os.Getuid() == 0 {
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
		s.writeConfig(option(path))
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

func TestABatchIsTheParentsAloneWhateverItsForkedChildDoes(t *testing.T) {
	t.Parallel()
	s := start(t, controlled())
	for name, end := range map[string]string{
		"returns": `return;`,
		"exits":   `exit;`,
		"throws":  `throw new Exception('the child');`,
	} {
		got := s.eval(`
			$child = null;
			try {
				$results = frankenphp_ws_batch(function () use (&$child) {
					frankenphp_ws_global_increment('` + name + `');
					$child = pcntl_fork();
					if ($child === 0) { ` + end + ` }
					pcntl_waitpid($child, $status);
					frankenphp_ws_global_increment('` + name + `');
				});
			} catch (Throwable $e) {
				if ($child !== 0) { throw $e; }
				echo $e::class, "\n";
			}
			if ($child !== 0) { echo json_encode($results), ' ', frankenphp_ws_global_get('` + name + `'); }`)
		if !strings.HasSuffix(got, "[1,2] 2") {
			t.Errorf("the child %s: %s", name, got)
		}
		if name == "returns" {
			wantIn(t, got, `FrankenPHP\WebSocket\NotRunningException`)
		}
	}
}
