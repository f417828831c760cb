package e2e

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/coder/websocket"
)

// watchLine is the `watch` of an example's worker, which a build without libwatcher-c refuses; tools/run.sh takes it out too.
var watchLine = regexp.MustCompile(`(?m)^\t*watch\n`)

// canWatch tells what `make build` could do about libwatcher-c on this machine.
func canWatch(t *testing.T) bool {
	t.Helper()
	how, err := os.ReadFile("../../build/lib/watcher")
	if err != nil {
		t.Fatal(err)
	}

	return strings.TrimSpace(string(how)) != "none"
}

const howToRestart = "workers keep the code they started with"

// answering is a worker that answers each message with these words.
func answering(words string) string {
	return fmt.Sprintf(`<?php
while (frankenphp_handle_request(function () {
    while ($event = frankenphp_ws_nextEvent()) {
        if ($event['type'] === 'message') {
            frankenphp_ws_send($event['id'], '%s');
        }
    }
})) {
}`, words)
}

func watched(watch string) site {
	return site{
		global: "\tfrankenphp {\n\t\tworker {\n\t\t\tname app\n\t\t\tfile $DIR/app.php\n\t\t\tnum 2\n" + watch + "\t\t}\n\t}",
		body:   "\twebsocket /app {\n\t\tworker app\n\t}",
		files:  map[string]string{"app.php": answering("old")},
	}
}

// workerSays is what the worker says to a message on the connection.
func workerSays(t *testing.T, c *client) string {
	t.Helper()
	c.send(t, "?")

	return c.receive(t)
}

func TestAnEditedWorkerThatIsWatchedServesTheConnectionsItHad(t *testing.T) {
	t.Parallel()
	want := watched("\t\t\twatch $DIR/**/*.php\n")
	if !canWatch(t) {
		if _, err := tryStart(t, want); err == nil || !strings.Contains(err.Error(), "watcher support is not enabled") {
			t.Errorf("a `watch` that this build cannot heed is not refused: %v", err)
		}

		return
	}

	s := start(t, want)
	c := dial(t, s, "/app", nil)
	if got := workerSays(t, c); got != "old" {
		t.Fatalf("before the edit the worker says %q", got)
	}
	s.writeFile("app.php", answering("new"))
	eventually(t, func() error {
		if got := workerSays(t, c); got != "new" {
			return fmt.Errorf("after the edit the worker says %q", got)
		}

		return nil
	})
	if s.log.contains(howToRestart) {
		t.Error("the log tells how to restart a worker that is watched")
	}
	c.Close(websocket.StatusNormalClosure, "")
}

func TestTheLogTellsHowToRestartAWorkerThatIsNotWatchedAndThatWorks(t *testing.T) {
	t.Parallel()
	s := start(t, watched(""))
	if records := s.log.records(howToRestart, `"app"`, "/frankenphp/workers/restart"); len(records) != 1 {
		t.Fatalf("the log tells %d times how to restart the worker: %q", len(records), records)
	}
	c := dial(t, s, "/app", nil)
	s.writeFile("app.php", answering("new"))
	if got := workerSays(t, c); got != "old" {
		t.Fatalf("before the restart the worker says %q", got)
	}
	if status, body := s.adminPost("/frankenphp/workers/restart", ""); status != 200 {
		t.Fatalf("%d %s", status, body)
	}
	if got := workerSays(t, c); got != "new" {
		t.Errorf("after the restart the worker says %q", got)
	}
	c.Close(websocket.StatusNormalClosure, "")
}
