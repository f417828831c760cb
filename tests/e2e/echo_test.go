package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/coder/websocket"
)

// The example is what users copy, so it is what is tested.
func startEcho(t *testing.T) *server {
	t.Helper()
	file, err := filepath.Abs("../../examples/echo/Caddyfile")
	if err != nil {
		t.Fatal(err)
	}
	return start(t, site{file: file})
}

// echoesMessages sends messages of every kind and size.
func echoesMessages(t *testing.T, s *server, path string) {
	t.Run("text of any size, whole", func(t *testing.T) {
		c := dial(t, s, path, nil)
		for _, size := range []int{0, 1, 125, 126, 65535, 65536, 900_000} {
			message := string(bytes.Repeat([]byte("x"), size))
			c.send(t, message)
			if got := c.receive(t); got != message {
				t.Fatalf("%d bytes came back as %d", size, len(got))
			}
		}
		c.send(t, "Grüße, 世界 👋\x00!")
		c.want(t, "Grüße, 世界 👋\x00!")
	})
	t.Run("binary as binary", func(t *testing.T) {
		c := dial(t, s, path, nil)
		for _, message := range []string{"", "\x00\xff\xfe", string(bytes.Repeat([]byte{0, 255}, 40_000))} {
			if err := c.trySend(websocket.MessageBinary, message); err != nil {
				t.Fatal(err)
			}
			kind, got, err := c.tryReceive()
			if err != nil || kind != websocket.MessageBinary || got != message {
				t.Fatalf("%d bytes came back as %v of %d bytes (%v)", len(message), kind, len(got), err)
			}
		}
	})
	t.Run("fragments as one message", func(t *testing.T) {
		r := dialRaw(t, s.addr, path, "")
		r.send(t,
			frame(false, opText, []byte("one ")),
			frame(false, opContinuation, nil),
			frame(false, opContinuation, []byte("two ")),
			frame(true, opPing, []byte("between")),
			frame(true, opContinuation, []byte("three")))
		// The pong may not wait for the message, the message not for anything else.
		r.wantFrame(t, opPong, "between")
		r.wantFrame(t, opText, "one two three")
	})
}

// echoesWhateverTheSegments sends many messages at once, and some in pieces of TCP.
func echoesWhateverTheSegments(t *testing.T, s *server, path string) {
	t.Run("in order, however many are under way", func(t *testing.T) {
		r := dialRaw(t, s.addr, path, "")
		var all []byte
		for i := range 500 {
			all = append(all, text(fmt.Sprint("message ", i))...)
		}
		r.send(t, all)
		for i := range 500 {
			r.wantFrame(t, opText, fmt.Sprint("message ", i))
		}
	})
	t.Run("one byte at a time", func(t *testing.T) {
		r := dialRaw(t, s.addr, path, "")
		for _, b := range append(text("slowly"), frame(true, opBinary, []byte{1, 2, 3})...) {
			r.send(t, []byte{b})
		}
		r.wantFrame(t, opText, "slowly")
		r.wantFrame(t, opBinary, "\x01\x02\x03")
	})
	t.Run("frames in the same segment as the request", func(t *testing.T) {
		early := text("first") // and a part of the second
		second := text("second")
		r := dialRaw(t, s.addr, path, string(early)+string(second[:3]))
		r.wantFrame(t, opText, "first")
		r.send(t, second[3:])
		r.wantFrame(t, opText, "second")
	})
}

// answersControlFrames sends pings, close frames, and what must end the connection.
func answersControlFrames(t *testing.T, s *server, path string) {
	t.Run("a ping is answered with its payload", func(t *testing.T) {
		r := dialRaw(t, s.addr, path, "")
		r.send(t, frame(true, opPong, []byte("unasked")), frame(true, opPing, nil), frame(true, opPing, bytes.Repeat([]byte("p"), 125)))
		r.wantFrame(t, opPong, "")
		r.wantFrame(t, opPong, string(bytes.Repeat([]byte("p"), 125)))
		dial(t, s, path, nil).ping(t)
	})
	t.Run("a close frame is answered with its code, then the connection ends", func(t *testing.T) {
		r := dialRaw(t, s.addr, path, "")
		r.send(t, frame(true, opClose, []byte(closeBody(4321, "had enough"))))
		r.wantClose(t, 4321)

		c := dial(t, s, path, nil)
		if err := c.Close(websocket.StatusNormalClosure, "bye"); err != nil {
			t.Fatalf("the closing handshake: %v", err)
		}
	})
	t.Run("a close frame without a code is answered without one", func(t *testing.T) {
		r := dialRaw(t, s.addr, path, "")
		r.send(t, frame(true, opClose, nil))
		r.wantFrame(t, opClose, "")
		r.wantEnd(t)
	})
	t.Run("text that is not UTF-8 is refused with 1007", func(t *testing.T) {
		c := dial(t, s, path, nil)
		if err := c.trySend(websocket.MessageText, "\xff"); err != nil {
			t.Fatal(err)
		}
		c.wantClose(t, websocket.StatusInvalidFramePayloadData)
	})
	t.Run("an unmasked frame is refused with 1002", func(t *testing.T) {
		r := dialRaw(t, s.addr, path, "")
		r.send(t, []byte{0x81, 0x01, 'x'})
		r.wantCloseFrame(t, 1002)
	})
}

func TestTheEchoExampleSendsEveryMessageBack(t *testing.T) {
	t.Parallel()
	s := startEcho(t)
	for _, path := range []string{"/core", "/php"} {
		t.Run(path[1:], func(t *testing.T) {
			echoesMessages(t, s, path)
			echoesWhateverTheSegments(t, s, path)
			answersControlFrames(t, s, path)
		})
	}
}

func TestAMessageOverTheLimitIsRefusedWith1009(t *testing.T) {
	t.Parallel()
	s := start(t, site{body: `
	websocket /core {
		echo
		max_message_size 1KB
	}`})
	fits := string(bytes.Repeat([]byte("x"), 1000))
	c := dial(t, s, "/core", nil)
	c.send(t, fits)
	c.want(t, fits)
	if err := c.trySend(websocket.MessageText, fits+"x"); err != nil {
		t.Fatal(err)
	}
	c.wantClose(t, websocket.StatusMessageTooBig)

	// The size that a frame declares is enough: nothing is kept waiting for the bytes.
	r := dialRaw(t, s.addr, "/core", "")
	r.send(t, []byte{0x82, 0xFF, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0})
	r.wantCloseFrame(t, 1009)

	// In fragments it is no less a message.
	r = dialRaw(t, s.addr, "/core", "")
	r.send(t, frame(false, opText, []byte(fits)), frame(true, opContinuation, []byte("x")))
	r.wantCloseFrame(t, 1009)
}

func TestAFullRouteRefusesFurtherConnections(t *testing.T) {
	t.Parallel()
	s := start(t, site{body: `
	websocket /core {
		echo
		max_connections 2
	}`})
	first, second := dial(t, s, "/core", nil), dial(t, s, "/core", nil)
	var refused *client
	refused, err := tryDial(s, "/core", nil)
	if err == nil {
		refused.CloseNow()
		t.Fatal("a third connection was accepted on a route of two")
	}
	second.send(t, "still here")
	second.want(t, "still here")
	if err := first.Close(websocket.StatusNormalClosure, ""); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() error {
		c, err := tryDial(s, "/core", nil)
		if err == nil {
			c.CloseNow()
		} else if errors.Is(err, context.DeadlineExceeded) {
			return stopWaiting{err}
		}
		return err
	})
}
