package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// A house is where people chat: its servers, and the one of them, or the load balancer, that their browsers speak to.
type house struct {
	servers []*server
	door    *server
}

var serverNames = []string{"one", "two", "three"}

// startHouse starts the example examples/cluster piece by piece.
func startHouse(t *testing.T) *house {
	t.Helper()
	folder, err := filepath.Abs("../../examples/cluster")
	if err != nil {
		t.Fatal(err)
	}
	h, r := &house{}, startRedis(t)
	var ports []string
	for _, name := range serverNames {
		env := []string{"CHAT_SERVER=" + name, "REDIS_URL=unix://" + r.socket()}
		s := start(t, site{file: filepath.Join(folder, "server.Caddyfile"), env: env, plain: true})
		h.servers = append(h.servers, s)
		ports = append(ports, "PORT_"+strings.ToUpper(name)+"="+strings.TrimPrefix(s.addr, "127.0.0.1:"))
	}
	for _, s := range h.servers {
		expect(t, "servers that it knows", len(serverNames), func() int { return s.stat("cluster_nodes") })
	}
	h.door = start(t, site{file: filepath.Join(folder, "Caddyfile"), env: ports})
	return h
}

// onOneServerAndOnThree runs a test for the chat on one server, and for that on three behind a load balancer.
func onOneServerAndOnThree(t *testing.T, test func(t *testing.T, h *house)) {
	t.Run("on one server", func(t *testing.T) {
		t.Parallel()
		s := startChat(t)
		test(t, &house{servers: []*server{s}, door: s})
	})
	t.Run("on three servers behind a load balancer", func(t *testing.T) {
		t.Parallel()
		test(t, startHouse(t))
	})
}

// serverOf is the name of the server that a page says it is on; "" where there is only one.
func serverOf(p *tab) string {
	p.t.Helper()
	return strings.TrimPrefix(p.text("#server"), "on server ")
}

// comes opens the page in a tab and joins. The page is loaded anew until it is on none of these servers.
func (h *house) comes(t *testing.T, browser context.Context, address, nickname string, notOn ...string) *tab {
	t.Helper()
	p := open(t, browser, address)
	enter(p, nickname)
	p.shows("#log", "Welcome, "+nickname+".")
	for len(h.servers) > 1 && slices.Contains(notOn, serverOf(p)) {
		p.reload()
		p.shows("#log", "Welcome, "+nickname+".")
	}
	return p
}

// named returns a server by its name.
func (h *house) named(name string) *server { return h.servers[slices.Index(serverNames, name)] }

func (p *tab) reload() {
	p.t.Helper()
	p.run(chromedp.Reload())
}

// whisper writes to one person alone.
func whisper(p *tab, to, text string) {
	p.t.Helper()
	p.click(`#people button[title="Write to ` + to + ` alone"]`)
	say(p, text)
	p.click("#everyone")
}

// wantOnce sees that these texts are in the log of a page, each once and in this order.
func (p *tab) wantOnce(texts ...string) {
	p.t.Helper()
	log, last := p.text("#log"), -1
	for _, text := range texts {
		at := strings.Index(log, text)
		if at <= last || strings.Count(log, text) != 1 {
			p.t.Errorf("want %q once and in order, the log has:\n%s", texts, log)
			return
		}
		last = at
	}
}

// wantNever sees that the log of a page has none of these texts.
func (p *tab) wantNever(texts ...string) {
	p.t.Helper()
	log := p.text("#log")
	for _, text := range texts {
		if strings.Contains(log, text) {
			p.t.Errorf("%q is in the log:\n%s", text, log)
		}
	}
}

func TestPeopleChatAcrossServersAndAPageThatIsLoadedAnewShowsWhatWasSaid(t *testing.T) {
	t.Parallel()
	onOneServerAndOnThree(t, func(t *testing.T, h *house) {
		chromium := browser(t)
		alice := h.comes(t, chromium, h.door.url("/"), "Alice")
		bob := h.comes(t, chromium, h.door.url("/"), "Bob", serverOf(alice))
		carol := h.comes(t, chromium, h.door.url("/"), "Carol", serverOf(alice), serverOf(bob))
		everyone := []*tab{alice, bob, carol}
		for n, text := range []string{"first", "second", "third"} {
			say(everyone[n], "the "+text+" word")
			for _, p := range everyone {
				p.shows("#people", "Alice", "Bob", "Carol")
				p.shows("#log", "the "+text+" word")
			}
		}

		// A word in private reaches one person, on whichever server.
		whisper(alice, "Carol", "for Carol alone")
		carol.shows("#log", "only to you", "for Carol alone")
		alice.shows("#log", "only to Carol", "for Carol alone")
		say(carol, "the fourth word")
		bob.shows("#log", "the fourth word")
		bob.wantNever("for Carol alone")

		// Whoever comes back or comes late is told what was said to everyone.
		said := []string{"the first word", "the second word", "the third word", "the fourth word"}
		bob.reload()
		dora := h.comes(t, chromium, h.door.url("/"), "Dora", serverOf(alice))
		for _, p := range []*tab{bob, dora} {
			p.shows("#log", said...)
			p.wantOnce(said...)
			p.wantNever("for Carol alone")
		}
		// And it is one of those that are here, with an address.
		whisper(carol, "Bob", "good that you are back")
		bob.shows("#log", "only to you", "good that you are back")
	})
}

func TestAPageThatIsLoadedAnewMakesNobodyLeaveAndOneThatIsClosedDoes(t *testing.T) {
	t.Parallel()
	onOneServerAndOnThree(t, func(t *testing.T, h *house) {
		chromium := browser(t)
		alice := h.comes(t, chromium, h.door.url("/"), "Alice")
		bob := h.comes(t, chromium, h.door.url("/"), "Bob", serverOf(alice))
		alice.shows("#log", "Bob has joined.")
		carol := h.comes(t, chromium, h.door.url("/"), "Carol")
		alice.shows("#log", "Carol has joined.")
		for range 3 {
			bob.reload()
			bob.shows("#people", "Alice", "Bob (you)", "Carol")
		}
		// Carol leaves later than Bob would have left.
		carol.close()
		for _, p := range []*tab{alice, bob} {
			p.shows("#log", "Carol has left.")
		}
		alice.wantOnce("Bob has joined.", "Carol has joined.", "Carol has left.")
		alice.wantNever("Bob has left.")
		if people := alice.text("#people"); !strings.Contains(people, "Bob") || strings.Contains(people, "Carol") {
			t.Errorf("here are %q", people)
		}
	})
}

func TestAPageWhoseNetworkIsAwayMissesNothingOnWhicheverServerItComesBack(t *testing.T) {
	t.Parallel()
	onOneServerAndOnThree(t, func(t *testing.T, h *house) {
		chromium := browser(t)
		network := newCable(t, h.door)
		alice := h.comes(t, chromium, h.door.url("/"), "Alice")
		bob := h.comes(t, chromium, network.url(h.door, "/"), "Bob", serverOf(alice))
		alice.shows("#people", "Bob")
		first, moved := serverOf(bob), len(h.servers) == 1
		var said []string
		for round := 0; round < 3 || !moved; round++ {
			network.set(cut)
			bob.shows("#status", "Reconnecting")
			toAll, toBob := fmt.Sprintf("to all %d.", round), fmt.Sprintf("to Bob %d.", round)
			say(alice, toAll)
			alice.shows("#log", toAll)
			whisper(alice, "Bob", toBob)
			alice.shows("#log", toBob)
			said = append(said, toAll, toBob)
			network.set(sound)
			bob.shows("#status", "Bob")
			bob.shows("#log", toAll, toBob)
			// What he says goes on as well.
			answer := fmt.Sprintf("Bob heard it %d.", round)
			say(bob, answer)
			for _, p := range []*tab{alice, bob} {
				p.shows("#log", answer)
			}
			said = append(said, answer)
			moved = moved || serverOf(bob) != first
			if round == 30 && !moved {
				t.Fatal("he comes back to the same server each time")
			}
		}
		bob.wantOnce(said...)
		bob.wantNever("connected again")
		alice.wantNever("Bob has left.")
	})
}

func TestTheVisitorsOfAServerThatIsKilledAreOnAnotherOneAndWhoDoesNotComeBackIsGone(t *testing.T) {
	t.Parallel()
	h, chromium := startHouse(t), browser(t)
	alice := h.comes(t, chromium, h.door.url("/"), "Alice")
	bob := h.comes(t, chromium, h.door.url("/"), "Bob", serverOf(alice))
	dying := serverOf(bob)
	// Somebody who speaks to that server only has nowhere to come back to.
	ghost := dial(t, h.named(dying), "/chat", nil)
	ghost.send(t, `{"type":"hello","name":"Ghost","key":"g"}`)
	ghost.isTold(t, "welcome", "Ghost")
	say(alice, "before the end")
	for _, p := range []*tab{alice, bob} {
		p.shows("#people", "Ghost")
		p.shows("#log", "before the end")
	}

	if err := h.named(dying).cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-h.named(dying).exited
	eventually(t, func() error {
		if now := serverOf(bob); now == dying {
			return fmt.Errorf("the page says it is on %s", now)
		}
		return nil
	})
	bob.shows("#status", "Bob")
	say(alice, "to those who are left")
	bob.shows("#log", "to those who are left")
	whisper(alice, "Bob", "you as well")
	bob.shows("#log", "only to you", "you as well")
	say(bob, "here I am")
	for _, p := range []*tab{alice, bob} {
		p.shows("#log", "here I am")
	}

	// When the lease is over, the ghost has left, and nobody else. Bob's new session begins with a list that may be without it already.
	alice.shows("#log", "Ghost has left.")
	for _, p := range []*tab{alice, bob} {
		if people := p.text("#people"); strings.Contains(people, "Ghost") || !strings.Contains(people, "Alice") || !strings.Contains(people, "Bob") {
			t.Errorf("here are %q", people)
		}
	}
	alice.wantNever("Bob has left.")
	bob.wantOnce("before the end", "to those who are left", "you as well", "here I am")
	// Its nickname is free.
	h.comes(t, chromium, h.door.url("/"), "Ghost")
}

func TestTheServersOfTheClusterHaveTheRouteOfTheChat(t *testing.T) {
	t.Parallel()
	route := func(file string) string {
		text, err := os.ReadFile("../../examples/" + file)
		if err != nil {
			t.Fatal(err)
		}
		found := regexp.MustCompile(`(?s)\n\twebsocket /chat \{.*?\n\t\}\n`).FindString(string(text))
		if found == "" {
			t.Fatalf("%s has no route", file)
		}
		return regexp.MustCompile(`\n\t*#[^\n]*`).ReplaceAllString(found, "")
	}
	if alone, one := route("chat/Caddyfile"), route("cluster/server.Caddyfile"); alone != one {
		t.Errorf("alone it is%sand in the cluster%s", alone, one)
	}
}
