package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/coder/websocket"
)

func startChat(t *testing.T) *server {
	t.Helper()
	file, err := filepath.Abs("../../examples/chat/Caddyfile")
	if err != nil {
		t.Fatal(err)
	}
	return start(t, site{file: file})
}

// enter opens the chat's page and joins by typing and clicking.
func enter(p *tab, nickname string) {
	p.t.Helper()
	p.fill("#nickname", nickname)
	p.click("#enter")
}

// isTold reads to the next message of a type, which must have a text in it. The page does not mind what comes in between.
func (c *client) isTold(t *testing.T, kind, text string) {
	t.Helper()
	message := c.receive(t)
	for field(t, message, "type") != kind {
		message = c.receive(t)
	}
	if !strings.Contains(message, text) {
		t.Fatalf("was told %s, want %s", message, text)
	}
}

func say(p *tab, text string) {
	p.t.Helper()
	p.fill("#text", text)
	p.click("#send")
}

// showsHTMLAsText says what looks like HTML: it is shown, and nothing else happens.
func showsHTMLAsText(t *testing.T, alice, bob *tab) {
	t.Helper()
	attack := `<img src=x onerror=alert(1)><b>bold</b>`
	say(alice, attack)
	bob.shows("#log", attack)
	alice.shows("#log", attack)
	var elements int
	bob.evaluate("document.querySelectorAll('#log img, #log b').length", &elements)
	if elements != 0 {
		t.Errorf("a message has made %d elements", elements)
	}
	say(bob, "Hello Alice 👋")
	alice.shows("#log", "Hello Alice 👋")
}

// writesToOneAlone has bob write to alice, which carol does not see, and then to everyone.
func writesToOneAlone(t *testing.T, alice, bob *tab, carol *client) {
	t.Helper()
	bob.shows("#people", "Carol")
	bob.click(`#people button[title="Write to Alice alone"]`)
	bob.shows("#addressee", "Only to Alice")
	say(bob, "a word in private")
	bob.shows("#log", "only to Alice", "a word in private")
	alice.shows("#log", "only to you", "a word in private")
	bob.click("#everyone")
	say(bob, "a word to all")
	alice.shows("#log", "a word to all")
	carol.isTold(t, "said", "a word to all")
}

// cannotTakeANameThatIsTaken tries to enter with a nickname that somebody has, in whatever case, and then enters with another one.
func cannotTakeANameThatIsTaken(bob *tab, taken, free string) {
	bob.shows("#door", "One person is here.")
	enter(bob, taken)
	bob.shows("#refusal", taken+" is taken")
	bob.evaluate("document.querySelector('#nickname').value = ''", nil)
	enter(bob, free)
}

func TestTwoPeopleChatByClickingInTheirBrowsers(t *testing.T) {
	t.Parallel()
	s := startChat(t)
	chromium := browser(t)
	address := s.url("/")

	alice := open(t, chromium, address)
	alice.shows("#door", "Nobody is here yet")
	alice.screenshot("door")
	enter(alice, "Alice")
	alice.shows("#log", "Welcome, Alice.")
	alice.shows("#people", "Alice (you)")

	bob := open(t, chromium, address)
	cannotTakeANameThatIsTaken(bob, "ALICE", "Bob")
	bob.shows("#people", "Alice", "Bob (you)")
	alice.shows("#log", "Bob has joined.")
	alice.shows("#people", "Bob")

	showsHTMLAsText(t, alice, bob)

	// A third person sees what is for everyone, and not what is for one.
	carol := dial(t, s, "/chat", nil)
	carol.send(t, `{"type":"hello","name":"Carol","key":"c"}`)
	carol.isTold(t, "said", "<b>bold</b>")
	carol.isTold(t, "said", "Hello Alice 👋")
	carol.isTold(t, "welcome", `["Alice","Bob","Carol"]`)
	writesToOneAlone(t, alice, bob, carol)

	// An ordinary request speaks to everyone.
	if status, body := s.post("/announce.php", "application/x-www-form-urlencoded", "text=Lunch+is+ready"); status != http.StatusOK || body != "Announced to 3.\n" {
		t.Errorf("announce.php: %d %q", status, body)
	}
	alice.shows("#log", "Announcement", "Lunch is ready")
	bob.shows("#log", "Lunch is ready")
	carol.isTold(t, "announced", "Lunch is ready")
	alice.screenshot("room")
	alice.dark()
	alice.screenshot("room-dark")
	alice.size(390, 760)
	alice.click("#who")
	alice.screenshot("room-phone")

	// A reload of the server is not noticed.
	s.load(s.source())
	say(bob, "after a reload")
	alice.shows("#log", "after a reload")

	if err := carol.Close(websocket.StatusNormalClosure, ""); err != nil {
		t.Error(err)
	}
	alice.shows("#log", "Carol has left.")
	bob.close()
	alice.shows("#log", "Bob has left.")
	if people := alice.text("#people"); strings.Contains(people, "Bob") || strings.Contains(people, "Carol") {
		t.Errorf("still here: %q", people)
	}
}

func TestTheChatPageReconnectsByItselfAfterARestartOfTheServer(t *testing.T) {
	t.Parallel()
	s := startChat(t)
	dora := open(t, browser(t), s.url("/"))
	enter(dora, "Dora")
	dora.shows("#log", "Welcome, Dora.")
	s.stop()
	dora.shows("#status", "Reconnecting")
	dora.fill("#text", "kept while away")
	if err := s.launch(); err != nil {
		t.Fatal(err)
	}
	dora.shows("#log", "You are connected again.")
	dora.shows("#people", "Dora (you)")
	dora.click("#send")
	dora.shows("#log", "kept while away")
}

func TestANicknameIsHeldByOneConnectionHoweverManyWantItAtOnce(t *testing.T) {
	t.Parallel()
	s := startChat(t)
	for round := range 20 {
		const rivals = 8
		answers := make([]string, rivals)
		clients := make([]*client, rivals)
		for i := range rivals {
			clients[i] = dial(t, s, "/chat", nil)
		}
		var all sync.WaitGroup
		for i, c := range clients {
			all.Go(func() {
				hello := fmt.Sprintf(`{"type":"hello","name":"Wanted %d","key":"%d"}`, round, i)
				if err := c.trySend(websocket.MessageText, hello); err != nil {
					t.Error(err)
					return
				}
				for answers[i] == "" {
					_, message, err := c.tryReceive()
					if err != nil {
						t.Error(err)
						return
					}
					var got struct{ Type string }
					json.Unmarshal([]byte(message), &got)
					if got.Type == "welcome" || got.Type == "refused" {
						answers[i] = got.Type
					}
				}
			})
		}
		all.Wait()
		if welcomes := strings.Count(strings.Join(answers, " "), "welcome"); welcomes > 1 {
			t.Fatalf("%d connections were given one nickname", welcomes)
		}
		for _, c := range clients {
			c.CloseNow()
		}
	}
}

func TestAPageThatComesBackGetsItsNicknameBackAndTheOldConnectionGoes(t *testing.T) {
	t.Parallel()
	s := startChat(t)
	hello := `{"type":"hello","name":"Eve","key":"the same page"}`
	old := dial(t, s, "/chat", nil)
	old.send(t, hello)
	old.isTold(t, "welcome", "Eve")
	other := dial(t, s, "/chat", nil)
	other.send(t, `{"type":"hello","name":"eve","key":"another page"}`)
	other.isTold(t, "refused", "eve is taken")
	back := dial(t, s, "/chat", nil)
	back.send(t, hello)
	back.isTold(t, "welcome", `"people":["Eve"]`)
	old.wantClose(t, 4000)
}

func TestTheChatRefusesWhatIsNoMessageOfIt(t *testing.T) {
	t.Parallel()
	s := startChat(t)
	c := dial(t, s, "/chat", nil)
	for _, nonsense := range []string{
		"", "{", "null", "[]", `"hello"`, `{"type":"dance"}`, `{"type":["hello"]}`, strings.Repeat("[", 1000),
	} {
		c.send(t, nonsense)
		if got := c.receive(t); !strings.Contains(got, `"error"`) {
			t.Errorf("%.40q: %s", nonsense, got)
		}
	}
	for _, nickname := range []string{`""`, `" "`, `"-dash"`, `"<b>"`, `"a\nb"`, `"` + strings.Repeat("x", 25) + `"`, `["Alice"]`, `7`} {
		c.send(t, `{"type":"hello","name":`+nickname+`,"key":"k"}`)
		if got := c.receive(t); !strings.Contains(got, `"refused"`) {
			t.Errorf("nickname %s: %s", nickname, got)
		}
	}
	// Without a nickname nothing can be said; with one, nothing empty and nothing too long.
	c.send(t, `{"type":"say","text":"before joining"}`)
	c.isTold(t, "error", "no message")
	c.send(t, `{"type":"hello","name":"Frank","key":"k"}`)
	c.isTold(t, "welcome", "Frank")
	c.send(t, `{"type":"say","text":"  "}`)
	c.send(t, `{"type":"say","text":"`+strings.Repeat("x", 2001)+`"}`)
	c.send(t, `{"type":"whisper","to":"nobody","text":"hello?"}`)
	c.isTold(t, "error", "they have left")
	c.send(t, `{"type":"whisper","to":"`+strings.Repeat("x", 300)+`","text":"hello?"}`)
	c.isTold(t, "error", "they have left")
	c.send(t, `{"type":"say","text":"at last"}`)
	c.isTold(t, "said", "at last")

	for body, want := range map[string]int{"": 400, "text=": 400, "text[]=x": 400, "text=%FF": 400, "text=" + strings.Repeat("x", 2001): 400, "text=ok": 200} {
		if status, answer := s.post("/announce.php", "application/x-www-form-urlencoded", body); status != want {
			t.Errorf("announce %.20q: %d %q, want %d", body, status, answer, want)
		}
	}
	if status, _ := s.get("/announce.php"); status != http.StatusMethodNotAllowed {
		t.Errorf("GET /announce.php: %d", status)
	}
	for _, path := range []string{"/worker.php", "/Chat.php", "/../worker.php", "/Caddyfile"} {
		if status, body := s.get(path); status == http.StatusOK && !strings.Contains(body, "<!doctype html>") {
			t.Errorf("GET %s: %d %.100q", path, status, body)
		}
	}
}
