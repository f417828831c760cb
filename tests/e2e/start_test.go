package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func startingSite() site {
	return site{
		global: `
	frankenphp {
		worker {
			name start
			file $TESTDATA/start.php
			num 2
		}
	}`,
		body: `
	root $TESTDATA/public
	websocket /start {
		worker start
	}
	php_server {
		worker $TESTDATA/public/site.php 1
	}`,
	}
}

// wantStarted waits until the lines of what has started are these, in any order.
func (s *server) wantStarted(want map[string]int) {
	s.t.Helper()
	eventually(s.t, func() error {
		got := map[string]int{}
		for _, line := range s.lines("started") {
			got[line]++
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			return fmt.Errorf("started:\n%v, want\n%v", got, want)
		}
		return nil
	})
}

func TestScriptsCallTheFunctionsAsSoonAsTheyStart(t *testing.T) {
	t.Parallel()
	const worker, page = `start: ["set",true,true,true,"start"]`, `site: ["set",true,true,true,false]`
	// The apps of a configuration start in an order that is another one each time.
	for range 6 {
		s := start(t, startingSite())
		s.wantStarted(map[string]int{worker: 2, page: 1, "onStart": 2, "of a start": 2, "of the first start": 1})
		s.stop()
	}

	s := start(t, startingSite())
	times := func(n int) map[string]int {
		return map[string]int{worker: 2 * n, page: n, "onStart": 2 * n, "of a start": 2 * n, "of the first start": 1}
	}
	s.wantStarted(times(1))
	for n, restart := range []func(){
		func() { s.load(strings.Replace(s.read("Caddyfile"), "grace_period 5s", "grace_period 4s", 1)) },
		func() {
			if status, answer := s.adminPost("/frankenphp/workers/restart", ""); status != http.StatusOK {
				t.Fatalf("%d %s", status, answer)
			}
		},
		func() {
			if _, answer := s.get("/opcache.php"); answer != "reset" {
				t.Fatal(answer)
			}
		},
	} {
		restart()
		s.wantStarted(times(n + 2))
	}
	if status, answer := s.get("/site.php"); status != http.StatusOK || answer != "set" {
		t.Errorf("the page: %d %q", status, answer)
	}
	c := dial(t, s, "/start", nil)
	c.want(t, `[true,"Asia\/Tokyo"]`)

	// What onStart has set holds for all events.
	for range 3 {
		c.send(t, "zone")
		c.send(t, "which")
		c.want(t, "Asia/Tokyo")
	}
}

func TestANewWorkersTimersOfItsStartComeAfterAReload(t *testing.T) {
	t.Parallel()
	s := start(t, site{body: `
	websocket /core {
		echo
	}`})
	want := startingSite()
	s.writeConfig(want)
	s.load(s.read("Caddyfile"))
	s.wantStarted(map[string]int{
		`start: ["set",true,true,true,"start"]`: 2, `site: ["set",true,true,true,false]`: 1, "onStart": 2, "of a start": 2, "of the first start": 1,
	})
}

func TestAnErrorOfThePackagePointsAtTheLineOfTheApplication(t *testing.T) {
	t.Parallel()
	s := start(t, startingSite())
	c := dial(t, s, "/start", nil)
	c.receive(t)
	for _, command := range []string{"tag", "route"} {
		c.send(t, command)
		where := c.receive(t)
		if !strings.HasPrefix(where, "start.php:") {
			t.Errorf("the error of %q points at %s", command, where)
		}
		eventually(t, func() error {
			if len(s.log.records("PHP failed on a WebSocket event", "/"+where+`\n#0 `, "php/src/Client")) == 0 {
				return fmt.Errorf("no record names %s, with a trace", where)
			}
			return nil
		})
	}
}

// read returns a file of the server's own folder.
func (s *server) read(name string) string {
	s.t.Helper()
	text, err := os.ReadFile(filepath.Join(s.home, name))
	if err != nil {
		s.t.Fatal(err)
	}
	return string(text)
}
