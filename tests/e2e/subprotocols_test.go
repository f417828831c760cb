package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/coder/websocket"
)

// spoken is a site whose sub-protocols go to workers of their own, those of the workers chat, news and rest.
func spoken(route string) site {
	var workers strings.Builder
	files := make(map[string]string)
	for _, name := range []string{"chat", "news", "rest"} {
		workers.WriteString("\tworker {\n\t\tname " + name + "\n\t\tfile $DIR/" + name + ".php\n\t\tnum 1\n\t}\n")
		files[name+".php"] = "<?php $_SERVER['WORKER'] = '" + name + "'; require '$TESTDATA/guarded.php';"
	}
	return site{
		global: "\tfrankenphp {\n" + workers.String() + "\t}",
		// A worker that some route uses stays, whatever becomes of a sub-protocol.
		body:  "\twebsocket /chat {\n\t\tworker chat\n\t\tname other\n\t}\n\twebsocket /ws {\n" + route + "\n\t}",
		files: files,
	}
}

// offering dials the route with sub-protocols.
func offering(t *testing.T, s *server, names ...string) (*client, given) {
	t.Helper()
	c := dial(t, s, "/ws", &websocket.DialOptions{Subprotocols: names})
	g := c.given(t)
	if g.Subprotocol != c.Subprotocol() {
		t.Errorf("the client was told %q, PHP %q", c.Subprotocol(), g.Subprotocol)
	}
	return c, g
}

const mixed = `
	name mixed
	worker rest
	subprotocols plain
	subprotocol chat.v1 {
		worker chat
	}
	subprotocol news.v1 {
		worker news
	}`

func TestEachSubprotocolGoesToItsWorkerAndTheRestToTheDefaultOne(t *testing.T) {
	t.Parallel()
	s := start(t, spoken(mixed))
	for _, test := range []struct {
		offer               []string
		worker, subprotocol string
	}{
		{nil, "rest", ""},
		{[]string{"soap"}, "rest", ""},
		{[]string{"plain", "chat.v1"}, "rest", "plain"},
		{[]string{"soap", "chat.v1", "news.v1"}, "chat", "chat.v1"},
		{[]string{"news.v1", "chat.v1"}, "news", "news.v1"},
	} {
		c, got := offering(t, s, test.offer...)
		if got.Worker != test.worker || got.Subprotocol != test.subprotocol {
			t.Errorf("%q: to %s as %q, want %s as %q", test.offer, got.Worker, got.Subprotocol, test.worker, test.subprotocol)
		}
		c.send(t, "hello")
		c.want(t, test.worker+": hello")
	}
}

func TestABrowserFailsAConnectionThatAnswersNoneOfTheSubprotocolsItOffers(t *testing.T) {
	t.Parallel()
	site := spoken(mixed)
	site.body += "\n\trespond /page <title>test</title>"
	s := start(t, site)
	page := open(t, browser(t), s.url("/page"))
	opened := s.stat("connections_opened")
	for _, test := range []struct{ offer, want string }{
		{`[]`, `open ""`},
		{`['soap', 'news.v1']`, `open "news.v1"`},
		{`['soap']`, `close 1006`},
	} {
		var got string
		page.evaluate(`window.happened = '';
			(() => {
				const socket = new WebSocket(location.origin.replace('http', 'ws') + '/ws', `+test.offer+`);
				socket.onopen = () => { window.happened = 'open ' + JSON.stringify(socket.protocol); socket.onclose = null; socket.close(); };
				socket.onclose = (e) => { window.happened = 'close ' + e.code; };
			})();
			''`, &got)
		eventually(t, func() error {
			if page.evaluate(`window.happened`, &got); got != test.want {
				return fmt.Errorf("%s: %q, want %q", test.offer, got, test.want)
			}
			return nil
		})
	}
	// To the server each of them was a connection, as docs/subprotocols.md says.
	expect(t, "connections opened", opened+3, func() int { return s.stat("connections_opened") })
	expect(t, "connections that are left", 0, func() int { return s.stat("connections") })
}

func TestWithoutADefaultWorkerOrWhereRequiredUnknownSubprotocolsAreRefused(t *testing.T) {
	t.Parallel()
	for name, route := range map[string]string{
		"no default worker": "\tsubprotocol chat.v1 {\n\t\tworker chat\n\t}\n\tsubprotocol news.v1 {\n\t\tworker news\n\t}\n\tname own",
		"required":          mixed + "\n\tsubprotocol_required",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, spoken(route))
			for _, offer := range []string{"", "soap"} {
				_, body := refused(t, s, "/ws", http.StatusBadRequest, "Sec-WebSocket-Protocol:"+offer)
				if !strings.Contains(body, "chat.v1, news.v1") {
					t.Errorf("the sub-protocols are not named: %q", body)
				}
			}
			if _, got := offering(t, s, "soap", "news.v1"); got.Worker != "news" {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestAReloadMovesSubprotocolsToOtherWorkersAndClosesThoseThatAreGone(t *testing.T) {
	t.Parallel()
	s := start(t, spoken(mixed))
	chat, _ := offering(t, s, "chat.v1")
	news, _ := offering(t, s, "news.v1")
	plain, _ := offering(t, s, "plain")
	bare, _ := offering(t, s)

	load := func(route string) {
		t.Helper()
		s.writeConfig(spoken(route))
		s.load(s.source())
	}
	// news.v1 comes to the worker of chat, plain to one of its own; chat.v1 is gone, but its worker is not.
	load("\tname mixed\n\tworker rest\n\tsubprotocol news.v1 {\n\t\tworker chat\n\t}\n\tsubprotocol plain {\n\t\tworker news\n\t}")
	chat.wantClose(t, websocket.StatusGoingAway)
	eventually(t, func() error {
		if !slices.Contains(s.lines("closed"), "chat 1001") {
			return fmt.Errorf("closed: %q", s.lines("closed"))
		}
		return nil
	})
	for _, c := range []struct {
		client *client
		worker string
	}{{news, "chat"}, {plain, "news"}, {bare, "rest"}} {
		c.client.send(t, "moved")
		c.client.want(t, c.worker+": moved")
	}

	// Without the default worker those without a sub-protocol have nobody left.
	load("\tname mixed\n\tsubprotocol news.v1 {\n\t\tworker chat\n\t}\n\tsubprotocol plain {\n\t\tworker news\n\t}")
	bare.wantClose(t, websocket.StatusGoingAway)
	plain.send(t, "stayed")
	plain.want(t, "news: stayed")
}
