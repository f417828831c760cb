package websocket

import (
	"bufio"
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// signedTarget is the target of a call of application 1, whose secret is s3cr3t, with this body.
func signedTarget(method, path, body string) string {
	query := fmt.Sprintf("auth_key=key&auth_timestamp=%d&auth_version=1.0&body_md5=%x", time.Now().Unix(), md5.Sum([]byte(body)))
	mac := hmac.New(sha256.New, []byte("s3cr3t"))
	io.WriteString(mac, method+"\n"+path+"\n"+query)

	return path + "?" + query + "&auth_signature=" + hex.EncodeToString(mac.Sum(nil))
}

// caller sends calls in parts.
type caller struct {
	net.Conn
	answers *bufio.Reader
}

func newCaller(t *testing.T, socket string) *caller {
	t.Helper()

	conn, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })

	return &caller{conn, bufio.NewReader(conn)}
}

// say sends a part.
func (c *caller) say(t *testing.T, text string) {
	t.Helper()

	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
}

// answer is the next answer, whose body is read.
func (c *caller) answer(t *testing.T) (*http.Response, string) {
	t.Helper()

	response, err := http.ReadResponse(c.answers, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}

	return response, string(body)
}

const anEvent = `{"name":"e","channel":"a","data":"d"}`

// eventHead is the head of a call that sends anEvent followed by so many spaces.
func eventHead(spaces int) (head, body string) {
	body = anEvent + strings.Repeat(" ", spaces)

	return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n", signedTarget("POST", "/apps/1/events", body), len(body)), body
}

// heldBytes is how much the bodies of calls take.
func heldBytes() uint64 {
	process.bodies.mu.Lock()
	defer process.bodies.mu.Unlock()

	return process.bodies.held
}

func untilHeld(t *testing.T, what string, is func(uint64) bool) {
	t.Helper()

	for end := time.Now().Add(time.Minute); !is(heldBytes()); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain: %s; held are %d bytes", what, heldBytes())
		}
	}
}

func pusherRoute(more string) string {
	return site("\troute {\n" + strings.Replace(oneApp, "/app/* {", "{\n"+more, 1) + "\t}")
}

func TestACallThatNobodyHasSignedIsAnsweredBeforeItsBodyIsRead(t *testing.T) {
	socket := run(t, pusherRoute(""))
	wrong := strings.Replace(signedTarget("POST", "/apps/1/events", anEvent), "auth_signature=", "auth_signature=0", 1)
	for _, length := range []string{"Content-Length: 1000", "Content-Length: 99999999", "Transfer-Encoding: chunked", "Content-Length: 1000\r\nExpect: 100-continue"} {
		for target, want := range map[string]int{
			"/apps/1/events":   http.StatusUnauthorized,
			wrong:              http.StatusUnauthorized,
			"/apps/2/events":   http.StatusNotFound,
			"/apps/1/nothing":  http.StatusNotFound,
			"/apps/1/channels": http.StatusMethodNotAllowed,
		} {
			c := newCaller(t, socket)
			c.say(t, "POST "+target+" HTTP/1.1\r\nHost: h\r\n"+length+"\r\n\r\n")
			response, body := c.answer(t)
			if response.StatusCode != want || !response.Close {
				t.Errorf("%s, %s: %d %q, close: %v", target, length, response.StatusCode, body, response.Close)
			}
			if _, err := c.answers.ReadByte(); err != io.EOF {
				t.Errorf("%s, %s: the connection is not closed: %v", target, length, err)
			}
		}
	}
	if held := heldBytes(); held != 0 {
		t.Errorf("%d bytes are held", held)
	}
}

func TestTheBodyOfASignedCallIsReadUpToItsLimit(t *testing.T) {
	socket := run(t, pusherRoute(""))
	const most = 6*10<<10 + 100*208 + 4096
	c := newCaller(t, socket)
	head, body := eventHead(most - len(anEvent))
	c.say(t, head+body)
	if response, text := c.answer(t); response.StatusCode != http.StatusOK || text != "{}" {
		t.Error(response.Status, text)
	}
	head, _ = eventHead(most - len(anEvent) + 1)
	c.say(t, head)
	if response, text := c.answer(t); response.StatusCode != http.StatusRequestEntityTooLarge || !strings.Contains(text, fmt.Sprint(most)) {
		t.Error(response.Status, text)
	}

	c = newCaller(t, socket)
	c.say(t, "POST "+signedTarget("POST", "/apps/1/events", anEvent)+" HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n")
	c.say(t, fmt.Sprintf("%x\r\n%s\r\n", most+1, strings.Repeat("x", most+1)))
	if response, text := c.answer(t); response.StatusCode != http.StatusRequestEntityTooLarge || !strings.Contains(text, fmt.Sprint(most)) {
		t.Error(response.Status, text)
	}

	c = newCaller(t, socket)
	head, body = eventHead(0)
	c.say(t, head+strings.Repeat("x", len(body)))
	if response, text := c.answer(t); response.StatusCode != http.StatusUnauthorized || !strings.Contains(text, "body_md5") {
		t.Error(response.Status, text)
	}
	head, body = eventHead(100)
	c.say(t, head+body)
	if response, _ := c.answer(t); response.StatusCode != http.StatusOK {
		t.Error("a call whose body was read leaves the connection to the next one:", response.Status)
	}
	untilHeld(t, "all is given back", func(held uint64) bool { return held == 0 })
}

func TestABodyThatDoesNotComeInTimeIsAnsweredWith408(t *testing.T) {
	socket := run(t, pusherRoute("handshake_timeout 300ms\n"))
	for _, part := range []string{"", anEvent} {
		c := newCaller(t, socket)
		head, _ := eventHead(10_000)
		c.say(t, head+part)
		response, text := c.answer(t)
		if response.StatusCode != http.StatusRequestTimeout || !response.Close || !strings.Contains(text, "in time") {
			t.Error(response.Status, text)
		}
	}
	untilHeld(t, "all is given back", func(held uint64) bool { return held == 0 })
}

func TestTheBodiesOfAllCallsTogetherHaveABudget(t *testing.T) {
	socket := run(t, strings.Replace(pusherRoute(""), "\tadmin off\n", "\tadmin off\n\twebsocket {\n\t\tmax_call_bytes 20KiB\n\t}\n", 1))
	slow, gone, other := newCaller(t, socket), newCaller(t, socket), newCaller(t, socket)

	// Who is alone may have what a call may have.
	head, body := eventHead(30_000)
	slow.say(t, head+body[:20_000])
	untilHeld(t, "the first one is read", func(held uint64) bool { return held >= 20_000 })
	head2, body2 := eventHead(0)
	other.say(t, head2+body2)
	response, text := other.answer(t)
	if response.StatusCode != http.StatusServiceUnavailable || response.Header.Get("Retry-After") != "1" || !strings.Contains(text, "bodies of other calls") {
		t.Error(response.Status, response.Header, text)
	}
	slow.say(t, body[20_000:])
	if response, text := slow.answer(t); response.StatusCode != http.StatusOK {
		t.Error(response.Status, text)
	}
	untilHeld(t, "the first one is carried out", func(held uint64) bool { return held == 0 })

	gone.say(t, head+body[:20_000])
	untilHeld(t, "the second one is read", func(held uint64) bool { return held >= 20_000 })
	gone.Close()
	untilHeld(t, "the second one has gone", func(held uint64) bool { return held == 0 })

	other = newCaller(t, socket)
	other.say(t, head2+body2)
	if response, text := other.answer(t); response.StatusCode != http.StatusOK {
		t.Error(response.Status, text)
	}
}

func TestABudgetIsKeptByAllTogetherButWhoeverIsAlone(t *testing.T) {
	b := budget{most: 100}
	for _, step := range []struct {
		before, after int
		want          bool
		held          uint64
	}{
		{0, 60, true, 60},
		{0, 41, false, 60},
		{0, 40, true, 100},
		{60, 61, false, 100},
		{40, 0, true, 60},
		{60, 1000, true, 1000},
		{0, 1, false, 1000},
	} {
		if got := b.grow(step.before, step.after); got != step.want || b.held != step.held {
			t.Errorf("%+v: %v, held %d", step, got, b.held)
		}
	}
}

func TestTheProtocolMayStandBehindAPrefixThatTheCaddyfileTakesAway(t *testing.T) {
	route := strings.Replace(oneApp, "/app/* ", "", 1)
	// In this order: respond stands before websocket otherwise.
	route = "\troute {\n" + route + "\t\trespond page 418\n\t}\n"
	socket := run(t, site("\thandle_path /ws/* {\n"+route+"\t}\n\thandle {\n\t\trewrite * /index.php\n"+route+"\t}"))
	get := func(target string) int {
		status, _, _ := plainRequest(t, socket, "GET "+target+" HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")

		return status
	}
	own := signedTarget("GET", "/apps/1/channels", "")
	for target, want := range map[string]int{
		"/up": http.StatusOK, "/ws/up": http.StatusOK, own: http.StatusOK, "/ws" + own: http.StatusOK,
		"/elsewhere/up": http.StatusTeapot, "/ws/x" + own: http.StatusNotFound, "/x" + own: http.StatusNotFound, "/" + own: http.StatusNotFound,
		strings.Replace(own, "/apps", "/APPS", 1):   http.StatusNotFound,
		strings.Replace(own, "/apps", "/%61pps", 1): http.StatusNotFound, strings.Replace(own, "/channels", "//channels", 1): http.StatusNotFound,
	} {
		if got := get(target); got != want {
			t.Errorf("%s: %d", target, got)
		}
	}
	for path, want := range map[string]string{
		"/app/key": "pusher:connection_established", "/ws/app/key": "pusher:connection_established", "/ws/app/k%65y": "pusher:connection_established",
		"/x/app/key": "4005", "/ws/x/app/key": "4005", "/app/x/app/key": "4005", "//app/key": "4005", "/app/key/": "4005", "/app/KEY": "4001", "/APP/key": "4005",
	} {
		c, response := dial(t, socket, path+"?protocol=7", nil)
		if response.StatusCode != http.StatusSwitchingProtocols {
			t.Errorf("%s: %s", path, response.Status)

			continue
		}
		frame := make([]byte, 80)
		if _, err := io.ReadFull(c, frame); err != nil || !strings.Contains(string(frame), want) {
			t.Errorf("%s: %q %v", path, frame, err)
		}
	}
}
