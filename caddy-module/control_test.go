package websocket

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
)

// TestMain keeps the control socket of these tests out of the place where a developer's server has its own.
func TestMain(m *testing.M) {
	os.Exit(func() int {
		folder, err := os.MkdirTemp("", "fws")
		if err != nil {
			panic(err)
		}
		defer os.RemoveAll(folder)
		for variable, value := range map[string]string{"FRANKENPHP_WS_SOCKET": filepath.Join(folder, "ctl.sock"), "XDG_RUNTIME_DIR": folder} {
			if err := os.Setenv(variable, value); err != nil {
				panic(err)
			}
		}

		return m.Run()
	}())
}

// global adapts a Caddyfile with lines in the global block websocket, which begin in line 3, and returns the app's JSON.
func global(t *testing.T, lines string) (any, error) {
	t.Helper()

	config, err := adaptCaddyfile("{\n\twebsocket {\n" + lines + "\n\t}\n}\nhttp://example.com {\n\twebsocket /x {\n\t\techo\n\t}\n}\n")
	if err != nil {
		return nil, err
	}

	return decode(t, config)["apps"].(map[string]any)["websocket"], nil
}

func TestTheOptionControlReachesTheJSON(t *testing.T) {
	for lines, want := range map[string]map[string]any{
		"control off":                      {"off": true},
		"control":                          {},
		"control /run/x/ctl.sock":          {"path": "/run/x/ctl.sock"},
		"control {\nmode 0660\ngroup 0\n}": {"mode": "0660", "group": "0"},
		"control /x {\nmode 666\n}":        {"path": "/x", "mode": "666"},
	} {
		got, err := global(t, lines)
		if err != nil || !reflect.DeepEqual(got, map[string]any{"control": want}) {
			t.Errorf("%s: %v (%v)", lines, got, err)
		}
	}
}

func TestAWrongControlIsRefusedWithItsLine(t *testing.T) {
	for lines, want := range map[string]string{
		"control a b":                          "control takes off or one path",
		"control ctl.sock":                     "the path of the control socket must be absolute",
		"control /" + strings.Repeat("x", 103): "the path of the control socket has 104 bytes",
		"control {\nmode 0678\n}":              "the mode of the control socket",
		"control {\nmode 0060\n}":              "the mode of the control socket",
		"control {\nmode 01660\n}":             "the mode of the control socket",
		"control {\nmode\n}":                   "mode takes one value",
		"control {\ngroup no-such-group\n}":    `there is no group "no-such-group"`,
		"control {\nowner me\n}":               "it knows mode and group",
		"control {\nmode 0600\nmode 0600\n}":   "mode is already set in line 4",
		"control off {\nmode 0600\n}":          "control off has no path, mode or group",
		"control\ncontrol":                     "control is already set",
	} {
		_, err := global(t, lines)
		if text := fmt.Sprint(err); !strings.Contains(text, want) || !strings.Contains(text, "Caddyfile:") {
			t.Errorf("%s: %v, want %s", lines, err, want)
		}
	}

	app := &App{Control: &Control{Mode: "rw"}}
	if err := app.Provision(caddy.Context{}); err == nil {
		t.Error("JSON with a wrong mode was accepted")
	}
}

func TestTheControlSocketIsThereWhileTheConfigurationSaysSo(t *testing.T) {
	socket := os.Getenv("FRANKENPHP_WS_SOCKET")
	http := run(t, site(echo))
	if _, err := os.Lstat(socket); err != nil {
		t.Error(err)
	}
	load(t, strings.Replace(site(echo), "{\n", "{\n\twebsocket {\n\t\tcontrol off\n\t}\n", 1), http)
	if _, err := os.Lstat(socket); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it is still there: %v", err)
	}
}

func TestTheConfigurationFileIsTheOneThatCaddyWasStartedWith(t *testing.T) {
	folder := t.TempDir()
	t.Chdir(folder)
	file := func(arguments ...string) string { return configFile(append([]string{"frankenphp"}, arguments...)) }
	for _, arguments := range [][]string{{}, {"run"}, {"php-server", "--root", "x"}, {"run", "--config"}, {"run", "--resume"}, {"run", "--config", "-"}} {
		if got := file(arguments...); got != "" {
			t.Errorf("%v: %q", arguments, got)
		}
	}
	for _, arguments := range [][]string{
		{"run", "--config", "/x/C"}, {"run", "--config=/x/C", "--watch"}, {"run", "-c", "/x/C"}, {"run", "-c/x/C"},
		{"run", "--adapter", "caddyfile", "--config", "/x/C"}, {"start", "--config", "/x/C"},
	} {
		if got := file(arguments...); got != "/x/C" {
			t.Errorf("%v: %q", arguments, got)
		}
	}
	if err := os.WriteFile("Caddyfile", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := file("run"); got != "Caddyfile" {
		t.Errorf("the one in the working directory: %q", got)
	}

	got := findProject([]string{"frankenphp", "run", "-c", "etc/Caddyfile"}, []string{"app/worker.php", "app/other.php", "/srv/worker.php", ""})
	want := project{folder, filepath.Join(folder, "etc/Caddyfile"), []string{"/srv", filepath.Join(folder, "app")}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
}
