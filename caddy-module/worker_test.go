package websocket

import (
	"runtime"
	"strings"
	"testing"

	frankenphpcaddy "github.com/dunglas/frankenphp/caddy"
)

func TestThreadsAreThoseAWorkerCanComeToHave(t *testing.T) {
	cpus := 2 * runtime.GOMAXPROCS(0)

	for _, c := range []struct {
		name                       string
		num, most, appNum, appMost int
		want                       int
	}{
		{"as declared", 3, 0, 0, 0, 3},
		{"FrankenPHP's default", 0, 0, 0, 0, cpus},
		{"a limit of its own", 2, 8, 0, 0, 8},
		{"a share of the app's", 2, 0, 4, 10, 8},
		{"scaling to an unknown number", 2, 0, 0, -1, 4},
		{"an app that does not scale", 2, 0, 4, 4, 4},
	} {
		if got := threads(c.num, c.most, c.appNum, c.appMost); got != c.want {
			t.Errorf("%s: got %d, want %d", c.name, got, c.want)
		}
	}
}

func TestAWorkerIsFoundByNameInTheAppAndNotInsidePHPServer(t *testing.T) {
	_, err := findWorker(nil, "chat")
	if err == nil || !strings.Contains(err.Error(), "has no named worker") {
		t.Errorf("without an app: %v", err)
	}

	_, err = findWorker(new(frankenphpcaddy.FrankenPHPApp), "chat")
	if err == nil || !strings.Contains(err.Error(), "has no named worker") {
		t.Errorf("without workers: %v", err)
	}

	err = unknownWorker("chat", []string{"", "m#chat", "news"})
	if want := `worker "chat" is not declared in the frankenphp app, which has: news`; err.Error() != want {
		t.Errorf("got:  %v\nwant: %s", err, want)
	}
}
