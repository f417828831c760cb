package e2e

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// publish.php calls frankenphp_ws_publish, as any page of a site may.
const publishPHP = `<?php
try {
	echo json_encode(frankenphp_ws_publish(...json_decode(file_get_contents('php://input'), true)));
} catch (Throwable $e) {
	echo get_class($e), ': ', $e->getMessage();
}`

// authPHP is the endpoint at which a page asks for signatures, as Laravel's /broadcasting/auth. The user is what the page says.
const authPHP = `<?php
$id = $_POST['socket_id'];
$channel = $_POST['channel_name'];
$signed = "$id:$channel";
$answer = [];
if (str_starts_with($channel, 'presence-')) {
	$answer['channel_data'] = json_encode(['user_id' => $_GET['user'], 'user_info' => ['name' => ucfirst($_GET['user'])]]);
	$signed .= ':' . $answer['channel_data'];
}
header('Content-Type: application/json');
echo json_encode(['auth' => 'app-key:' . hash_hmac('sha256', $signed, 'app-secret')] + $answer);`

// roomHTML is a page in the presence channel of a room, by pusher-js.
const roomHTML = `<!doctype html><title>room</title><ul id="members"></ul><ol id="log"></ol>
<script src="/pusher.js"></script>
<script src="/page.js"></script>
<script>
const room = pusher.subscribe('presence-room');
room.bind('pusher:subscription_succeeded', () => room.members.each((member) => come(member.info)));
room.bind('pusher:member_added', (member) => { log('+' + member.info.name); come(member.info); });
room.bind('pusher:member_removed', (member) => { log('-' + member.info.name); go(member.info); });
room.bind('moved', (data) => log('moved ' + data.to));
room.bind('client-typing', (data, { user_id }) => log(user_id + ' types'));
const whisper = () => room.trigger('client-typing', {});
</script>`

// echoHTML is the same by Laravel Echo.
const echoHTML = `<!doctype html><title>room</title><ul id="members"></ul><ol id="log"></ol>
<script src="/pusher.js"></script>
<script src="/echo.js"></script>
<script src="/page.js"></script>
<script>
const room = new (Echo.default ?? Echo)({ broadcaster: 'pusher', client: pusher }).join('room')
	.here((members) => members.forEach(come))
	.joining((member) => { log('+' + member.name); come(member); })
	.leaving((member) => { log('-' + member.name); go(member); })
	.listen('.moved', (data) => log('moved ' + data.to))
	.listenForWhisper('typing', ({ who }) => log(who + ' types'));
const whisper = () => room.whisper('typing', { who: user });
</script>`

// pageJS is what both have in common.
const pageJS = `const user = new URLSearchParams(location.search).get('user');
const pusher = new Pusher('app-key', {
	wsHost: location.hostname, wsPort: location.port, forceTLS: false, enabledTransports: ['ws'], cluster: 'mt1',
	channelAuthorization: { endpoint: '/auth.php?user=' + user, transport: 'ajax' },
});
const there = new Set();
const show = () => document.querySelector('#members').textContent = [...there].sort().join(' ');
const come = ({ name }) => { there.add(name); show(); };
const go = ({ name }) => { there.delete(name); show(); };
const log = (text) => { const item = document.createElement('li'); item.textContent = text; document.querySelector('#log').append(item); };
`

// roomSite is a site with the room, and PHP.
func roomSite(t *testing.T) site {
	t.Helper()
	if err := installed(); err != nil {
		t.Fatal(err)
	}
	scripts := map[string]string{"pusher.js": "pusher-js-8/dist/web/pusher.js", "echo.js": "laravel-echo-2/dist/echo.iife.js"}
	want := pusherSite("\troot $DIR\n\tphp_server")
	want.global = "\n\tfrankenphp"
	want.files = map[string]string{"publish.php": publishPHP, "auth.php": authPHP, "room.html": roomHTML, "echo.html": echoHTML, "page.js": pageJS}
	for name, from := range scripts {
		script, err := os.ReadFile(filepath.Join("pusher", "node_modules", filepath.FromSlash(from)))
		if err != nil {
			t.Fatal(err)
		}
		want.files[name] = string(script)
	}
	return want
}

func TestTwoTabsOfOneUserAreOneMemberInTheBrowsersOfOthers(t *testing.T) {
	t.Parallel()
	for name, in := range map[string]func(*testing.T) func(address string) view{
		"Chromium": func(t *testing.T) func(string) view {
			chromium := browser(t)
			return func(address string) view { return open(t, chromium, address) }
		},
		"Firefox": func(t *testing.T) func(string) view { return startFirefox(t).open },
	} {
		for _, library := range []string{"room", "echo"} {
			t.Run(name+", "+library, func(t *testing.T) {
				t.Parallel()
				twoTabs(t, library, in(t))
			})
		}
	}
}

func twoTabs(t *testing.T, library string, open func(address string) view) {
	s := start(t, roomSite(t))
	visit := func(user string) view { return open(s.url("/" + library + ".html?user=" + user)) }
	ann := visit("ann")
	ann.shows("#members", "Ann")
	bob, other := visit("bob"), visit("bob")
	for _, page := range []view{ann, bob, other} {
		page.shows("#members", "Ann Bob")
	}
	if status, body := s.post("/publish.php", "application/json", `["presence-room", "moved", "{\"to\":\"all\"}"]`); status != http.StatusOK || body != "3" {
		t.Errorf("%d %s", status, body)
	}
	for _, page := range []view{ann, bob, other} {
		page.shows("#log", "moved all")
	}
	bob.evaluate(`whisper() && null`, nil)
	ann.shows("#log", "bob types")
	other.shows("#log", "bob types")
	bob.leave()
	ann.evaluate(`whisper() && null`, nil)
	other.shows("#log", "ann types")
	other.leave()
	ann.shows("#log", "-Bob")
	if log := ann.text("#log"); log != "+Bob\nmoved all\nbob types\n-Bob" {
		t.Errorf("%q", log)
	}
}

func TestPHPTheCommandLineAndTheAdminAPIPublishEvents(t *testing.T) {
	t.Parallel()
	s := start(t, roomSite(t))
	client := dial(t, s, "/app/app-key?protocol=7", nil)
	var established struct{ Data string }
	var connection struct {
		SocketID string `json:"socket_id"`
	}
	if err := json.Unmarshal([]byte(client.receive(t)), &established); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(established.Data), &connection); err != nil {
		t.Fatal(err)
	}
	for _, channel := range []string{"news", "sport"} {
		client.send(t, `{"event":"pusher:subscribe","data":{"channel":"`+channel+`"}}`)
		if told := client.receive(t); !strings.Contains(told, "subscription_succeeded") {
			t.Fatal(told)
		}
	}
	for call, want := range map[string]string{
		`["news", "php", "\"quoted\" é"]`:                           "1",
		`[["news", "sport", "news", "empty"], "several", "{}"]`:     "2",
		`["news", "left out", "{}", "` + connection.SocketID + `"]`: "0",
		`["news", "of an application", "{}", null, "1"]`:            "1",
		`["news", "of none", "{}", null, "9"]`:                      `FrankenPHP\WebSocket\InvalidArgumentException: frankenphp_ws_publish(): no route has this application`,
		`["a b", "wrong", "{}"]`:                                    `FrankenPHP\WebSocket\InvalidArgumentException: frankenphp_ws_publish(): invalid channel name`,
		`[[], "wrong", "{}"]`:                                       `FrankenPHP\WebSocket\InvalidArgumentException: frankenphp_ws_publish(): an event is sent to 1 to 100 channels`,
		`["news", "pusher:ping", "{}"]`:                             `FrankenPHP\WebSocket\InvalidArgumentException: frankenphp_ws_publish(): names of events`,
		`["news", "wrong", "` + strings.Repeat("x", 10_241) + `"]`:  `FrankenPHP\WebSocket\InvalidArgumentException: frankenphp_ws_publish(): the data of the event is larger`,
		`[3, "wrong", "{}"]`:                                        "TypeError: frankenphp_ws_publish(): Argument #1 ($channels) must be a string or an array of strings, int given",
		`[["news", 3], "wrong", "{}"]`:                              "TypeError: frankenphp_ws_publish(): Argument #1 ($channels) must be a string or an array of strings, an array with int given",
	} {
		if _, got := s.post("/publish.php", "application/json", call); !strings.HasPrefix(got, want) {
			t.Errorf("%.60s: %s, want %s", call, got, want)
		}
	}
	s.wantCLI("queued for 1 client\n", "publish", "news", "cli", "{}")
	if status, body := s.asks(http.MethodPost, "/websocket/channels/news/events/admin?app=1", "{}"); status != http.StatusOK || strings.TrimSpace(body) != `{"queued":1}` {
		t.Errorf("%d %s", status, body)
	}
	seen := map[string]int{}
	for range 6 {
		var event struct{ Event, Data string }
		if err := json.Unmarshal([]byte(client.receive(t)), &event); err != nil {
			t.Fatal(err)
		}
		seen[event.Event]++
	}
	for event, want := range map[string]int{"php": 1, "several": 2, "of an application": 1, "cli": 1, "admin": 1} {
		if seen[event] != want {
			t.Errorf("%s came %d times, want %d: %v", event, seen[event], want, seen)
		}
	}
}
