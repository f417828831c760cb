package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// attendance tells everybody in a room who joins and who leaves. A client says what it wants: "user NAME INFO", "leave", "who".
const attendance = `<?php
require '$TESTDATA/../../../php/autoload.php';
use FrankenPHP\WebSocket\{Connection, Member, PresenceApplication};
final class Attendance implements PresenceApplication {
	public function onOpen(Connection $c): void {
		$c->tag('everybody');
		if ($c->query !== '') { $c->tag($c->query); }
		$c->send("open " . ($c->user() ?? 'nobody'));
	}
	public function onMessage(Connection $c, string $data, bool $binary): void {
		$words = explode(' ', $data);
		match ($words[0]) {
			'user' => $c->setUser($words[1], $words[2] ?? ''),
			'leave' => $c->untag($words[1]),
			'who' => $c->send(implode(',', array_map(static fn (Member $m) => "$m->user:$m->info:$m->connections", Member::in($words[1], 'attendance')))),
			'fail' => frankenphp_ws_global_set('fails', $words[1]),
		};
	}
	public function onClose(Connection $c, int $code, string $reason): void {}
	public function onError(Connection $c, Throwable $error): void {}
	public function onJoin(Member $m): void {
		if (frankenphp_ws_global_get('fails') === $m->user) { throw new LogicException("no place for a guest"); }
		FrankenPHP\WebSocket\Clients::tagged('everybody')->send("+$m->user $m->tag $m->info");
	}
	public function onLeave(Member $m): void {
		FrankenPHP\WebSocket\Clients::tagged('everybody')->send("-$m->user $m->tag");
	}
}
FrankenPHP\WebSocket\Server::run(new Attendance());`

func withPresence() site {
	return site{
		global: "\tfrankenphp {\n\t\tworker {\n\t\t\tname attendance\n\t\t\tfile $DIR/attendance.php\n\t\t\tnum 2\n\t\t}\n\t}",
		body: `
	websocket /attendance {
		worker attendance
		channel room:* {
			presence {
				grace 1h
			}
		}
		channel brief:* {
			presence {
				grace 100ms
			}
			history 10 1h
		}
	}
	handle /guarded {
		websocket {
			name guarded
			worker attendance
			authorize /authorize.php?{query}
			channel room:* {
				presence
			}
		}
	}
	root $DIR
	php_server`,
		files: map[string]string{
			"attendance.php": attendance,
			"authorize.php": `<?php
parse_str($_SERVER['QUERY_STRING'], $query);
foreach ($query as $name => $value) {
	if ($value !== '') { header("WebSocket-$name: " . rawurlencode($value)); }
}
header('WebSocket-Authorize: accept');`,
		},
	}
}

func TestPHPIsToldOnceOfAUserWithSeveralTabsAndAPageThatIsLoadedAnewIsNoEvent(t *testing.T) {
	t.Parallel()
	s := start(t, withPresence())
	observer := dial(t, s, "/attendance", nil)
	observer.want(t, "open nobody")

	first := dial(t, s, "/attendance?room:1", nil)
	first.want(t, "open nobody")
	first.send(t, "user ann Ann")
	observer.want(t, "+ann room:1 Ann")
	second := dial(t, s, "/attendance?room:1", nil)
	second.send(t, "user ann Ann-B.")
	bob := dial(t, s, "/attendance?room:1", nil)
	bob.send(t, "user bob")
	observer.want(t, "+bob room:1 ")
	observer.send(t, "who room:1")
	observer.want(t, "ann:Ann-B.:2,bob::1")

	// The page is loaded anew in both tabs, one after the other: nobody leaves, nobody joins.
	for range 2 {
		first.CloseNow()
		second.CloseNow()
		expect(t, "users who may come back", 1, func() int { return s.stat("presence_members_away") })
		observer.send(t, "who room:1")
		observer.want(t, "ann:Ann-B.:0,bob::1")
		first = dial(t, s, "/attendance?room:1", nil)
		first.send(t, "user ann Ann-B.")
		expect(t, "users who may come back", 0, func() int { return s.stat("presence_members_away") })
	}
	// Who leaves on purpose leaves at once; who is somebody else joins.
	bob.send(t, "leave room:1")
	observer.want(t, "-bob room:1")
	first.send(t, "user cyd")
	observer.want(t, "-ann room:1")
	observer.want(t, "+cyd room:1 ")

	// An event that fails is logged and closes nobody.
	observer.send(t, "fail guest")
	guest := dial(t, s, "/attendance?room:1", nil)
	guest.send(t, "user guest")
	record := s.failure("no place for a guest")
	for _, part := range []string{`"event":"join"`, `"route":"attendance"`, `"tag":"room:1"`} {
		if !strings.Contains(record, part) {
			t.Errorf("%q is not in %s", part, record)
		}
	}
	guest.send(t, "who room:1")
}

func TestAUserWhoDoesNotComeBackLeavesWhenTheGraceIsOver(t *testing.T) {
	t.Parallel()
	s := start(t, withPresence())
	observer := dial(t, s, "/attendance", nil)
	observer.want(t, "open nobody")
	for _, leaves := range []func(*client){
		func(c *client) { c.CloseNow() },
		func(c *client) { c.Close(1000, "") },
	} {
		client := dial(t, s, "/attendance?brief:1", nil)
		client.send(t, "user ann")
		observer.want(t, "+ann brief:1 ")
		leaves(client)
		observer.want(t, "-ann brief:1")
	}
}

func TestAuthorizeSaysWhoseAConnectionIs(t *testing.T) {
	t.Parallel()
	s := start(t, withPresence())
	observer := dial(t, s, "/attendance", nil)
	observer.want(t, "open nobody")
	client := dial(t, s, "/guarded?User=J%C3%BCrgen&User-Info=%7B%22a%22%3A1%7D&Tags=room:1", nil)
	client.want(t, "open Jürgen")
	observer.want(t, `+Jürgen room:1 {"a":1}`)
	if status, body := s.do(http.MethodGet, "http://"+s.admin+"/websocket/presence/room:1?route=guarded", "", nil); status != http.StatusOK || !strings.Contains(body, `{"user":"Jürgen","info":"{\"a\":1}","connections":1}`) {
		t.Errorf("%d %s", status, body)
	}
	for _, query := range []string{"User-Info=x", "User=" + strings.Repeat("u", 256), "User=u&User-Info=" + strings.Repeat("i", 4097)} {
		if c, err := tryDial(s, "/guarded?"+query, nil); err == nil {
			c.CloseNow()
			t.Errorf("%.20s was accepted", query)
		}
	}
}

func TestTheFunctionsOfUsersDoTheSameFromEverywhere(t *testing.T) {
	t.Parallel()
	want := controlled()
	const route = "websocket /lab {"
	want.body = strings.Replace(want.body, route, route+"\n\t\tchannel room:* {\n\t\t\tpresence\n\t\t}", 1)
	s := start(t, want)
	for n, d := range doors(t, s, "/control") {
		t.Run(d.name, func(t *testing.T) {
			user, room := fmt.Sprintf("user %d", n), fmt.Sprintf("room:%d", n)
			client, facts := dialLab(t, s, "/lab", nil)
			d.want(t, true, "setUser", facts.ID, user, "info \x01")
			d.want(t, true, "tagClient", facts.ID, room)
			d.want(t, false, "setUser", "nobody", user)
			d.want(t, []any{facts.ID}, "getClientsByUser", user)
			d.want(t, []any{}, "getClientsByUser", user, "strict")
			d.want(t, []any{map[string]any{"user": user, "info": "info \x01", "connections": 1.0}}, "presence", room)
			d.want(t, 1, "sendToUser", user, "hello")
			client.want(t, "hello")
			d.want(t, 0, "sendToUser", user, "hello", nil, false, facts.ID)
			if got := d.value(t, "getClient", facts.ID).(map[string]any)["user"]; got != user {
				t.Errorf("getClient says %v", got)
			}
			d.throws(t, "InvalidArgumentException", "setUser", facts.ID, "")
			d.throws(t, "InvalidArgumentException", "setUser", facts.ID, "u", strings.Repeat("i", 4097))
			d.throws(t, "InvalidArgumentException", "presence", "hall")
			d.throws(t, "UnknownRouteException", "presence", room, "nowhere")
			d.throws(t, "InvalidArgumentException", "disconnectUser", user, 1005)
			d.want(t, 1, "disconnectUser", user, 4003, "banned")
			if reason := client.wantClose(t, 4003); reason != "banned" {
				t.Errorf("the reason is %q", reason)
			}
			d.want(t, []any{}, "getClientsByUser", user)
			d.want(t, 0, "disconnectUser", user)
		})
	}
}
