package e2e

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// freePorts returns the first of four ports in a row that nobody listens on.
func freePorts(t *testing.T) int {
	t.Helper()
search:
	for {
		first, err := strconv.Atoi(freePort(t))
		if err != nil {
			t.Fatal(err)
		}
		for port := first + 1; port < first+4; port++ {
			listener, err := net.Listen("tcp", fmt.Sprint(":", port))
			if err != nil {
				continue search
			}
			listener.Close()
		}
		return first
	}
}

// processesWith returns the processes that have a variable in their environment, with what they run.
func processesWith(variable string) (found []string) {
	folders, _ := filepath.Glob("/proc/[0-9]*")
	for _, folder := range folders {
		// A process may end meanwhile.
		environment, _ := os.ReadFile(folder + "/environ")
		if bytes.Contains(append([]byte{0}, environment...), []byte("\x00"+variable+"\x00")) {
			command, _ := os.ReadFile(folder + "/cmdline")
			found = append(found, strings.ReplaceAll(string(command), "\x00", " "))
		}
	}
	return found
}

// asMakeRunStarts skips the test where another binary is tested than `make run` starts.
func asMakeRunStarts(t *testing.T) {
	t.Helper()
	top, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	if built, err := filepath.EvalSymlinks(filepath.Join(top, "build/frankenphp")); err != nil || built != frankenphp(t) {
		t.Skip("another binary is tested than make run starts")
	}
}

// runExample starts tools/run.sh as a terminal does: in a process group that gets Ctrl-C.
func runExample(t *testing.T, name string, env ...string) (*exec.Cmd, *serverLog) {
	t.Helper()
	home, log := t.TempDir(), &serverLog{}
	cmd := exec.Command("../../tools/run.sh", name)
	cmd.Env = append(environment(home), env...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	if err := startLocked(cmd); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		if t.Failed() {
			t.Logf("its output:\n%s", log.tail(200))
		}
	})
	return cmd, log
}

// announce speaks to the two people in a chat by an ordinary request.
func announce(t *testing.T, address string) {
	t.Helper()
	res, err := http.PostForm(address+"/announce.php", url.Values{"text": {"Lunch is ready"}})
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if said, err := io.ReadAll(res.Body); err != nil || string(said) != "Announced to 2.\n" {
		t.Errorf("%v %q", err, said)
	}
}

func TestMakeRunOfTheClusterStartsAllOfItAndCtrlCLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	asMakeRunStarts(t)
	port := freePorts(t)
	mark := fmt.Sprint("E2E_RUN_CLUSTER=", port)
	cmd, log := runExample(t, "cluster", fmt.Sprint("PORT=", port), mark)
	eventually(t, func() error {
		if !log.contains(fmt.Sprint("the chat runs on http://localhost:", port)) {
			return fmt.Errorf("it has not said that it runs")
		}
		return nil
	})
	folder := regexp.MustCompile(`--socket (/tmp/cluster\.\w+)/one`).FindStringSubmatch(log.tail(1000))
	if folder == nil {
		t.Fatal("it does not say how to see all servers")
	}

	chromium, address := browser(t), fmt.Sprint("http://localhost:", port)
	house := &house{servers: make([]*server, 3)}
	alice := house.comes(t, chromium, address, "Alice")
	bob := house.comes(t, chromium, address, "Bob", serverOf(alice))
	say(alice, "Hello from "+serverOf(alice))
	bob.shows("#log", "Hello from "+serverOf(alice))
	announce(t, address)
	bob.shows("#log", "Lunch is ready")
	eventually(t, func() error {
		shown, err := exec.Command(frankenphp(t), "websocket", "nodes", "--socket", folder[1]+"/one").CombinedOutput()
		if err != nil || !strings.Contains(string(shown), "two") || !strings.Contains(string(shown), "three") {
			return fmt.Errorf("%v %s", err, shown)
		}
		return nil
	})
	for _, name := range append([]string{"redis", "balancer"}, serverNames...) {
		if !log.contains(fmt.Sprintf("\n%-8s | ", name)) && !strings.HasPrefix(log.tail(1000), name) {
			t.Errorf("no line of the log is of %s", name)
		}
	}

	if running := processesWith(mark); len(running) < 6 {
		t.Errorf("only these are found: %q", running)
	}
	if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("it ended with %v", err)
	}
	eventually(t, func() error {
		if left := processesWith(mark); len(left) > 0 {
			return fmt.Errorf("left behind: %q", left)
		}
		return nil
	})
	if _, err := os.Stat(folder[1]); !os.IsNotExist(err) {
		t.Errorf("its folder is there: %v", err)
	}
}

func TestMakeRunOfTheClusterSaysWhatIsMissingAndStartsNothing(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	taken := fmt.Sprint(listener.Addr().(*net.TCPAddr).Port)

	// A machine without Redis, and without apt-get, which would bring it.
	tools := t.TempDir()
	for _, tool := range []string{"bash", "dirname", "mkdir"} {
		path, err := exec.LookPath(tool)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(path, filepath.Join(tools, tool)); err != nil {
			t.Fatal(err)
		}
	}
	for want, env := range map[string][]string{
		"something listens on port " + taken + " already": {"PORT=" + taken},
		"missing tools: install":                          {"PATH=" + tools},
	} {
		mark := "E2E_RUN_CLUSTER=without " + taken
		cmd, log := runExample(t, "cluster", append(env, mark)...)
		if err := cmd.Wait(); err == nil || !log.contains(want) {
			t.Errorf("%v, want %q", err, want)
		}
		if left := processesWith(mark); len(left) > 0 {
			t.Errorf("left behind: %q", left)
		}
	}
}
