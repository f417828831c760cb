package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/coder/websocket"
)

// registrar notes what it is told of each client, in the global values: the messages, which count up from 0, and the other events. It
// answers with what it was told of the client.
const registrar = `<?php
require '$TESTDATA/../../../php/autoload.php';
use FrankenPHP\WebSocket\{Connection, ResumeApplication};
final class Registrar implements ResumeApplication {
	public function onOpen(Connection $c): void { $c->tag('everybody'); $c->setUser('user'); $this->note($c, "open[$c->query]"); }
	public function onMessage(Connection $c, string $data, bool $binary): void {
		if ($data === 'told') { $c->send((string) frankenphp_ws_global_get("told $c->id")); return; }
		$n = frankenphp_ws_global_increment("next $c->id") - 1;
		if ((string) $n !== $data) { $this->note($c, "got $data instead of $n"); }
	}
	public function onClose(Connection $c, int $code, string $reason): void { $this->note($c, "close $code"); }
	public function onError(Connection $c, Throwable $error): void { $this->note($c, $error->getMessage()); }
	public function onSuspend(Connection $c): void { $this->note($c, 'suspend'); }
	public function onResume(Connection $c): void { $this->note($c, "resume[$c->query]"); }
	private function note(Connection $c, string $what): void {
		frankenphp_ws_global_set("told $c->id", frankenphp_ws_global_get("told $c->id") . " $what");
	}
}
FrankenPHP\WebSocket\Server::run(new Registrar());`

func withResume(t *testing.T) site {
	t.Helper()
	socket, err := os.ReadFile("../../examples/chat/public/resuming-socket.js")
	if err != nil {
		t.Fatal(err)
	}
	return site{
		global: "\tfrankenphp {\n\t\tworker {\n\t\t\tname registrar\n\t\t\tfile $DIR/registrar.php\n\t\t\tnum 2\n\t\t}\n\t}",
		body: `
	websocket /ws {
		worker registrar
		compression
		resume 1h
		ping_interval 1s
		pong_timeout 2s
	}
	handle /guarded {
		websocket {
			name guarded
			worker registrar
			resume 1h
			authorize /authorize.php?{query}
		}
	}
	root $DIR
	php_server`,
		files: map[string]string{
			"registrar.php":      registrar,
			"resuming-socket.js": string(socket),
			"call.php":           `<?php echo json_encode($_GET['f'](...json_decode($_GET['a'], true)));`,
			"authorize.php": `<?php
header('WebSocket-User: ' . ($_GET['user'] ?? ''));
header('WebSocket-Authorize: accept');`,
			"index.html": `<!doctype html><script src="resuming-socket.js"></script><script>
const got = [], states = [];
let sessions = 0, sent = 0;
const socket = new ResumingSocket('ws');
socket.onsession = () => sessions++;
socket.onstate = (online) => states.push(online);
socket.onmessage = (data) => got.push(data);
setInterval(() => { if (sessions > 0) socket.send(String(sent++)); }, 10);
</script>`,
		},
	}
}

// call calls a function in a web request.
func (s *server) call(t *testing.T, function string, args ...any) string {
	t.Helper()
	list, err := json.Marshal(append([]any{}, args...))
	if err != nil {
		t.Fatal(err)
	}
	status, body := s.get("/call.php?f=frankenphp_ws_" + function + "&a=" + strings.NewReplacer("%", "%25", " ", "%20", "&", "%26", "+", "%2B").Replace(string(list)))
	if status != 200 {
		t.Fatalf("%s: %d %s", function, status, body)
	}
	return body
}

func (s *server) told(t *testing.T, id string) string {
	t.Helper()
	var told string
	if err := json.Unmarshal([]byte(s.call(t, "global_get", "told "+id)), &told); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(told)
}

// onlyClient returns the id of the only client, once it is there.
func (s *server) onlyClient(t *testing.T) string {
	t.Helper()
	var ids []string
	eventually(t, func() error {
		if err := json.Unmarshal([]byte(s.call(t, "getClients")), &ids); err != nil || len(ids) != 1 {
			return fmt.Errorf("clients: %v, %v", ids, err)
		}
		return nil
	})
	return ids[0]
}

// waitsFor waits until the server waits for so many clients.
func (s *server) waitsFor(t *testing.T, count int) {
	t.Helper()
	eventually(t, func() error {
		if got := s.stat("suspended"); got != count {
			return fmt.Errorf("%d are waited for", got)
		}
		return nil
	})
}

// gotAll sees that the page has all messages in their order, and the server all of the page's. It returns how many sessions the page had.
func (s *server) gotAll(t *testing.T, page *tab, id string) (sessions int) {
	t.Helper()
	var got []string
	page.evaluate("got", &got)
	for i, text := range got {
		if text != fmt.Sprint(i+1) {
			t.Fatalf("message %d is %s", i+1, text)
		}
	}
	var sent int
	page.evaluate("sessions", &sessions)
	page.evaluate("(sessions = 0, sent)", &sent)
	eventually(t, func() error {
		if next := s.call(t, "global_get", "next "+id); next != fmt.Sprintf("%q", fmt.Sprint(sent)) {
			return fmt.Errorf("%s messages came of %d", next, sent)
		}
		return nil
	})
	return sessions
}

func TestABrowserWhoseNetworkIsAwayAgainAndAgainMissesNothingInEitherDirection(t *testing.T) {
	t.Parallel()
	s := start(t, withResume(t))
	network := newCable(t, s)
	page := open(t, browser(t), network.url(s, "/index.html"))
	id, pushed := s.onlyClient(t), 0
	push := func(count int) {
		for range count {
			pushed++
			if got := s.call(t, "send", id, fmt.Sprint(pushed)); got != "true" {
				t.Fatalf("message %d: %s", pushed, got)
			}
		}
	}
	caught := func() {
		t.Helper()
		eventually(t, func() error {
			var count int
			if page.evaluate("got.length", &count); count < pushed {
				return fmt.Errorf("the page has %d messages of %d", count, pushed)
			}
			return nil
		})
	}
	push(20)
	caught()
	for round, trouble := range []cableState{cut, frozen, cut, frozen} {
		network.set(trouble)
		push(20)
		if trouble == frozen {
			// The server notices by itself, since its pings are not answered.
			s.waitsFor(t, 1)
			push(5)
			network.set(cut)
		}
		push(5)
		if round == 1 {
			s.load(s.source())
			push(5)
		}
		network.set(sound)
		push(5)
		caught()
	}
	changeNetwork(t, page, func() { push(20) })
	caught()

	sessions := s.gotAll(t, page, id)
	told := s.told(t, id)
	if want := "open[]" + strings.Repeat(" suspend resume[]", 5); told != want || sessions != 1 {
		t.Errorf("%d sessions, PHP was told %q, want %q", sessions, told, want)
	}
}

// changeNetwork has a page change its network although the old connection works.
func changeNetwork(t *testing.T, page *tab, meanwhile func()) {
	t.Helper()
	var states int
	page.evaluate("(dispatchEvent(new Event('online')), states.length)", &states)
	meanwhile()
	eventually(t, func() error {
		var now int
		if page.evaluate("states.length", &now); now == states {
			return fmt.Errorf("it has not come back by another connection")
		}
		return nil
	})
}

// A greeting is the first message to a client that may come back.
type greeting struct {
	Resume struct {
		Token, Reason string
		Resumed       bool
		Window        int
	}
}

func dialResuming(t *testing.T, s *server, path string) (*client, greeting) {
	t.Helper()
	c := dial(t, s, path, nil)
	var g greeting
	if err := json.Unmarshal([]byte(c.receive(t)), &g); err != nil {
		t.Fatal(err)
	}
	return c, g
}

func TestAClientThatIsAwayIsThereForPHPAndOneWhoComesBackMustBeTheSameToTheSite(t *testing.T) {
	t.Parallel()
	s := start(t, withResume(t))
	greeted := func(path string) (*client, greeting) { return dialResuming(t, s, path) }
	ann, first := greeted("/guarded?user=ann&resume=")
	if first.Resume.Resumed || first.Resume.Window != 3600 {
		t.Errorf("%+v", first)
	}
	id := s.onlyClient(t)
	eventually(t, func() error {
		if got := s.call(t, "getClientsByUser", "user"); !strings.Contains(got, id) {
			return fmt.Errorf("the client is not the user's yet: %s", got)
		}
		return nil
	})
	ann.CloseNow()
	eventually(t, func() error {
		if client := s.call(t, "getClient", id); !strings.Contains(client, `"connected":true,"suspended":true`) {
			return fmt.Errorf("%s", client)
		}
		return nil
	})
	for call, want := range map[string]string{
		s.call(t, "sendToTag", "everybody", "one"): "1",
		s.call(t, "sendToUser", "user", "two"):     "1",
		s.call(t, "getClientsCount"):               "1",
		s.call(t, "renameConnection", id, "anna"):  "true",
	} {
		if call != want {
			t.Errorf("%s, want %s", call, want)
		}
	}
	back := "&received=0&resume=" + first.Resume.Token
	if _, other := greeted("/guarded?user=bob" + back); other.Resume.Resumed || other.Resume.Reason != "different" {
		t.Errorf("another user: %+v", other)
	}
	again, second := greeted("/guarded?user=ann" + back)
	if !second.Resume.Resumed {
		t.Fatalf("%+v", second)
	}
	again.want(t, "one")
	again.want(t, "two")
	if told := s.told(t, id); told != "open[user=ann] suspend" {
		t.Errorf("PHP was told %q", told)
	}
	eventually(t, func() error {
		if told := s.told(t, "anna"); told != "resume[user=ann]" {
			return fmt.Errorf("PHP was told %q", told)
		}
		return nil
	})

	s.endsByClose(t, again, second)
	if log := s.log.tail(10_000); strings.Contains(log, first.Resume.Token) || strings.Contains(log, second.Resume.Token) {
		t.Error("a token is in the log")
	}
}

// endsByClose closes a connection of anna: that is an end, and no break.
func (s *server) endsByClose(t *testing.T, again *client, second greeting) {
	t.Helper()
	again.Close(websocket.StatusGoingAway, "")
	eventually(t, func() error {
		if told := s.told(t, "anna"); !strings.HasSuffix(told, "close 1001") {
			return fmt.Errorf("PHP was told %q", told)
		}
		return nil
	})
	if _, third := dialResuming(t, s, "/guarded?user=ann&received=2&resume="+second.Resume.Token); third.Resume.Reason != "unknown" {
		t.Errorf("%+v", third)
	}
}

func TestAClientThatDoesNotComeBackInTimeIsClosedForPHP(t *testing.T) {
	t.Parallel()
	want := withResume(t)
	want.body = strings.Replace(want.body, "resume 1h", "resume 1s", 1)
	s := start(t, want)
	c := dial(t, s, "/ws?resume=", nil)
	c.receive(t)
	id := strings.Trim(s.call(t, "getClients"), `[]"`)
	c.CloseNow()
	eventually(t, func() error {
		if told := s.told(t, id); told != "open[] suspend close 1006" {
			return fmt.Errorf("PHP was told %q", told)
		}
		return nil
	})
	eventually(t, func() error {
		if got := s.call(t, "getClient", id); got != "null" {
			return fmt.Errorf("%s", got)
		}
		return nil
	})
	if s.stat("connections_suspended") != 1 || s.stat("connections_resumed") != 0 {
		t.Errorf("%v", s.stats())
	}
}

func TestHundredsOfClientsWhoseNetworkIsAwayComeBackAtOnce(t *testing.T) {
	t.Parallel()
	s := start(t, withResume(t))
	network := newCable(t, s)
	const count = 300
	tokens := make([]string, count)
	dialed := make(chan error, count)
	through := &server{t: t, addr: network.addr, secure: s.secure}
	connect := func(query string) (*client, string, error) {
		c, err := tryDial(through, "/ws?"+query, nil)
		if err != nil {
			return nil, "", err
		}
		_, text, err := c.tryReceive()
		return c, text, err
	}
	conns := make([]*client, count)
	each := func(do func(n int) error) {
		t.Helper()
		for n := range count {
			go func() { dialed <- do(n) }()
		}
		for range count {
			if err := <-dialed; err != nil {
				t.Fatal(err)
			}
		}
	}
	each(func(n int) error {
		c, text, err := connect("resume=")
		if err != nil {
			return err
		}
		var greeting struct{ Resume struct{ Token string } }
		conns[n] = c
		if err := json.Unmarshal([]byte(text), &greeting); err != nil {
			return err
		}
		tokens[n] = greeting.Resume.Token
		return nil
	})
	network.set(cut)
	s.waitsFor(t, count)
	if got := s.call(t, "sendToTag", "everybody", "to all"); got != fmt.Sprint(count) {
		t.Errorf("sent to %s", got)
	}
	network.set(sound)
	each(func(n int) error {
		c, text, err := connect("received=0&resume=" + tokens[n])
		if err != nil || !strings.Contains(text, `"resumed":true`) {
			return fmt.Errorf("client %d: %s %v", n, text, err)
		}
		defer c.CloseNow()
		if _, message, err := c.tryReceive(); message != "to all" {
			return fmt.Errorf("client %d: %q %v", n, message, err)
		}
		return nil
	})
}
