package bridge

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// What calls return before the core is started, which these tests do once.
var beforeStart struct {
	running    bool
	watcher    error
	stats      error
	routes     error
	gate       error
	command    error
	badJSON    error
	badSetting error
}

func TestMain(m *testing.M) {
	if os.Getenv(remoteTest) != "" {
		os.Exit(remoteMain())
	}

	beforeStart.running = Running()
	_, beforeStart.watcher = NewWatcher()
	_, beforeStart.stats = Stats()
	beforeStart.routes = StageRoutes(1, []byte(`{}`))
	_, beforeStart.gate = CloseGate(0)
	_, beforeStart.command = Command([]byte(`"routes"`))
	beforeStart.badJSON = Start([]byte(`{`))
	beforeStart.badSetting = Start([]byte(`{"shard":2}`))

	if err := Start([]byte(`{"shards":2}`)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}

	os.Exit(m.Run())
}

// generations numbers the configurations of all tests.
var generations atomic.Uint64

// useRoutes puts routes in force for the length of a test.
func useRoutes(t *testing.T, routes string) {
	t.Helper()

	generation := generations.Add(1)
	if err := StageRoutes(generation, []byte(routes)); err != nil {
		t.Fatal(err)
	}
	if err := CommitRoutes(generation); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := WithdrawRoutes(generation); err != nil {
			t.Error(err)
		}
	})
}

// upgrade is the head of an upgrade request, the example of RFC 6455, 1.3, with more header lines.
func upgrade(lines string) []byte {
	return []byte("GET /chat?room=1 HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n" + lines + "\r\n")
}

// connect adopts a connection for a route, with first already read, and returns the client's end of it.
func connect(t *testing.T, route string, first []byte) *client {
	t.Helper()

	h, err := NewHandshake(route, upgrade(""), "192.0.2.1")
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	if h.Status() != 101 {
		t.Fatalf("the handshake was refused with %d: %s", h.Status(), h.Text())
	}

	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Adopt(pair[0], first); err != nil {
		t.Fatal(err)
	}

	file := os.NewFile(uintptr(pair[1]), "client")
	defer file.Close()
	conn, err := net.FileConn(file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}

	return &client{t, conn, bufio.NewReader(conn)}
}

// client is the least of a WebSocket client: frames of up to 125 bytes, masked with zeros.
type client struct {
	t      *testing.T
	conn   net.Conn
	reader *bufio.Reader
}

const (
	opText  = 0x81
	opClose = 0x88
)

func frame(op byte, payload string) []byte {
	return append([]byte{op, 0x80 | byte(len(payload)), 0, 0, 0, 0}, payload...)
}

func (c *client) send(frame []byte) {
	c.t.Helper()

	if _, err := c.conn.Write(frame); err != nil {
		c.t.Fatal(err)
	}
}

func (c *client) receive() (op byte, payload string) {
	c.t.Helper()

	var head [2]byte
	if _, err := io.ReadFull(c.reader, head[:]); err != nil {
		c.t.Fatal(err)
	}
	body := make([]byte, head[1])
	if _, err := io.ReadFull(c.reader, body); err != nil {
		c.t.Fatal(err)
	}

	return head[0], string(body)
}

// closeCode reads until the close frame and returns its code, after which the connection must end.
func (c *client) closeCode() int {
	c.t.Helper()

	for {
		op, payload := c.receive()
		if op != opClose {
			continue
		}
		c.send(frame(opClose, payload))
		if rest, err := io.ReadAll(c.reader); err != nil || len(rest) > 0 {
			c.t.Errorf("behind the close frame: %q, %v", rest, err)
		}

		return int(payload[0])<<8 | int(payload[1])
	}
}

// listen calls ready whenever the core says that something waits, until the test ends.
func listen(t *testing.T, ready func()) {
	t.Helper()

	w, err := NewWatcher()
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error)
	go func() { ended <- w.Run(ready) }()
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// within fails the test if c has nothing for long.
func within[T any](t *testing.T, c <-chan T, what string) T {
	t.Helper()

	select {
	case v := <-c:
		return v
	case <-time.After(10 * time.Second):
		t.Fatalf("waited in vain for %s", what)
		panic("unreachable")
	}
}

// descriptors counts the open descriptors of the process.
func descriptors(t *testing.T) int {
	t.Helper()

	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("no /proc: " + strconv.Quote(err.Error()))
	}

	return len(entries)
}

// drainLog discards the log of the tests before.
func drainLog() {
	buffer := make([]byte, LogBuffer)
	for len(TakeLog(buffer)) > 0 {
	}
}

// lines splits log records.
func lines(records []byte) [][]byte {
	return bytes.Split(bytes.TrimSuffix(records, []byte("\n")), []byte("\n"))
}
