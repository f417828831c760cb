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

const roomHTML = `<!doctype html><title>room</title><ul id="members"></ul><ol id="log"></ol>
<script src="/pusher.js"></script>
<script>
const user = new URLSearchParams(location.search).get('user');
const pusher = new Pusher('app-key', {
	wsHost: location.hostname, wsPort: location.port, forceTLS: false, enabledTransports: ['ws'], cluster: 'mt1',
	channelAuthorization: { endpoint: '/auth.php?user=' + user, transport: 'ajax' },
});
const room = pusher.subscribe('presence-room');
const show = () => document.querySelector('#members').textContent = Object.keys(room.members.members).sort().join(' ');
const log = (text) => { const item = document.createElement('li'); item.textContent = text; document.querySelector('#log').append(item); };
room.bind('pusher:subscription_succeeded', show);
room.bind('pusher:member_added', (member) => { log('+' + member.info.name); show(); });
room.bind('pusher:member_removed', (member) => { log('-' + member.info.name); show(); });
room.bind('moved', (data) => log('moved ' + data.to));
room.bind('client-typing', (data, { user_id }) => log(user_id + ' types'));
</script>`

// roomSite is a site with the room, and PHP.
func roomSite(t *testing.T) site {
	t.Helper()
	if err := installed(); err != nil {
		t.Fatal(err)
	}
	script, err := os.ReadFile(filepath.Join("pusher", "node_modules", "pusher-js-8", "dist", "web", "pusher.js"))
	if err != nil {
		t.Fatal(err)
	}
	want := pusherSite("\troot $DIR\n\tphp_server")
	want.global = "\n\tfrankenphp"
	want.files = map[string]string{"publish.php": publishPHP, "auth.php": authPHP, "room.html": roomHTML, "pusher.js": string(script)}
	return want
}

func TestTwoTabsOfOneUserAreOneMemberInTheBrowsersOfOthers(t *testing.T) {
	t.Parallel()
	s := start(t, roomSite(t))
	chromium := browser(t)
	ann := open(t, chromium, s.url("/room.html?user=ann"))
	ann.shows("#members", "ann")
	bob, other := open(t, chromium, s.url("/room.html?user=bob")), open(t, chromium, s.url("/room.html?user=bob"))
	for _, page := range []*tab{ann, bob, other} {
		page.shows("#members", "ann bob")
	}
	if status, body := s.post("/publish.php", "application/json", `["presence-room", "moved", "{\"to\":\"all\"}"]`); status != http.StatusOK || body != "3" {
		t.Errorf("%d %s", status, body)
	}
	for _, page := range []*tab{ann, bob, other} {
		page.shows("#log", "moved all")
	}
	bob.evaluate(`room.trigger('client-typing', {})`, nil)
	ann.shows("#log", "bob types")
	other.shows("#log", "bob types")
	bob.close()
	ann.evaluate(`room.trigger('client-typing', {})`, nil)
	other.shows("#log", "ann types")
	other.close()
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
