package websocket

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/dunglas/frankenphp"
	frankenphpcaddy "github.com/dunglas/frankenphp/caddy"
)

func TestAuthorizeRequestsLeaveAQuarterOfTheThreadsToPages(t *testing.T) {
	for threads, want := range map[int]int{0: 1, 1: 1, 2: 2, 3: 2, 4: 3, 5: 4, 6: 5, 8: 6, 16: 12, 100: 75} {
		if got := turnsOf([]int{threads}); got != want {
			t.Errorf("of %d threads: %d, want %d", threads, got, want)
		}
	}
	// Of several groups the smallest counts, but not the single thread beside a worker for the whole site.
	for _, c := range []struct {
		pools []int
		want  int
	}{{[]int{8, 4}, 3}, {[]int{4, 8}, 3}, {[]int{1, 8}, 6}, {[]int{1, 1}, 1}, {[]int{0, 2}, 2}} {
		if got := turnsOf(c.pools); got != c.want {
			t.Errorf("of %v: %d, want %d", c.pools, got, c.want)
		}
	}
}

func TestThreadsThatServePagesAreThoseOfNoWorkerForEvents(t *testing.T) {
	events := map[string]Worker{"chat": {Name: "chat"}}
	double := 2 * runtime.GOMAXPROCS(0)
	for _, c := range []struct {
		php                string
		started, toBeAdded int
		want               []int
	}{
		{"", 8, 0, []int{8}},
		{"worker {\nname chat\nfile chat.php\nnum 2\n}", 8, 0, []int{6}},
		{"worker {\nname chat\nfile chat.php\nnum 2\n}\nworker index.php 4", 16, 0, []int{10, 4}},
		{"worker index.php", double + 1, 0, []int{1, double}},
		{"worker index.php 2\nmax_threads 10", 4, 6, []int{8, 8}},
		{"worker {\nfile index.php\nnum 2\nmax_threads 3\n}", 4, 6, []int{8, 3}},
		{"worker {\nname chat\nfile chat.php\nnum 4\n}", 0, 0, []int{0}}, // PHP is not there
	} {
		php := new(frankenphpcaddy.FrankenPHPApp)
		if err := php.UnmarshalCaddyfile(caddyfile.NewTestDispenser("frankenphp {\n" + c.php + "\n}")); err != nil {
			t.Fatal(err)
		}
		state := frankenphp.FrankenPHPDebugState{ThreadDebugStates: make([]frankenphp.ThreadDebugState, c.started), ReservedThreadCount: c.toBeAdded}
		if got := pagePools(php, events, state); fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("%s with %d threads and %d to be added: %v, want %v", strings.ReplaceAll(c.php, "\n", "; "), c.started, c.toBeAdded, got, c.want)
		}
	}
}

func TestLimitsOfAuthorizeAreThoseConfiguredAndElseTheDocumentedOnes(t *testing.T) {
	for _, c := range []struct {
		limits           *AuthorizeLimits
		running, waiting int
	}{
		{nil, 32, 4096},
		{&AuthorizeLimits{}, 32, 4096},
		{&AuthorizeLimits{MaxRunning: 5}, 5, 4096},
		{&AuthorizeLimits{MaxWaiting: 7}, 32, 7},
	} {
		if running, waiting := c.limits.limits(nil, nil); running != c.running || waiting != c.waiting {
			t.Errorf("%+v: %d and %d", c.limits, running, waiting)
		}
	}
	// With a PHP that is configured and does not run, as here, at least one.
	if running, _ := (*AuthorizeLimits)(nil).limits(new(frankenphpcaddy.FrankenPHPApp), nil); running != 1 {
		t.Error(running)
	}
	for _, wrong := range []*AuthorizeLimits{{MaxRunning: -1}, {MaxWaiting: -1}} {
		if wrong.check() == nil {
			t.Errorf("%+v is accepted", wrong)
		}
	}
}

func TestTroubleIsLoggedByItsKindAndRoute(t *testing.T) {
	var b bursts
	now, logged := time.Unix(1000, 0), 0
	for range 10 {
		for _, of := range []trouble{{"a", "chat"}, {"a", "news"}, {"b", "chat"}} {
			b.of(of).log(now, func(int) { logged++ })
		}
	}
	if logged != 3 {
		t.Errorf("%d records of three kinds of trouble", logged)
	}
}
