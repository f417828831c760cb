package phpext_test

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	bridge "github.com/frankenphp-ws/frankenphp-ws/go-bridge"
)

const (
	opText   = 1
	opBinary = 2
	opClose  = 8
	opPing   = 9
	opPong   = 10
)

// client is the other end of a connection that the core has adopted.
type client struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
	id   string // where a worker has said it
}

// event is what testdata/worker.php says of an event.
type event struct {
	Type, ID, Route, Path, Query, IP, Subprotocol string
	Headers, Cookies                              map[string]string
	Data                                          string
	DataInBase64                                  string `json:"data in base64"`
	Binary, Clean                                 bool
	Code                                          int
	Reason                                        string
}

// connect upgrades a connection for route; headers are further lines of the request.
func connect(t *testing.T, route, target string, headers ...string) *client {
	t.Helper()
	head := "GET " + target + " HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
		strings.Join(append(headers, ""), "\r\n") + "\r\n"
	handshake, err := bridge.NewHandshake(route, []byte(head), "192.0.2.7")
	if err != nil {
		t.Fatal(err)
	}
	defer handshake.Close()
	if handshake.Status() != 101 {
		t.Fatalf("the handshake was refused with %d %s", handshake.Status(), handshake.Text())
	}

	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	file := os.NewFile(uintptr(pair[0]), "client")
	conn, err := net.FileConn(file)
	_ = file.Close()
	if err != nil {
		t.Fatal(err)
	}
	if err := handshake.Adopt(pair[1], nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })

	return &client{t: t, conn: conn, in: bufio.NewReader(conn)}
}

// connectApp connects to the worker's route and waits for the worker to have seen it.
func connectApp(t *testing.T) *client {
	t.Helper()

	return connectWorker(t, "app")
}

// connectWorker connects to the route of a worker and waits for the worker to have seen it.
func connectWorker(t *testing.T, route string) *client {
	t.Helper()
	c := connect(t, route, "/app")
	c.id = c.event().ID

	return c
}

// send sends a message; its mask is zero, which masks nothing.
func (c *client) send(opcode byte, payload string) {
	c.t.Helper()
	frame := []byte{0x80 | opcode}
	switch n := len(payload); {
	case n < 126:
		frame = append(frame, 0x80|byte(n))
	case n < 1<<16:
		frame = binary.BigEndian.AppendUint16(append(frame, 0x80|126), uint16(n))
	default:
		frame = binary.BigEndian.AppendUint64(append(frame, 0x80|127), uint64(n))
	}
	frame = append(frame, 0, 0, 0, 0)
	if err := c.conn.SetWriteDeadline(time.Now().Add(patience)); err != nil {
		c.t.Fatal(err)
	}
	if _, err := c.conn.Write(append(frame, payload...)); err != nil {
		c.t.Fatal(err)
	}
}

// stay answers the server's pings until the connection ends: without it a client that a test leaves alone for long is cut. The
// client must not be read otherwise.
func (c *client) stay() {
	go func() {
		for {
			var head [2]byte
			if _, err := io.ReadFull(c.in, head[:]); err != nil || head[0] != 0x80|opPing {
				return
			}
			payload := make([]byte, head[1]) // of a control frame: at most 125
			if _, err := io.ReadFull(c.in, payload); err != nil {
				return
			}
			pong := append([]byte{0x80 | opPong, 0x80 | head[1], 0, 0, 0, 0}, payload...)
			if _, err := c.conn.Write(pong); err != nil {
				return
			}
		}
	}()
}

// receive returns the next frame.
func (c *client) receive() (opcode byte, payload string) {
	c.t.Helper()
	opcode, payload, err := c.read()
	if err != nil {
		c.t.Fatal(err)
	}

	return opcode, payload
}

func (c *client) read() (opcode byte, payload string, err error) {
	if err := c.conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return 0, "", err
	}
	var head [2]byte
	if _, err := io.ReadFull(c.in, head[:]); err != nil {
		return 0, "", fmt.Errorf("reading a frame: %w", err)
	}
	size := uint64(head[1])
	switch size {
	case 126:
		var n [2]byte
		if _, err := io.ReadFull(c.in, n[:]); err != nil {
			return 0, "", err
		}
		size = uint64(binary.BigEndian.Uint16(n[:]))
	case 127:
		var n [8]byte
		if _, err := io.ReadFull(c.in, n[:]); err != nil {
			return 0, "", err
		}
		size = binary.BigEndian.Uint64(n[:])
	}
	data := make([]byte, size)
	if _, err := io.ReadFull(c.in, data); err != nil {
		return 0, "", err
	}

	return head[0] & 0x0f, string(data), nil
}

// event returns the next event that the worker says it has seen.
func (c *client) event() event {
	c.t.Helper()
	opcode, text := c.receive()
	var e event
	if err := json.Unmarshal([]byte(text), &e); opcode != opText || err != nil {
		c.t.Fatalf("the worker sent a frame of type %d with %q, which is no event", opcode, text)
	}

	return e
}

// sees sends a text message and waits for the worker to say that it has come.
func (c *client) sees(text string) {
	c.t.Helper()
	c.send(opText, text)
	c.awaits(text)
}

// awaits waits for the worker to say that a text message, which must be the next one, has come.
func (c *client) awaits(text string) {
	c.t.Helper()
	if e := c.event(); e.Type != "message" || e.Data != text {
		c.t.Fatalf("the worker saw %s %q where the message %q was next", e.Type, e.Data, text)
	}
}
