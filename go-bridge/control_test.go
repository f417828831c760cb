package bridge

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// In this test's second process there is no core: its commands are for the first.
const remoteTest = "FWS_TEST_REMOTE"

func remoteMain() int {
	command := []byte(os.Getenv(remoteTest))
	if _, err := Command(command); !errors.Is(err, ErrNotRunning) {
		fmt.Println("before UseRemote:", err)

		return 1
	}
	UseRemote()
	answer, err := Command(command)
	if err != nil {
		fmt.Println(err)

		return 2
	}
	defer answer.Close()
	if _, err := io.Copy(os.Stdout, answer); err != nil {
		return 3
	}

	return 0
}

// remote carries out a command in another process.
func remote(t *testing.T, socket, command string) string {
	t.Helper()

	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), remoteTest+"="+command, "FRANKENPHP_WS_SOCKET="+socket)
	output, err := cmd.CombinedOutput()
	if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}

	return string(output)
}

func TestAnotherProcessGivesCommandsByTheControlSocket(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	socket := filepath.Join(t.TempDir(), "ctl.sock")
	config := []byte(fmt.Sprintf(`{"path":%q,"mode":384}`, socket))
	if err := errors.Join(ServeControl(config), ServeControl(config)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(StopControl)

	if got := remote(t, socket, `{"add":{"key":"from afar","value":"x"}}`); got != `{"flag":true}` {
		t.Error(got)
	}
	if got := answer(t, `{"delete":{"key":"from afar"}}`); got != `{"flag":true}` {
		t.Error(got)
	}
	if got := remote(t, socket, `{"tag":{"id":"nobody","tag":"x"}}`); got != `{"flag":false}` {
		t.Error(got)
	}

	// Another path: the first is gone.
	other := filepath.Join(t.TempDir(), "ctl.sock")
	if err := ServeControl([]byte(fmt.Sprintf(`{"path":%q}`, other))); err != nil {
		t.Fatal(err)
	}
	if got := remote(t, other, `{"count":{"route":"no such route"}}`); !strings.Contains(got, `no route is named "no such route"`) {
		t.Error(got)
	}
	if got := remote(t, socket, `"routes"`); !strings.Contains(got, "no server answers at "+socket) {
		t.Error(got)
	}

	// Who is off says so where others look for it.
	folder := t.TempDir() + "/"
	t.Setenv("FRANKENPHP_WS_SOCKET", folder)
	if err := ServeControl([]byte(`{"off":true,"project":{"directory":"/srv/app"}}`)); err != nil {
		t.Fatal(err)
	}
	if got := remote(t, folder, `"routes"`); !strings.Contains(got, "control off") || !strings.Contains(got, "started in /srv/app") {
		t.Error(got)
	}

	StopControl()
	StopControl()
	if _, err := os.Stat(other); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the socket is still there: %v", err)
	}
}

func TestAControlSocketThatCannotBeSaysWhy(t *testing.T) {
	for config, want := range map[string]struct {
		result Result
		text   string
	}{
		`{`:                              {ErrConfig, "control"},
		`{"socket":"/x"}`:                {ErrConfig, "unknown field `socket`"},
		`{"path":"/no/such/folder/ctl"}`: {ErrIO, "/no/such/folder/ctl"},
		`{"path":"/x","mode":4095}`:      {ErrIO, "mode"},
	} {
		err := ServeControl([]byte(config))
		if !errors.Is(err, want.result) || !strings.Contains(fmt.Sprint(err), want.text) {
			t.Errorf("%s: %v", config, err)
		}
	}
}
