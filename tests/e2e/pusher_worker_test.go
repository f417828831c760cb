package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// listenerPHP is a worker that notes what it is told, and answers a client event by an event of its own.
const listenerPHP = `<?php
require '$TESTDATA/../../../php/autoload.php';

use FrankenPHP\WebSocket\{Connection, Member, PresenceApplication, PusherApplication, Server, Subscriber};

final class Listener implements PusherApplication, PresenceApplication
{
	private function note(string $line): void { file_put_contents('$DIR/told', "$line\n", FILE_APPEND); }
	public function onSubscribe(Subscriber $s): void { $this->note("+ $s->app $s->channel $s->user $s->info"); }
	public function onUnsubscribe(Subscriber $s): void { $this->note("- $s->channel $s->user"); }
	public function onClientEvent(Subscriber $s, string $event, string $data): void
	{
		$this->note("$event $data");
		$s->publish('seen', $data);
	}
	public function onJoin(Member $m): void { $this->note("join $m->tag $m->user"); }
	public function onLeave(Member $m): void { $this->note("leave $m->tag $m->user"); }
	public function onOpen(Connection $c): void { $this->note('open'); }
	public function onMessage(Connection $c, string $data, bool $binary): void { $this->note('message'); }
	public function onClose(Connection $c, int $code, string $reason): void { $this->note('close'); }
	public function onError(Connection $c, \Throwable $error): void {}
}

Server::run(new Listener());`

func TestAWorkerIsToldWhatClientsOfThePusherProtocolDo(t *testing.T) {
	t.Parallel()
	want := roomSite(t)
	want.body = strings.Replace(want.body, "websocket @pusher {", "websocket @pusher {\n\t\tworker chat", 1)
	want.global = "\n\tfrankenphp {\n\t\tworker {\n\t\t\tname chat\n\t\t\tfile $DIR/listener.php\n\t\t\tnum 1\n\t\t}\n\t}"
	want.files["listener.php"] = listenerPHP
	s := start(t, want)
	chromium := browser(t)
	ann, bob := open(t, chromium, s.url("/room.html?user=ann")), open(t, chromium, s.url("/room.html?user=bob"))
	ann.shows("#members", "Ann Bob")
	bob.shows("#members", "Ann Bob")
	for n := range 3 {
		ann.evaluate(fmt.Sprintf(`room.trigger('client-n', %d)`, n), nil)
	}
	bob.close()
	ann.shows("#log", "-Bob")
	ann.close()
	eventually(t, func() error {
		told := s.lines("told")
		for _, line := range []string{
			`+ 1 presence-room ann {"name":"Ann"}`, `+ 1 presence-room bob {"name":"Bob"}`, "join 1:presence-room ann", "join 1:presence-room bob",
			"client-n 0", "client-n 1", "client-n 2", "- presence-room bob", "leave 1:presence-room bob", "- presence-room ann", "leave 1:presence-room ann",
		} {
			if strings.Count(strings.Join(told, "\n")+"\n", line+"\n") != 1 {
				return fmt.Errorf("%q is not there once: %q", line, told)
			}
		}
		if len(told) != 11 {
			return fmt.Errorf("%q", told)
		}
		return nil
	})
	if order := strings.Join(s.lines("told"), " "); strings.Index(order, "client-n 0") > strings.Index(order, "client-n 1") || strings.Index(order, "client-n 1") > strings.Index(order, "client-n 2") {
		t.Error(order)
	}
}

// pricesPHP is a worker that works only while somebody looks: what a webhook would tell a server.
const pricesPHP = `<?php
require '$TESTDATA/../../../php/autoload.php';

use FrankenPHP\WebSocket\{Channel, ChannelApplication, Connection, Server};

final class Prices implements ChannelApplication
{
	private function note(string $line): void { file_put_contents('$DIR/told', "$line\n", FILE_APPEND); }
	public function onChannelOccupied(Channel $c): void { $this->note("occupied $c->app $c->name"); }
	public function onChannelVacated(Channel $c): void { $this->note("vacated $c->tag"); }
	public function onCacheMiss(Channel $c): void
	{
		$this->note("missed $c->name");
		$c->publish('price', '"1.07"');
	}
	public function onSubscriptionCount(Channel $c, int $count): void { $this->note("count $c->name $count"); }
	public function onOpen(Connection $c): void { $this->note('open'); }
	public function onMessage(Connection $c, string $data, bool $binary): void { $this->note('message'); }
	public function onClose(Connection $c, int $code, string $reason): void { $this->note('close'); }
	public function onError(Connection $c, \Throwable $error): void {}
}

Server::run(new Prices());`

// priceHTML is a page that shows what a cache channel has.
const priceHTML = `<!doctype html><title>price</title><ol id="log"></ol>
<script src="/pusher.js"></script>
<script src="/page.js"></script>
<script>
pusher.subscribe('cache-price').bind('price', (data) => log('costs ' + data));
pusher.subscribe('news');
</script>`

func TestAWorkerThatAWebhookNamesIsToldWhatBecomesOfChannels(t *testing.T) {
	t.Parallel()
	want := roomSite(t)
	want.body = strings.Replace(want.body, "{env.E2E_APP_SECRET}", "{env.E2E_APP_SECRET} {\n\t\t\t\twebhook worker prices {\n"+
		"\t\t\t\t\tevents channel_occupied channel_vacated cache_miss subscription_count\n\t\t\t\t\tchannel_prefix cache-\n\t\t\t\t}\n\t\t\t}", 1)
	want.global = "\n\tfrankenphp {\n\t\tworker {\n\t\t\tname prices\n\t\t\tfile $DIR/prices.php\n\t\t\tnum 1\n\t\t}\n\t}"
	want.files["prices.php"], want.files["price.html"] = pricesPHP, priceHTML
	s := start(t, want)
	chromium := browser(t)
	tells := func(lines ...string) {
		t.Helper()
		eventually(t, func() error {
			told := "\n" + strings.Join(s.lines("told"), "\n") + "\n"
			for _, line := range lines {
				if strings.Count(told, "\n"+line+"\n") != 1 {
					return fmt.Errorf("%q is not there once: %s", line, told)
				}
			}
			return nil
		})
	}
	ann := open(t, chromium, s.url("/price.html?user=ann"))
	ann.shows("#log", "costs 1.07")
	tells("occupied 1 cache-price", "missed cache-price", "count cache-price 1")
	bob := open(t, chromium, s.url("/price.html?user=bob"))
	bob.shows("#log", "costs 1.07")
	tells("count cache-price 2")
	ann.close()
	bob.close()
	tells("occupied 1 cache-price", "missed cache-price", "vacated 1:cache-price", "count cache-price 0")
	for _, line := range s.lines("told") {
		if strings.Contains(line, "news") || line == "open" || line == "message" || line == "close" {
			t.Errorf("the worker was told %q", line)
		}
	}
}
