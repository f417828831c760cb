package e2e

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/coder/websocket"
)

// A load is many clients that send numbered messages through PHP and count every reply.
type load struct {
	clients  []*client
	stopping atomic.Bool
	replies  atomic.Int64
	all      sync.WaitGroup
}

// startLoad connects the clients, each with a few messages under way at any time.
func startLoad(t *testing.T, s *server, clients int) *load {
	t.Helper()
	l := &load{}
	for range clients {
		c := dial(t, s, "/lab", nil)
		l.clients = append(l.clients, c)
		window := make(chan struct{}, 4)
		sent := make(chan int, 1) // how many, once there will be no more
		l.all.Go(func() {
			n := 0
			for ; !l.stopping.Load(); n++ {
				window <- struct{}{}
				if err := c.trySend(websocket.MessageText, fmt.Sprint(n)); err != nil {
					t.Errorf("sending message %d: %v", n, err)
					break
				}
			}
			sent <- n
			close(window)
		})
		l.all.Go(func() {
			for n := 0; ; n++ {
				// Each message that was sent has put a token into the window.
				if _, ok := <-window; !ok {
					if total := <-sent; n != total {
						t.Errorf("%d replies to %d messages", n, total)
					}
					return
				}
				if _, got, err := c.tryReceive(); err != nil || got != fmt.Sprint(n) {
					t.Errorf("reply %d: %q (%v)", n, got, err)
					l.stopping.Store(true)
					// Let the sender end.
					for range window {
					}
					return
				}
				l.replies.Add(1)
			}
		})
	}
	return l
}

// flows waits until replies have come that are newer than this call.
func (l *load) flows(t *testing.T) {
	t.Helper()
	want := l.replies.Load() + int64(4*len(l.clients)) + 1
	eventually(t, func() error {
		if now := l.replies.Load(); now < want {
			return fmt.Errorf("%d replies, want %d", now, want)
		}
		return nil
	})
}

// stop lets every client have its last reply.
func (l *load) stop() {
	l.stopping.Store(true)
	l.all.Wait()
}

// generation changes the site so that a visitor can see which configuration answers.
func generation(want site, n int) site {
	want.body = fmt.Sprintf("\theader X-Generation %d\n%s", n, want.body)
	return want
}

func (s *server) source() string {
	s.t.Helper()
	text, err := os.ReadFile(s.config)
	if err != nil {
		s.t.Fatal(err)
	}
	return string(text)
}

// serves waits until the generation answers.
func (s *server) serves(n int) {
	s.t.Helper()
	eventually(s.t, func() error {
		res, err := s.client.Get(s.url("/hello.php"))
		if err != nil {
			return err
		}
		res.Body.Close()
		if got := res.Header.Get("X-Generation"); got != fmt.Sprint(n) {
			return fmt.Errorf("generation %q answers, want %d", got, n)
		}
		return nil
	})
}

// A restart is a way to make PHP start again; it returns when that has happened.
type restart struct {
	name string
	do   func(t *testing.T, s *server, n int)
}

var restarts = []restart{
	{"SIGUSR1", func(t *testing.T, s *server, n int) {
		s.writeConfig(generation(lab(), n))
		s.signal(syscall.SIGUSR1)
		s.serves(n)
	}},
	{"frankenphp reload", func(t *testing.T, s *server, n int) {
		s.writeConfig(generation(lab(), n))
		cmd := exec.CommandContext(within(t, bound), frankenphp(t), "reload", "--config", s.config, "--adapter", "caddyfile", "--address", s.admin)
		cmd.Env = s.env
		if output, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("reload: %v\n%s", err, output)
		}
		s.serves(n)
	}},
	{"POST /load with a changed configuration", func(t *testing.T, s *server, n int) {
		s.writeConfig(generation(lab(), n))
		s.load(s.source())
		s.serves(n)
	}},
	{"POST /load with the same configuration", func(t *testing.T, s *server, n int) {
		boots := len(s.lines("boots"))
		s.load(s.source())
		s.rebooted(boots)
	}},
	{"POST /frankenphp/workers/restart", func(t *testing.T, s *server, n int) {
		boots := len(s.lines("boots"))
		if status, answer := s.adminPost("/frankenphp/workers/restart", ""); status != http.StatusOK {
			t.Fatalf("%d %s", status, answer)
		}
		s.rebooted(boots)
	}},
	{"opcache_reset()", func(t *testing.T, s *server, n int) {
		boots := len(s.lines("boots"))
		if status, body := s.get("/opcache.php"); status != http.StatusOK || body != "reset" {
			t.Fatalf("opcache_reset: %d %q", status, body)
		}
		s.rebooted(boots)
	}},
}

// rebooted waits until both threads of the worker have run its script again.
func (s *server) rebooted(before int) {
	s.t.Helper()
	eventually(s.t, func() error {
		if boots := len(s.lines("boots")) - before; boots < 2 {
			return fmt.Errorf("%d threads of the worker have started again, want 2", boots)
		}
		return nil
	})
}

// functionsExist checks that PHP still has the functions, in an ordinary request and in the worker.
func (s *server) functionsExist(connections int) {
	s.t.Helper()
	status, body := s.post("/call.php", "application/json", `{"call":"frankenphp_ws_getClientsCount","args":["lab"]}`)
	if want := fmt.Sprintf(`{"value":%d}`, connections); status != http.StatusOK || body != want {
		s.t.Fatalf("getClientsCount: %d %s, want %s", status, body, want)
	}
	c := dial(s.t, s, "/strict", nil)
	defer c.CloseNow()
	c.send(s.t, `call {"call":"frankenphp_ws_getTags","args":[]}`)
	c.want(s.t, `{"value":[]}`)
}

func TestReloadsUnderLoadLoseNoMessageCloseNobodyAndLeakNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("twenty reloads take half a minute")
	}
	t.Parallel()
	s := start(t, lab())
	const clients = 50
	l := startLoad(t, s, clients)
	l.flows(t)

	var second resources
	n := 0
	for round := range 20 {
		way := restarts[round%len(restarts)]
		// POST /load makes Caddy forget the file that SIGUSR1 would load again.
		if way.name == "SIGUSR1" && round > 0 {
			way = restarts[1]
		}
		n++
		way.do(t, s, n)
		l.flows(t)
		if t.Failed() {
			t.Fatalf("after %s, the restart number %d", way.name, round+1)
		}
		s.functionsExist(clients)
		if round == 1 {
			second = s.resources()
		}
	}
	// Things that end by themselves, such as idle connections of the admin endpoint, are given the time to.
	eventually(t, func() error {
		now := s.resources()
		if now.goroutines > second.goroutines+10 || now.threads > second.threads+3 || now.fds > second.fds+5 {
			return fmt.Errorf("after twenty restarts %+v, after the second %+v", now, second)
		}
		return nil
	})

	l.stop()
	t.Logf("%d messages went through PHP during the restarts", l.replies.Load())
	expect(t, "connections of the load", clients, func() int { return s.stat("connections") })
	if _, _, failed, dropped := s.settled(); failed != 0 || dropped != 0 {
		t.Errorf("%d events failed and %d were dropped", failed, dropped)
	}
	seen := map[string]bool{}
	for _, e := range s.events("") {
		if e.Type == "message" && !strings.HasPrefix(e.Data, "call ") {
			key := e.ID + " " + e.Data
			if seen[key] {
				t.Fatalf("PHP was given message %s of %s twice", e.Data, e.ID)
			}
			seen[key] = true
		}
	}
}

func TestTheFunctionsExistAfterEveryKindOfRestart(t *testing.T) {
	t.Parallel()
	s := start(t, lab())
	c := dial(t, s, "/lab", nil)
	for n, way := range restarts {
		way.do(t, s, n+1)
		c.send(t, way.name)
		c.want(t, way.name)
		s.functionsExist(1)
	}
}

func TestTimersSurviveAReloadAndGoWithTheirWorker(t *testing.T) {
	want := lab()
	s := start(t, generation(want, 1))
	set := func(ms int, payload string) {
		t.Helper()
		request := fmt.Sprintf(`{"call":"frankenphp_ws_setTimer","args":[%d,%q,true,"lab"]}`, ms, payload)
		if status, body := s.post("/call.php", "application/json", request); status != http.StatusOK || !strings.Contains(body, `"value"`) {
			t.Fatalf("%d %s", status, body)
		}
	}
	told := func() (times int) {
		for _, e := range s.events("") {
			if e.Type == "timer" && e.Payload == "beat" {
				times++
			}
		}
		return times
	}
	set(50, "beat")
	set(3_600_000, "later")
	s.writeConfig(generation(want, 2))
	s.load(s.source())
	s.serves(2)
	before := told()
	eventually(t, func() error {
		if after := told(); after < before+3 {
			return fmt.Errorf("told %d times after the reload", after-before)
		}
		return nil
	})
	expect(t, "timers", 2, func() int { return s.stat("timers") })
	s.load(strings.ReplaceAll(s.source(), "worker lab", "echo"))
	expect(t, "timers", 0, func() int { return s.stat("timers") })
	expect(t, "timers dropped", 2, func() int { return s.stat("timers_dropped") })
}

func TestATimerWithANameIsThereOnceAndAgainWhenItsWorkerHasLeftAndComeBack(t *testing.T) {
	t.Parallel()
	want := site{
		global: `
	frankenphp {
		worker {
			name clock
			file $TESTDATA/clock.php
			num 3
		}
	}`,
		body: `
	websocket /clock {
		worker clock
	}`,
	}
	s := start(t, want)
	ticks := func() int { return len(s.events("")) }
	runs := func(what string) {
		t.Helper()
		before := ticks()
		eventually(t, func() error {
			if now := ticks(); now < before+3 {
				return fmt.Errorf("%s: %d ticks", what, now-before)
			}
			return nil
		})
		if timers := s.stat("timers"); timers != 1 {
			t.Errorf("%s: %d timers", what, timers)
		}
	}
	runs("at first")
	with := s.source()
	s.load(with + "\n# another one\n")
	runs("after a reload")
	s.writeConfig(site{body: strings.ReplaceAll(want.body, "worker clock", "echo")})
	s.load(s.source())
	expect(t, "timers without the worker", 0, func() int { return s.stat("timers") })
	s.load(with)
	runs("after the worker came back")
}

func TestARouteThatAReloadRemovesClosesItsConnectionsWith1001AndNoOthers(t *testing.T) {
	t.Parallel()
	s := start(t, lab())
	stays, _ := dialLab(t, s, "/lab", nil)
	core := dial(t, s, "/core", nil)
	goes, facts := dialLab(t, s, "/strict", nil)

	without := lab()
	before, rest, _ := strings.Cut(without.body, "websocket /strict {")
	_, after, _ := strings.Cut(rest, "}")
	without.body = before + after
	s.writeConfig(without)
	s.load(s.source())

	goes.wantClose(t, websocket.StatusGoingAway)
	stays.send(t, "still here")
	stays.want(t, "still here")
	core.send(t, "still here")
	core.want(t, "still here")
	if _, err := tryDial(s, "/strict", nil); err == nil {
		t.Error("the removed route still accepts connections")
	}
	if got := s.closeEvent(facts.ID); got.Code != 1001 {
		t.Errorf("PHP was told %+v", got)
	}
}

func TestAReloadThatIsRefusedChangesNothing(t *testing.T) {
	t.Parallel()
	s := start(t, lab())
	c := dial(t, s, "/lab", nil)
	mistaken := strings.Replace(s.source(), "on_error close", "on_error explode", 1)
	if _, failure := s.adapt(mistaken); !strings.Contains(failure, "explode") {
		t.Errorf("a mistake in the Caddyfile: %q", failure)
	}
	config, failure := s.adapt(s.source())
	if failure != "" {
		t.Fatal(failure)
	}
	mistaken = strings.Replace(config, `"on_error":"close"`, `"on_error":"explode"`, 1)
	if status, answer := s.adminPost("/load", mistaken); status == http.StatusOK || !strings.Contains(answer, "explode") {
		t.Errorf("a mistake in the JSON: %d %s", status, answer)
	}
	c.send(t, "still here")
	c.want(t, "still here")
	// A port that is taken is noticed late: when the new apps have begun to start.
	port, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer port.Close()
	taken, failure := s.adapt(s.source() + fmt.Sprintf("\n:%d {\n\trespond hello\n}\n", port.Addr().(*net.TCPAddr).Port))
	if failure != "" {
		t.Fatal(failure)
	}
	if status, answer := s.adminPost("/load", taken); status == http.StatusOK {
		t.Errorf("a port that is taken: %d %s", status, answer)
	}
	c.send(t, "even now")
	c.want(t, "even now")
	dial(t, s, "/lab", nil)
}

func TestAWorkerThatDoesNotStartAfterAReloadLosesNoConnection(t *testing.T) {
	t.Parallel()
	s := start(t, site{
		global: "\n\tfrankenphp {\n\t\tworker {\n\t\t\tname lab\n\t\t\tfile $DIR/worker.php\n\t\t\tnum 1\n\t\t\tmax_consecutive_failures 1\n\t\t}\n\t}",
		body:   "\n\twebsocket /lab {\n\t\tworker lab\n\t}\n\twebsocket /core {\n\t\techo\n\t}",
		files:  map[string]string{"worker.php": "<?php require '$TESTDATA/lab.php';"},
	})
	lab, core := dial(t, s, "/lab", nil), dial(t, s, "/core", nil)
	lab.send(t, "before")
	lab.want(t, "before")

	s.writeFile("worker.php", "<?php this does not parse")
	config, failure := s.adapt(s.source())
	if failure != "" {
		t.Fatal(failure)
	}
	if status, answer := s.adminPost("/load", config); status == http.StatusOK {
		t.Errorf("the reload with a broken worker was accepted: %s", answer)
	}
	core.send(t, "the core needs no PHP")
	core.want(t, "the core needs no PHP")
	lab.send(t, "while PHP is gone")
	if r := request(t, s.addr, upgradeRequest(s.addr, "/lab")); r.response.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("a handshake while PHP is gone: %s", r.response.Status)
	}

	s.writeFile("worker.php", "<?php require '$TESTDATA/lab.php';")
	s.load(s.source())
	lab.want(t, "while PHP is gone")
}
