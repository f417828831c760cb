package bridge

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func headers(h *Handshake) map[string]string {
	all := make(map[string]string)
	h.Headers(func(name, value string) { all[strings.ToLower(name)] = value })

	return all
}

func TestAGoodHandshakeIsAnsweredWith101AndItsHeaders(t *testing.T) {
	useRoutes(t, `{"routes":[{"name":"core","echo":true,"subprotocols":["b","a"]}]}`)

	h, err := NewHandshake("core", upgrade("Sec-WebSocket-Protocol: a, b\r\n"), "192.0.2.1")
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()

	got := headers(h)
	for name, want := range map[string]string{
		"upgrade":                "websocket",
		"sec-websocket-accept":   "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", // RFC 6455, 1.3
		"sec-websocket-protocol": "a",
	} {
		if got[name] != want {
			t.Errorf("%s is %q, want %q", name, got[name], want)
		}
	}
	if h.Status() != 101 || h.Text() != "" {
		t.Errorf("got %d %q", h.Status(), h.Text())
	}
}

func TestARefusedHandshakeHasAStatusItsHeadersAndAText(t *testing.T) {
	useRoutes(t, `{"routes":[{"name":"core","echo":true}]}`)

	h, err := NewHandshake("core", []byte(strings.Replace(string(upgrade("")), "Version: 13", "Version: 8", 1)), "")
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()

	if h.Status() != 426 || headers(h)["sec-websocket-version"] != "13" || h.Text() == "" {
		t.Errorf("got %d, %v, %q", h.Status(), headers(h), h.Text())
	}
	if err := h.Adopt(-1, nil); err == nil {
		t.Error("a refused handshake adopted a connection")
	}
}

func TestAClientIsKnownFromTheMomentItIsEnteredAndForgottenWithItsHandshake(t *testing.T) {
	useRoutes(t, `{"routes":[{"name":"core","echo":true}]}`)
	count := func() string {
		reader, err := Command([]byte(`{"count":{"route":"core"}}`))
		if err != nil {
			t.Fatal(err)
		}
		defer reader.Close()
		answer, err := io.ReadAll(reader)
		if err != nil {
			t.Fatal(err)
		}

		return string(answer)
	}

	h, err := NewHandshake("core", upgrade(""), "192.0.2.1")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(h.SetID("ann"), h.Enter(TCP)); err != nil {
		t.Fatal(err)
	}
	if got := count(); got != `{"count":1}` {
		t.Errorf("after it was entered: %s", got)
	}
	if err := h.SetID("bob"); !errors.Is(err, ErrStale) {
		t.Errorf("another id after that: %v", err)
	}
	h.Close()
	for deadline := time.Now().Add(10 * time.Second); count() != `{"count":0}`; {
		if time.Now().After(deadline) {
			t.Fatal("a client whose handshake was given up is still there")
		}
	}

	refused, err := NewHandshake("nowhere", upgrade(""), "192.0.2.1")
	if err != nil {
		t.Fatal(err)
	}
	defer refused.Close()
	if err := refused.Enter(TCP); !errors.Is(err, ErrStale) || refused.Status() != 503 {
		t.Errorf("a refused handshake: %v, %d", err, refused.Status())
	}
}

func TestAPageOfAnotherHostNeedsPermission(t *testing.T) {
	useRoutes(t, `{"routes":[{"name":"core","echo":true}]}`)

	for origin, want := range map[string]int{"https://evil.example": 403, "http://example.com": 101} {
		h, err := NewHandshake("core", upgrade("Origin: "+origin+"\r\n"), "")
		if err != nil {
			t.Fatal(err)
		}
		if h.Status() != want {
			t.Errorf("%s: got %d, want %d", origin, h.Status(), want)
		}
		h.Close()
	}
}

func TestAHandshakeIsGivenWhatTheHostAuthorised(t *testing.T) {
	useRoutes(t, `{"routes":[{"name":"pair","echo":true,"subprotocols":["a"],"max_connections":2}]}`)

	examine := func() *Handshake {
		h, err := NewHandshake("pair", upgrade("Sec-WebSocket-Protocol: a, b\r\n"), "192.0.2.1")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(h.Close)

		return h
	}
	first, second := examine(), examine()

	for _, err := range []error{
		first.SetID("ann"), first.SetSubprotocol("b"), first.AddTag("vip"), first.SetInformation("name", "A\x00nn"), first.SetInformation("empty", ""),
	} {
		if err != nil {
			t.Error(err)
		}
	}
	if got := headers(first)["sec-websocket-protocol"]; got != "b" {
		t.Errorf("the sub-protocol is %q", got)
	}

	for want, err := range map[Result]error{
		ErrIDTaken: second.SetID("ann"), ErrInvalidID: second.SetID(""), ErrSubprotocol: second.SetSubprotocol("c"),
		ErrInvalidTag: second.AddTag(""), ErrInvalidUTF8: second.AddTag("\xff"),
	} {
		if !errors.Is(err, want) {
			t.Errorf("got %v, want: %v", err, want)
		}
	}

	first.Deny()
	if err := first.AddTag("late"); !errors.Is(err, ErrStale) || first.Status() != 403 {
		t.Errorf("got %v, %d", err, first.Status())
	}
	if err := second.SetID("ann"); err != nil {
		t.Errorf("a denied handshake keeps its id: %v", err)
	}
	if third := examine(); third.Status() != 101 {
		t.Errorf("a denied handshake keeps its place: %d %s", third.Status(), third.Text())
	}
}

func TestClosingAHandshakeTwiceIsFine(t *testing.T) {
	h, err := NewHandshake("core", upgrade(""), "")
	if err != nil {
		t.Fatal(err)
	}
	h.Close()
	h.Close()
}

func TestAClosedHandshakeGivesItsPlaceBack(t *testing.T) {
	useRoutes(t, `{"routes":[{"name":"single","echo":true,"max_connections":1}]}`)

	for range 3 {
		h, err := NewHandshake("single", upgrade(""), "")
		if err != nil {
			t.Fatal(err)
		}
		if h.Status() != 101 {
			t.Errorf("got %d %s", h.Status(), h.Text())
		}
		h.Close()
	}
}

func TestFramesReadBehindTheRequestAreTheFirst(t *testing.T) {
	useRoutes(t, `{"routes":[{"name":"core","echo":true}]}`)

	// The second one is cut by the end of what was read.
	early := append(frame(opText, "first"), frame(opText, "second")...)
	c := connect(t, "core", early[:len(early)-3])
	if _, got := c.receive(); got != "first" {
		t.Errorf("got %q", got)
	}
	c.send(early[len(early)-3:])
	if _, got := c.receive(); got != "second" {
		t.Errorf("got %q", got)
	}
}

func TestASocketThatWasNotAdoptedIsStillTheCallers(t *testing.T) {
	h := new(Handshake)
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pair[1])

	if err := h.Adopt(pair[0], nil); !errors.Is(err, ErrNull) {
		t.Errorf("got %v", err)
	}
	if err := unix.Close(pair[0]); err != nil {
		t.Errorf("the socket is gone: %v", err)
	}
}

func TestAClientThatGoesLeavesNoDescriptorBehind(t *testing.T) {
	useRoutes(t, `{"routes":[{"name":"core","echo":true}]}`)
	before := descriptors(t)

	for range 20 {
		c := connect(t, "core", frame(opText, "hello"))
		c.receive()
		c.send(frame(opClose, "\x03\xe8"))
		if code := c.closeCode(); code != 1000 {
			t.Errorf("closed with %d", code)
		}
		c.conn.Close()
	}

	// The core closes its end when it has read that the client has closed the other.
	for deadline := time.Now().Add(10 * time.Second); descriptors(t) > before; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d descriptors instead of %d", descriptors(t), before)
		}
	}
}

func TestAConnectIsAHandshakeOnlyWhereItIsAnExtendedOne(t *testing.T) {
	useRoutes(t, `{"routes":[{"name":"core","echo":true}]}`)

	head := []byte("CONNECT /chat HTTP/1.1\r\nHost: example.com\r\nSec-WebSocket-Version: 13\r\n\r\n")
	for want, examine := range map[int]func(string, []byte, string) (*Handshake, error){200: NewConnectHandshake, 405: NewHandshake} {
		h, err := examine("core", head, "192.0.2.1")
		if err != nil {
			t.Fatal(err)
		}
		defer h.Close()
		if h.Status() != want {
			t.Errorf("got %d %s, want %d", h.Status(), h.Text(), want)
		}
	}
}
