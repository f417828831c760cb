package e2e

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

// scribe notes which messages and events come from each client, in the global values.
const scribe = `<?php
require '$TESTDATA/../../../php/autoload.php';
use FrankenPHP\WebSocket\{Connection, ResumeApplication};
final class Scribe implements ResumeApplication {
	public function onOpen(Connection $c): void { $this->note('open'); }
	public function onMessage(Connection $c, string $data, bool $binary): void { $this->note($data); }
	public function onClose(Connection $c, int $code, string $reason): void { $this->note("close-$code"); }
	public function onError(Connection $c, Throwable $error): void { $this->note($error->getMessage()); }
	public function onSuspend(Connection $c): void {}
	public function onResume(Connection $c): void {}
	private function note(string $what): void {
		frankenphp_ws_global_set('noted', trim(frankenphp_ws_global_get('noted') . " $what"));
	}
}
FrankenPHP\WebSocket\Server::run(new Scribe());`

// A page with a socket behind a cable, and what came of it.
type socketPage struct {
	*tab
	t       *testing.T
	server  *server
	network *cable
}

func openSocketPage(t *testing.T, script string) *socketPage {
	t.Helper()
	socket, err := os.ReadFile("../../examples/chat/public/resuming-socket.js")
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, site{
		global: "\tfrankenphp {\n\t\tworker {\n\t\t\tname scribe\n\t\t\tfile $DIR/scribe.php\n\t\t\tnum 1\n\t\t}\n\t}",
		body:   "\n\twebsocket /ws {\n\t\tworker scribe\n\t\tresume 1h\n\t}\n\troot $DIR\n\tphp_server",
		files: map[string]string{
			"scribe.php":         scribe,
			"resuming-socket.js": string(socket),
			"call.php":           `<?php echo json_encode($_GET['f'](...json_decode($_GET['a'], true)));`,
			"index.html": `<!doctype html><script src="resuming-socket.js"></script><script>
const log = [];
const socket = new ResumingSocket('ws');
socket.onsession = () => log.push('session');
socket.onstate = (online) => log.push(online ? 'on' : 'off');
socket.onlost = (count) => log.push('lost-' + count);
socket.onmessage = (data) => log.push(data);
` + script + `</script>`,
		},
	})
	network := newCable(t, s)
	return &socketPage{open(t, browser(t), network.url(s, "/index.html")), t, s, network}
}

// logs waits until the page has logged exactly this.
func (p *socketPage) logs(words ...string) {
	p.t.Helper()
	eventually(p.t, func() error {
		var got []string
		if p.evaluate("log", &got); !slices.Equal(got, words) {
			return fmt.Errorf("the page has logged %v instead of %v", got, words)
		}
		return nil
	})
}

// noted waits until PHP has noted exactly this.
func (p *socketPage) noted(words ...string) {
	p.t.Helper()
	eventually(p.t, func() error {
		if got := p.server.call(p.t, "global_get", "noted"); got != fmt.Sprintf("%q", strings.Join(words, " ")) {
			return fmt.Errorf("PHP has noted %s instead of %v", got, words)
		}
		return nil
	})
}

func TestWhatAPageSendsBeforeItIsConnectedIsSentBehindItsFirstWords(t *testing.T) {
	t.Parallel()
	p := openSocketPage(t, `socket.onsession = () => { log.push('session'); socket.send('hello'); }; socket.send('early');`)
	p.logs("session", "on")
	p.noted("open", "hello", "early")
}

func TestWhatAPageSendsAsSoonAsItIsBackComesBehindWhatWaited(t *testing.T) {
	t.Parallel()
	p := openSocketPage(t, `socket.onstate = (online) => { log.push(online ? 'on' : 'off'); if (online) socket.send('online'); };`)
	p.logs("session", "on")
	p.network.set(cut)
	p.logs("session", "on", "off")
	p.evaluate("(socket.send('a'), socket.send('b'))", nil)
	p.network.set(sound)
	p.logs("session", "on", "off", "on")
	p.noted("open", "online", "a", "b", "online")
}

func TestAPageThatComesBackToItsNetworkTwiceInARowHasOneClientAndOneSession(t *testing.T) {
	t.Parallel()
	p := openSocketPage(t, ``)
	p.logs("session", "on")
	id := p.server.onlyClient(t)
	p.evaluate("(dispatchEvent(new Event('online')), dispatchEvent(new Event('online')))", nil)
	p.logs("session", "on", "on")
	p.evaluate("dispatchEvent(new Event('online'))", nil)
	p.server.call(t, "send", id, "between")
	p.logs("session", "on", "on", "between", "on")
	if now := p.server.onlyClient(t); now != id {
		t.Fatalf("%s is %s now", id, now)
	}
	p.noted("open")
}

func TestAPageThatClosesItsSocketWhileItIsAwayComesBackOnceMoreToSaySo(t *testing.T) {
	t.Parallel()
	p := openSocketPage(t, ``)
	p.logs("session", "on")
	p.network.set(cut)
	p.logs("session", "on", "off")
	p.network.set(sound)
	p.evaluate("socket.close(4001, 'done')", nil)
	p.noted("open", "close-4001")
}

func TestAPageIsToldHowManyOfItsMessagesWereLostWithItsSession(t *testing.T) {
	t.Parallel()
	p := openSocketPage(t, `ResumingSocket.KEPT = 5;`)
	p.logs("session", "on")
	id := p.server.onlyClient(t)
	p.network.set(cut)
	p.logs("session", "on", "off")
	var accepted []bool
	p.evaluate("[1, 2, 3, 4, 5, 6].map((n) => socket.send(String(n)))", &accepted)
	if want := []bool{true, true, true, true, true, false}; !slices.Equal(accepted, want) {
		t.Fatalf("accepted: %v", accepted)
	}
	p.server.call(t, "killConnection", id)
	p.network.set(sound)
	p.logs("session", "on", "off", "session", "on", "lost-5")
	p.noted("open", "close-1006", "open")
}
