package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// run runs a command of the binary to its end.
func run(t *testing.T, args ...string) (output string, ok bool) {
	t.Helper()
	cmd := exec.CommandContext(within(t, bound), frankenphp(t), args...)
	home := t.TempDir()
	cmd.Env = append(environment(home), "E2E_DIR="+home)
	out, err := cmd.CombinedOutput()
	return string(out), err == nil
}

// caddyfile writes a Caddyfile around a global block and the lines of a site, and returns its path.
func caddyfile(t *testing.T, global, body string) string {
	t.Helper()
	testdata, err := filepath.Abs("testdata")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "Caddyfile")
	source := fmt.Sprintf("{\n\tadmin off\n%s\n}\n\n:%s {\n%s\n}\n", global, freePort(t), body)
	if err := os.WriteFile(path, []byte(strings.ReplaceAll(source, "$TESTDATA", testdata)), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const workerBlock = `
	frankenphp {
		worker {
			name lab
			file $TESTDATA/lab.php
			num 1
		}
	}`

func TestAMistakeInTheCaddyfileIsRefusedWithItsLine(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, global, body string
		says               string // where the line of "# here" is to be told
	}{
		{"an unknown option", workerBlock, "\twebsocket /a {\n\t\tworker lab\n\t\tmax_mesage_size 1KB # here\n\t}", "max_mesage_size"},
		{"a malformed size", workerBlock, "\twebsocket /a {\n\t\tworker lab\n\t\tmax_message_size plenty # here\n\t}", "plenty"},
		{"a malformed number", workerBlock, "\twebsocket /a {\n\t\tworker lab\n\t\tmax_pending_events -3 # here\n\t}", "-3"},
		{"a malformed policy", workerBlock, "\twebsocket /a {\n\t\tworker lab\n\t\ton_error explode # here\n\t}", "explode"},
		{"an option without its value", workerBlock, "\twebsocket /a {\n\t\tworker lab\n\t\tname # here\n\t}", "name"},
		{"an option with too many values", workerBlock, "\twebsocket /a {\n\t\tworker lab other # here\n\t}", "takes one value"},
		{"an option given twice", workerBlock, "\twebsocket /a {\n\t\tworker lab\n\t\tworker lab # here\n\t}", "worker"},
		{"an unknown worker", workerBlock, "\twebsocket /a {\n\t\tworker labb # here\n\t}", "labb"},
		{"a worker without a frankenphp block", "", "\twebsocket /a {\n\t\tworker lab # here\n\t}", "lab"},
		{"neither worker nor echo", workerBlock, "\twebsocket /a { # here\n\t\tname lost\n\t}", "worker"},
		{"an unknown worker of a sub-protocol", workerBlock, "\twebsocket /a {\n\t\tworker lab\n\t\tsubprotocol p {\n\t\t\tworker labb # here\n\t\t}\n\t}", "labb"},
		{"a malformed URI", workerBlock, "\twebsocket /a {\n\t\tworker lab\n\t\tauthorize auth.php # here\n\t}", "auth.php"},
		{"worker and echo", workerBlock, "\twebsocket /a { # here\n\t\tworker lab\n\t\techo\n\t}", "echo"},
		{"a placeholder in a name", "", "\twebsocket /a {\n\t\tname {host} # here\n\t\techo\n\t}", "{http.request.host}"},
		{"a name that is too long", "", "\twebsocket /a {\n\t\tname " + strings.Repeat("n", 256) + " # here\n\t\techo\n\t}", "255 bytes"},
		{"two handlers of one name with different settings", workerBlock, "\twebsocket /a {\n\t\tworker lab\n\t}\n\twebsocket /b { # here\n\t\tworker lab\n\t\tmax_connections 5\n\t}", "lab"},
		{"an unknown option of the app", "\twebsocket {\n\t\tshard 2 # here\n\t}", "\twebsocket /a {\n\t\techo\n\t}", "shard"},
		{"a malformed option of the app", "\twebsocket {\n\t\tshards many # here\n\t}", "\twebsocket /a {\n\t\techo\n\t}", "many"},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := caddyfile(t, test.global, test.body)
			source, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			before, _, _ := strings.Cut(string(source), "# here")
			line := strings.Count(before, "\n") + 1
			output, ok := run(t, "validate", "--config", path, "--adapter", "caddyfile")
			if ok {
				t.Fatalf("it is said to be valid:\n%s", output)
			}
			if !strings.Contains(output, test.says) || !strings.Contains(output, fmt.Sprintf("Caddyfile:%d", line)) {
				t.Errorf("neither %q nor line %d is in:\n%s", test.says, line, output)
			}
		})
	}
}

func TestTwoHandlersOfOneNameWithTheSameSettingsAreOneRoute(t *testing.T) {
	t.Parallel()
	s := start(t, site{body: "\twebsocket /a {\n\t\techo\n\t}\n\twebsocket /b {\n\t\techo\n\t}"})
	for _, path := range []string{"/a", "/b"} {
		c := dial(t, s, path, nil)
		c.send(t, path)
		c.want(t, path)
	}
	expect(t, "connections", 2, func() int { return s.stat("connections") })
	if found := s.log.records("are one route", `"route":"core"`, `"first":"`, `/Caddyfile:`); len(found) != 1 {
		t.Errorf("the log has %d records of it: %s", len(found), found)
	}
}

func TestThatTwoDirectivesAreOneRouteIsToldUnlessBothSaySo(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, body, more, told string
	}{
		{"in one site", "\twebsocket /a {\n\t\tworker lab\n\t}\n\twebsocket /b {\n\t\tworker lab\n\t}", "", `/Caddyfile:14","second":"`},
		{"in two sites", "\twebsocket /a {\n\t\tworker lab\n\t}", "\nhttp://second.example {\n\twebsocket /a {\n\t\tworker lab\n\t}\n}\n", `/Caddyfile:14","second":"`},
		{"one by its name", "\twebsocket /a {\n\t\tname lab\n\t\tworker lab\n\t}\n\twebsocket /b {\n\t\tworker lab\n\t}", "", `"route":"lab"`},
		{"both by their name", "\twebsocket /a {\n\t\tname lab\n\t\tworker lab\n\t}\n\twebsocket /b {\n\t\tname lab\n\t\tworker lab\n\t}", "", ""},
		{"with names of their own", "\twebsocket /a {\n\t\tname a\n\t\tworker lab\n\t}\n\twebsocket /b {\n\t\tworker lab\n\t}", "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := caddyfile(t, workerBlock, test.body)
			source, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, append(source, test.more...), 0o600); err != nil {
				t.Fatal(err)
			}
			output, ok := run(t, "validate", "--config", path, "--adapter", "caddyfile")
			if told := strings.Contains(output, "are one route"); !ok || told != (test.told != "") || !strings.Contains(output, test.told) {
				t.Errorf("valid: %v, told: %v\n%s", ok, told, output)
			}
		})
	}

	t.Run("in JSON", func(t *testing.T) {
		config := filepath.Join(t.TempDir(), "caddy.json")
		handler := `{"handle":[{"handler":"websocket","echo":true}]}`
		if err := os.WriteFile(config, []byte(`{"apps":{"http":{"servers":{"s":{"listen":["127.0.0.1:0"],"routes":[`+handler+`,`+handler+`]}}}}}`), 0o600); err != nil {
			t.Fatal(err)
		}
		if output, ok := run(t, "validate", "--config", config); !ok || !strings.Contains(output, "are one route") {
			t.Errorf("valid: %v\n%s", ok, output)
		}
	})
}

func TestValidateStartsNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := caddyfile(t, workerBlock, "\twebsocket /a {\n\t\tworker lab\n\t}\n\twebsocket /core {\n\t\techo\n\t}")
	cmd := exec.CommandContext(within(t, bound), frankenphp(t), "validate", "--config", path, "--adapter", "caddyfile")
	cmd.Env = append(environment(dir), "E2E_DIR="+dir)
	output, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(output), "Valid configuration") {
		t.Fatalf("%v\n%s", err, output)
	}
	if _, err := os.Stat(filepath.Join(dir, "boots")); err == nil {
		t.Error("validate has run the worker")
	}
}

func TestAdaptGivesTheDocumentedJSONWhichRuns(t *testing.T) {
	t.Parallel()
	path := caddyfile(t, workerBlock+"\n\twebsocket {\n\t\tshards 1\n\t}", `
	websocket /a {
		name all
		worker lab
		origins app.example.org *.example.net
		subprotocols chat.v2 chat.v1
		subprotocol news.v1 {
			worker lab
		}
		subprotocol_required
		authorize /auth?room={query.room} {
			timeout 5s
			copy_response_headers X-Request-Id
		}
		max_message_size 64KiB
		max_outbox 2MB
		max_pending_events 100
		max_connections 1000
		on_error close
	}`)
	output, err := exec.CommandContext(within(t, bound), frankenphp(t), "adapt", "--config", path, "--adapter", "caddyfile").Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	for _, part := range []string{
		`"handler":"websocket"`, `"name":"all"`, `"worker":"lab"`, `"origins":["app.example.org","*.example.net"]`,
		`"subprotocols":["chat.v2","chat.v1"]`,
		`"subprotocol_workers":[{"subprotocol":"news.v1","worker":"lab"}]`, `"subprotocol_required":true`,
		`"authorize":{"copy_response_headers":["X-Request-Id"],"timeout":5000000000,"uri":"/auth?room={http.request.uri.query.room}"}`, `"max_message_size":65536`, `"max_outbox":2000000`, `"max_pending_events":100`,
		`"max_connections":1000`, `"on_error":"close"`, `"websocket":{"shards":1}`,
	} {
		if !strings.Contains(string(output), part) {
			t.Errorf("%s is not in %s", part, output)
		}
	}

	config := filepath.Join(t.TempDir(), "caddy.json")
	if err := os.WriteFile(config, output, 0o600); err != nil {
		t.Fatal(err)
	}
	if output, ok := run(t, "validate", "--config", config); !ok {
		t.Errorf("the JSON is not valid:\n%s", output)
	}
	mistaken := strings.Replace(string(output), `"on_error":"close"`, `"on_error":"explode"`, 1)
	if err := os.WriteFile(config, []byte(mistaken), 0o600); err != nil {
		t.Fatal(err)
	}
	if output, ok := run(t, "validate", "--config", config); ok || !strings.Contains(output, "explode") {
		t.Errorf("valid: %v, though on_error is \"explode\":\n%s", ok, output)
	}
}

func TestTheExamplesAreFormattedAndValid(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../examples/*/Caddyfile")
	if err != nil || len(files) < 2 {
		t.Fatalf("%v, %v", files, err)
	}
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		formatted, err := exec.CommandContext(within(t, bound), frankenphp(t), "fmt", file).Output()
		if err != nil || string(formatted) != string(source) {
			t.Errorf("%s is not as `fmt` writes it (%v):\n%s", file, err, formatted)
		}
		cmd := exec.CommandContext(within(t, bound), frankenphp(t), "validate")
		cmd.Dir = filepath.Dir(file)
		cmd.Env = environment(t.TempDir())
		if output, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", file, err, output)
		}
	}
}

func TestTheStatsAreJSONAndReadOnly(t *testing.T) {
	t.Parallel()
	s := start(t, site{body: "\twebsocket /core {\n\t\techo\n\t}"})
	if got := s.stat("connections"); got != 0 {
		t.Errorf("%d connections", got)
	}
	status, body := s.do(http.MethodPost, "http://"+s.admin+"/websocket/stats", "", nil)
	if status != http.StatusMethodNotAllowed || !json.Valid([]byte(body)) {
		t.Errorf("POST: %d %s", status, body)
	}
}
