package e2e

import (
	"fmt"
	"net/http"
	"sync"
	"testing"

	"github.com/coder/websocket"
)

// tries is how often each of the users of a test comes.
const tries = 60

// comeAndGo lets five users with sessions of their own, hence with ids of their own, come again and again. in is called as soon as
// the client has its 101, and ends the connection.
func comeAndGo(t *testing.T, tls bool, in func(s *server, r *raw, id string)) {
	t.Helper()
	want := guarded()
	want.tls = tls
	s := start(t, want)
	var all sync.WaitGroup
	for user := range 5 {
		name := fmt.Sprintf("u%d", user)
		cookie := "Cookie: " + login(t, s, "classic", name).Get("Cookie")
		all.Go(func() {
			for try := range tries {
				r, err := tryRequest(s.addr, upgradeRequest(s.addr, "/ws/classic", cookie))
				if err != nil {
					t.Errorf("try %d: %v", try, err)
					return
				}
				if r.response.StatusCode == http.StatusSwitchingProtocols {
					in(s, r, "user "+name)
				} else {
					t.Errorf("try %d: %s", try, r.response.Status)
				}
				r.Close()
			}
		})
	}
	all.Wait()
}

func TestAPageThatIsToldAnIDByTheClientsFirstWordsFindsTheClient(t *testing.T) {
	t.Parallel()
	for _, tls := range []bool{false, true} {
		comeAndGo(t, tls, func(s *server, r *raw, id string) {
			status, answer := s.post("/call.php", "application/json", fmt.Sprintf(`{"call":"frankenphp_ws_send","args":[%q,"from the page"]}`, id))
			if status != http.StatusOK || answer != `{"value":true}` {
				t.Errorf("send answers %d %s", status, answer)
			}
			// Nothing is lost, whichever comes first.
			var got [2]string
			for i := range got {
				_, _, payload, err := r.readFrame()
				if err != nil {
					t.Errorf("message %d: %v", i, err)
				}
				got[i] = string(payload)
			}
			if got[0] != "from the page" && got[1] != "from the page" {
				t.Errorf("received %q", got)
			}
			r.Write(frame(true, opClose, []byte(closeBody(1001, ""))))
		})
	}
}

func TestAClientThatComesBackGetsItsIDAgain(t *testing.T) {
	t.Parallel()
	for what, leave := range map[string]func(r *raw){
		"after the closing handshake": func(r *raw) {
			r.Write(frame(true, opClose, []byte(closeBody(1001, ""))))
			for {
				if _, opcode, _, err := r.readFrame(); err != nil || opcode == opClose {
					return
				}
			}
		},
		// As a page that is loaded again: its new connection may overtake the end of the old one.
		"with no more than a close frame": func(r *raw) { r.Write(frame(true, opClose, []byte(closeBody(1001, "")))) },
		"without a goodbye":               func(r *raw) { r.Close() },
	} {
		t.Run(what, func(t *testing.T) {
			comeAndGo(t, false, func(_ *server, r *raw, _ string) { leave(r) })
		})
	}
}

func TestAnIDIsTakenFromAClientThatTheSiteClosesForANewOne(t *testing.T) {
	t.Parallel()
	s := start(t, guarded())
	header := login(t, s, "classic", "ann")
	// It answers no close frame.
	old := dialRaw(t, s.addr, "/ws/classic", "", "Cookie: "+header.Get("Cookie"))
	refused(t, s, "/ws/classic", http.StatusConflict, "Cookie: "+header.Get("Cookie"))
	if status, answer := s.post("/call.php", "application/json", `{"call":"frankenphp_ws_close","args":["user ann"]}`); status != http.StatusOK {
		t.Fatalf("%d %s", status, answer)
	}
	c := dial(t, s, "/ws/classic", &websocket.DialOptions{HTTPHeader: header})
	if got := c.given(t); got.ID != "user ann" {
		t.Errorf("the new one is %+v", got)
	}
	old.Close()
}
