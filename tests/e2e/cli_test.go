package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"
	"golang.org/x/sys/unix"
)

// These tests run `frankenphp websocket` as people do.

// ran is what came of a command.
type ran struct {
	stdout, stderr string
	code           int
}

// cli runs `frankenphp websocket` in the server's environment.
func (s *server) cli(stdin string, args ...string) ran {
	s.t.Helper()
	return runCLI(s.t, s.env, stdin, append([]string{"websocket"}, args...)...)
}

func runCLI(t *testing.T, env []string, stdin string, args ...string) ran {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := exec.Command(frankenphp(t), args...)
	cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = env, strings.NewReader(stdin), &stdout, &stderr
	err := cmd.Run()
	if exit := new(exec.ExitError); err != nil && (!errors.As(err, &exit) || !exit.Exited()) {
		t.Fatalf("%v: %v %s", args, err, stderr.String())
	}
	return ran{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

// wantCLI runs a command that must succeed with this output.
func (s *server) wantCLI(want string, args ...string) {
	s.t.Helper()
	if got := s.cli("", args...); got != (ran{stdout: want}) {
		s.t.Errorf("%v: %+v, want %q", args, got, want)
	}
}

// failCLI runs a command that must end with this code and say why.
func (s *server) failCLI(code int, why string, args ...string) {
	s.t.Helper()
	got := s.cli("", args...)
	if got.code != code || !strings.Contains(got.stderr, why) {
		s.t.Errorf("%v: %+v, want code %d and %q", args, got, code, why)
	}
	if strings.Count(got.stderr, why) != 1 || strings.Contains(got.stderr, `"level"`) {
		s.t.Errorf("%v: it is said once, to a person: %q", args, got.stderr)
	}
}

func TestTheCommandLineForPeopleActsOnTheServer(t *testing.T) {
	t.Parallel()
	s := start(t, lab())
	ann, facts := dialLab(t, s, "/lab", nil)
	s.wantCLI("", "rename", "--", facts.ID, "ann")
	bob, facts := dialLab(t, s, "/strict", nil)
	s.wantCLI("", "rename", "--", facts.ID, "-bob")

	cliListsAndTags(t, s)
	cliSends(t, s, ann, bob)
	cliTellsOfAClient(t, s)
	cliKeepsValues(t, s)
	cliTellsOfTheServer(t, s)
	cliEndsConnections(t, s, ann, bob)
}

// cliListsAndTags and the functions behind it are the parts of the test above: each goes on where the one before it has ended.
func cliListsAndTags(t *testing.T, s *server) {
	t.Helper()
	s.wantCLI("ann\n", "list", "--route", "lab")
	s.wantCLI("2\n", "list", "--count")
	if got := runCLI(t, environment(s.home), "", "websocket", "--socket", s.socket, "list", "--count"); got != (ran{stdout: "2\n"}) {
		t.Errorf("--socket: %+v", got)
	}
	s.wantCLI("{\"names\":[\"ann\"]}\n", "list", "--route", "lab", "--json")
	s.wantCLI("", "tag", "ann", "vip", "lyon")
	s.wantCLI("", "tag", "--", "-bob", "vip")
	s.wantCLI("lyon\nvip\n", "tags", "ann")
	s.wantCLI("lyon\nvip\n", "tags")
	s.wantCLI("-bob\n", "list", "--expr", "vip&!lyon")
	s.wantCLI("ann\n", "list", "--tag", "lyon")
	s.failCLI(3, "no client has this id", "tag", "nobody", "vip")
	s.failCLI(1, "byte 4", "list", "--expr", "vip&")
}

func cliSends(t *testing.T, s *server, ann, bob *client) {
	t.Helper()
	s.wantCLI("queued\n", "send", "ann", "to ann")
	ann.want(t, "to ann")
	s.wantCLI("queued for 1 client\n", "send", "--tag", "vip", "--except", "ann", "to bob")
	bob.want(t, "to bob")
	s.wantCLI("{\"queued\":1}\n", "send", "--expr", "vip", "--route", "lab", "to the lab", "--json")
	ann.want(t, "to the lab")
	s.wantCLI("queued for 2 clients\n", "send", "--all", "--", "-to all-")
	ann.want(t, "-to all-")
	bob.want(t, "-to all-")
	s.failCLI(3, "no client has this id", "send", "nobody", "hi")
	s.failCLI(3, "not on that route", "send", "ann", "hi", "--route", "strict")
}

func cliTellsOfAClient(t *testing.T, s *server) {
	t.Helper()
	s.wantCLI("no pong yet\n", "ping", "ann")
	s.wantCLI("", "ping", "ann", "1h")
	s.failCLI(1, "every 100 milliseconds", "ping", "ann", "1ms")
	s.failCLI(3, "no client", "ping", "nobody", "off")

	s.wantCLI(`{"flag":true}`+"\n", "command", `{"set_information":{"id":"ann","key":"city","value":"Ly\u001bon"}}`)
	info := s.cli("", "info", "ann")
	for _, want := range []string{`(?m)^id +ann$`, `(?m)^route +lab$`, `(?m)^path +/lab`, `(?m)^ip +127\.0\.0\.1$`, `(?m)^messages sent +4$`, `(?m)^tags +lyon, vip$`, `(?m)^information city +"Ly\\x1bon"$`, `(?m)^connected at +\d{4}-\d\d-\d\dT`} {
		if !regexp.MustCompile(want).MatchString(info.stdout) {
			t.Errorf("there is no %s in\n%s%s", want, info.stdout, info.stderr)
		}
	}
	lines := strings.Split(s.cli("", "info", "ann", "--json").stdout, "\n")
	if len(lines) != 3 || !strings.HasPrefix(lines[0], `{"client":{"id":"ann",`) || lines[1] != `{"pairs":{"city":"Ly\u001bon"}}` {
		t.Errorf("info --json: %q", lines)
	}
	s.failCLI(3, "no client has this id", "info", "nobody")
	s.failCLI(2, "unknown variant", "command", `{"sing":{}}`)
}

func cliKeepsValues(t *testing.T, s *server) {
	t.Helper()
	s.failCLI(3, "no value", "kv", "get", "k")
	s.wantCLI("", "kv", "set", "k", "v", "--expire", "3600")
	s.wantCLI("v", "kv", "get", "k")
	if got := s.cli("", "kv", "ttl", "k"); !regexp.MustCompile(`^(1h0m0s|59m\d\d(\.\d+)?s)\n$`).MatchString(got.stdout) {
		t.Errorf("kv ttl: %+v", got)
	}
	s.failCLI(5, "has a value already", "kv", "add", "k", "w")
	s.wantCLI("", "kv", "del", "k")
	s.failCLI(3, "no value", "kv", "del", "k")
	s.wantCLI("", "kv", "add", "k", "w")
	s.wantCLI("never\n", "kv", "ttl", "k")
	s.wantCLI("-5\n", "kv", "incr", "count", "--by", "-5")
	s.failCLI(1, "not an integer", "kv", "incr", "k")
}

func cliTellsOfTheServer(t *testing.T, s *server) {
	t.Helper()
	s.wantCLI("ROUTE   CONNECTIONS  WORKER\nlab     1            lab\nstrict  1            lab\ncore    0            -\n", "routes")
	if got := s.cli("", "stats"); !regexp.MustCompile(`(?m)^connections +2$`).MatchString(got.stdout) || got.code != 0 {
		t.Errorf("stats: %+v", got)
	}
	var stats struct{ Stats map[string]any }
	if got := s.cli("", "stats", "--json"); json.Unmarshal([]byte(got.stdout), &stats) != nil || stats.Stats["connections"] != 2.0 {
		t.Errorf("stats --json: %+v", got)
	}
	if got := s.cli("", "top", "--interval", "100ms"); got.code != 0 || strings.Contains(got.stdout, "\x1b") || !regexp.MustCompile(`(?m)^connections +2 `).MatchString(got.stdout) {
		t.Errorf("top into a pipe: %+v", got)
	}
}

func cliEndsConnections(t *testing.T, s *server, ann, bob *client) {
	t.Helper()
	s.wantCLI("", "untag", "ann", "lyon")
	s.wantCLI("vip\n", "tags", "ann")
	s.wantCLI("", "untag", "--all", "--", "-bob")
	s.wantCLI("", "tags", "--", "-bob")
	s.failCLI(5, "another client has this id", "rename", "--", "ann", "-bob")
	s.failCLI(3, "no client has this id", "rename", "nobody", "x")
	s.failCLI(1, "close code", "close", "ann", "--code", "1005")
	s.wantCLI("", "close", "ann", "--code", "4001", "--reason", "time to go")
	if reason := ann.wantClose(t, 4001); reason != "time to go" {
		t.Errorf("closed with %q", reason)
	}
	s.wantCLI("", "kill", "--", "-bob")
	if _, _, err := bob.tryReceive(); websocket.CloseStatus(err) != -1 {
		t.Errorf("kill said goodbye: %v", err)
	}
	s.failCLI(3, "no client has this id", "kill", "nobody")
	s.failCLI(2, "unknown flag", "list", "--all")
}

func TestAMegabyteWithNULBytesGoesThroughTheCommandLineAsItIs(t *testing.T) {
	t.Parallel()
	s := start(t, lab())
	c, facts := dialLab(t, s, "/lab", nil)
	megabyte := strings.Repeat("0123456789abc\x00\xff\n", 1<<16)

	if got := s.cli(megabyte, "send", "--binary", "--", facts.ID, "-"); got != (ran{stdout: "queued\n"}) {
		t.Fatalf("%.300v", got)
	}
	if kind, message, err := c.tryReceive(); kind != websocket.MessageBinary || message != megabyte {
		t.Errorf("received %v, %d bytes, %v", kind, len(message), err)
	}
	if got := s.cli(megabyte, "send", "--", facts.ID); got.code != 1 || !strings.Contains(got.stderr, "must be UTF-8") {
		t.Errorf("as a text: %.300v", got)
	}
	if got := s.cli(megabyte, "kv", "set", "key\nand more"); got != (ran{}) {
		t.Fatalf("%.300v", got)
	}
	if got := s.cli("", "kv", "get", "key\nand more"); got != (ran{stdout: megabyte}) {
		t.Errorf("%d bytes, %v, %s", len(got.stdout), got.code, got.stderr)
	}
}

func TestTheCommandLineWithoutAServerSaysSoSoon(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	env := append(environment(folder), "FRANKENPHP_WS_SOCKET="+filepath.Join(folder, "none"))
	listener, err := net.Listen("unix", filepath.Join(shortFolder(t), "silent"))
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()

	for _, args := range [][]string{{"list"}, {"stats", "--json"}, {"top"}, {"kv", "get", "k"}, {"list", "--socket", listener.Addr().String()}} {
		got := runCLI(t, env, "", append([]string{"websocket"}, args...)...)
		path := filepath.Join(folder, "none")
		if slices.Contains(args, "--socket") {
			path = listener.Addr().String()
		}
		if got.code != 4 || got.stdout != "" || !strings.HasPrefix(got.stderr, "Error: ") || !strings.Contains(got.stderr, path) {
			t.Errorf("%v: %+v", args, got)
		}
	}
	wantIn(t, runCLI(t, env, "", "websocket", "list").stderr, "which FRANKENPHP_WS_SOCKET names")
	named := runCLI(t, env, "", "websocket", "list", "--socket", filepath.Join(folder, "absent"))
	if !strings.Contains(named.stderr, "absent") || !strings.Contains(named.stderr, ", which --socket names") {
		t.Errorf("--socket: %+v", named)
	}
}

func TestShellsCompleteIdsTagsAndRoutesOfTheServer(t *testing.T) {
	t.Parallel()
	s := start(t, lab())
	_, facts := dialLab(t, s, "/lab", nil)
	s.wantCLI("", "rename", "--", facts.ID, "ann@lyon.1")
	s.wantCLI("", "tag", "ann@lyon.1", "vip")
	// Shells carry out what they find in words: these are not offered.
	s.wantCLI("", "tag", "ann@lyon.1", "$(touch here)")
	s.wantCLI("", "tag", "ann@lyon.1", "two words")
	for _, c := range [][]string{
		{"ann@lyon.1\n", "info", ""},
		{"", "info", "b"},
		{"vip\n", "send", "--tag", ""},
		{"core\nlab\nstrict\n", "list", "--route", ""},
		{"vip\n", "untag", "ann@lyon.1", ""},
	} {
		got := runCLI(t, s.env, "", append([]string{"__complete", "websocket"}, c[1:]...)...)
		if got.code != 0 || got.stdout != c[0]+":4\n" {
			t.Errorf("%v: %+v", c[1:], got)
		}
	}
	if got := runCLI(t, s.env, "", "__complete", "websocket", "k"); !strings.Contains(got.stdout, "kill\t") || !strings.Contains(got.stdout, "kv\t") {
		t.Errorf("commands: %+v", got)
	}
	if got := runCLI(t, s.env, "", "completion", "bash"); !strings.Contains(got.stdout, "__start_frankenphp frankenphp") {
		t.Errorf("the completion script is not for frankenphp: %.300s", got.stdout)
	}
}

// terminal opens a pseudo-terminal: what a person sees, and what the program writes to.
func terminal(t *testing.T) (person, program *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no terminals here: %v", err)
	}
	t.Cleanup(func() { person.Close() })
	fd := int(person.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { program.Close() })
	if err := unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 8, Col: 40}); err != nil {
		t.Fatal(err)
	}
	return person, program
}

// readTop reads what top draws until it gives the terminal back. drawn is closed once there were three pictures; seen is all of it.
func readTop(person *os.File) (drawn <-chan struct{}, seen <-chan string) {
	// Somebody has to read, or the program would wait.
	threeTimes, all := make(chan struct{}), make(chan string, 1)
	go func() {
		drawn := threeTimes
		var read bytes.Buffer
		buffer := make([]byte, 4096)
		for {
			n, err := person.Read(buffer)
			read.Write(buffer[:n])
			if drawn != nil && bytes.Count(read.Bytes(), []byte("connections")) >= 3 {
				close(drawn)
				drawn = nil
			}
			if err != nil || bytes.HasSuffix(read.Bytes(), []byte("\x1b[?1049l")) {
				all <- read.String()
				return
			}
		}
	}()

	return threeTimes, all
}

// wantScreen looks whether the screen is put back, and whether all pictures have fitted it.
func wantScreen(t *testing.T, screen string) {
	t.Helper()
	if !strings.HasPrefix(screen, "\x1b[?1049h\x1b[?25l\x1b[Hfrankenphp-ws") || !strings.HasSuffix(screen, "\x1b[?25h\x1b[?1049l") {
		t.Errorf("the screen is not put back: %.100q … %q", screen, screen[max(0, len(screen)-40):])
	}
	for _, frame := range strings.Split(screen, "\x1b[H")[1:] {
		if lines := strings.Split(strings.Split(frame, "\x1b[J")[0], "\r\n"); len(lines) > 8 || len([]rune(strings.TrimSuffix(lines[2], "\x1b[K"))) > 40 {
			t.Errorf("it does not fit 8 lines of 40: %q", frame)
		}
	}
}

func TestTopLeavesTheTerminalAsItWas(t *testing.T) {
	t.Parallel()
	s := start(t, lab())
	dialLab(t, s, "/lab", nil)
	for name, end := range map[string]string{"Ctrl-C": "\x03", "SIGTERM": ""} {
		t.Run(name, func(t *testing.T) {
			person, program := terminal(t)
			before, err := unix.IoctlGetTermios(int(program.Fd()), unix.TCGETS)
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(frankenphp(t), "websocket", "top", "--interval", "100ms")
			cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = s.env, program, program, program
			cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			timer := time.AfterFunc(bound, func() { cmd.Process.Kill() })
			defer timer.Stop()

			drawn, seen := readTop(person)
			select {
			case <-drawn:
			case <-time.After(bound):
				t.Fatal("nothing was drawn three times")
			}
			if end == "" {
				if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
					t.Fatal(err)
				}
			} else if _, err := person.WriteString(end); err != nil {
				t.Fatal(err)
			}
			if err := cmd.Wait(); err != nil {
				t.Errorf("top ended with %v", err)
			}

			var screen string
			select {
			case screen = <-seen:
			case <-time.After(bound):
				t.Fatal("the terminal was not given back")
			}
			wantScreen(t, screen)
			after, err := unix.IoctlGetTermios(int(program.Fd()), unix.TCGETS)
			if err != nil || *after != *before {
				t.Errorf("the terminal's modes are %v, were %v (%v)", after, before, err)
			}
		})
	}
}
