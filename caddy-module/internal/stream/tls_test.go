//lint:file-ignore U1000 Reflection looks at the fields.

package stream

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"reflect"
	"testing"
	"time"

	"github.com/frankenphp-ws/frankenphp-ws/caddy-module/internal/stream/streamtest"
)

func TestTheBuffersOfThisGosTLSAreKnown(t *testing.T) {
	if !tlsFields.known {
		t.Fatal("crypto/tls has changed: an idle connection takes 3.8 KiB more until tls.go knows the new fields")
	}
}

func TestFieldsThatAreNotWhatTheyWereAreLeftAlone(t *testing.T) {
	type renamed struct {
		hand, raw bytes.Buffer
		input     bytes.Reader
	}
	type retyped struct {
		hand, rawInput []byte
		input          bytes.Reader
	}
	type embedded struct{ renamed }
	for _, conn := range []reflect.Type{reflect.TypeFor[renamed](), reflect.TypeFor[retyped](), reflect.TypeFor[embedded]()} {
		if findTLSFields(conn).known {
			t.Errorf("%s was taken for a connection of TLS", conn)
		}
	}
}

func TestAConnectionOfTLSThatSleepsWheneverItCanLosesNothing(t *testing.T) {
	client, server := streamtest.TLSPair(t)
	s := newTLSStream(server).(sleeper)
	buffer := make([]byte, 300<<10)
	slept := 0

	for size := 1; size < len(buffer); size *= 3 {
		sent := bytes.Repeat([]byte{byte(size)}, size)
		go client.Write(sent) //nolint:errcheck // the other end notices
		for got := 0; got < size; {
			if s.TrySleep() {
				slept++
				s.Sleep()
			}
			n, err := s.Read(buffer[got:min(got+1000, size)])
			if err != nil {
				t.Fatal(err)
			}
			got += n
		}
		if !bytes.Equal(buffer[:size], sent) {
			t.Fatalf("%d bytes arrived differently", size)
		}
	}

	if slept == 0 {
		t.Error("it never slept")
	}
	for name, field := range map[string]tlsField{"hand": tlsFields.hand, "rawInput": tlsFields.rawInput} {
		if !s.TrySleep() || (*bytes.Buffer)(field.of(server)).Cap() != 0 {
			t.Errorf("%s keeps a buffer", name)
		}
	}
}

func TestAReadOfTLSThatTimesOutIsNotTheEnd(t *testing.T) {
	client, server := streamtest.TLSPair(t)
	s := newTLSStream(server).(sleeper)
	buffer := make([]byte, 10)

	for range 3 {
		if err := s.SetReadDeadline(time.Now().Add(time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Read(buffer); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("got %v", err)
		}
	}
	if err := s.SetReadDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	go client.Write([]byte("hello")) //nolint:errcheck // the other end notices
	s.Sleep()
	if n, err := s.Read(buffer); err != nil || string(buffer[:n]) != "hello" {
		t.Errorf("got %q, %v", buffer[:n], err)
	}
}

func TestTheKernelKeepsLittleForAClientOfTLSThatDoesNotRead(t *testing.T) {
	client, server := streamtest.TLSPair(t)
	if err := client.NetConn().(*net.TCPConn).SetReadBuffer(4096); err != nil {
		t.Fatal(err)
	}
	s := newTLSStream(server)

	taken := make(chan int)
	go func() {
		defer close(taken)
		for piece := make([]byte, 16<<10); ; {
			n, err := s.Write(piece)
			if err != nil {
				return
			}
			taken <- n
		}
	}()
	total := 0
	for {
		select {
		case n := <-taken:
			if total += n; total > unsent+(256<<10) {
				t.Fatalf("%d bytes were taken", total)
			}
		case <-time.After(time.Second):
			if total < unsent/2 {
				t.Errorf("only %d bytes were taken", total)
			}
			server.Close()
			for range taken {
			}

			return
		}
	}
}

func TestTheEndOfAConnectionWakesASleeper(t *testing.T) {
	for name, end := range map[string]func(client, server *tls.Conn){
		"by the client": func(client, _ *tls.Conn) { client.NetConn().Close() },
		"by us":         func(_, server *tls.Conn) { server.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			client, server := streamtest.TLSPair(t)
			s := newTLSStream(server).(sleeper)
			if !s.TrySleep() {
				t.Fatal("there is something to read")
			}
			woken := make(chan struct{})
			go func() { s.Sleep(); close(woken) }()
			end(client, server)
			select {
			case <-woken:
			case <-time.After(10 * time.Second):
				t.Fatal("it sleeps on")
			}
		})
	}
}

func TestWhatIsDecryptedAlreadyIsKnown(t *testing.T) {
	client, server := streamtest.TLSPair(t)
	s := newTLSStream(server)

	if _, err := client.Write(make([]byte, 100)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(s, make([]byte, 60)); err != nil {
		t.Fatal(err)
	}
	if got := s.Buffered(); got != 40 {
		t.Errorf("%d bytes are said to be there, of 40", got)
	}
	if got := newTLSStream(&streamtest.Wrapped{Conn: server}).Buffered(); got != 0 {
		t.Errorf("of an unknown connection %d bytes are said to be there", got)
	}
	if _, ok := newTLSStream(tls.Server(&streamtest.Wrapped{Conn: server}, nil)).(sleeper); ok {
		t.Error("a connection of TLS on something unknown is waited upon by its socket")
	}
}

// shown is a connection as the proxy protocol's wrapper makes it.
type shown struct {
	inner net.Conn
	net.Conn
}

func (s *shown) Raw() net.Conn { return s.inner }

func TestHalfAConnectionIsClosedWhateverWrapsIt(t *testing.T) {
	for name, wrap := range map[string]func(net.Conn) net.Conn{
		"nothing":                func(c net.Conn) net.Conn { return c },
		"a wrapper with a field": func(c net.Conn) net.Conn { return &streamtest.Wrapped{Conn: c} },
		"a wrapper by value":     func(c net.Conn) net.Conn { return streamtest.Wrapped{Conn: c} },
		"the proxy protocol":     func(c net.Conn) net.Conn { return &shown{inner: c} },
		"the proxy protocol, two": func(c net.Conn) net.Conn {
			return &streamtest.Wrapped{Conn: &shown{inner: &streamtest.Wrapped{Conn: c}}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			client, server := streamtest.SocketPair(t)
			if err := client.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
				t.Fatal(err)
			}
			if err := newTLSStream(wrap(server)).CloseWrite(); err != nil {
				t.Fatal(err)
			}
			if n, err := client.Read(make([]byte, 1)); n != 0 || err != io.EOF {
				t.Fatalf("the client read %d bytes, %v", n, err)
			}
			// The other half is open.
			if _, err := client.Write([]byte("x")); err != nil {
				t.Fatal(err)
			}
			if n, err := server.Read(make([]byte, 1)); n != 1 || err != nil {
				t.Errorf("the server read %d bytes, %v", n, err)
			}
		})
	}

	opaque, _ := net.Pipe()
	if err := newTLSStream(opaque).CloseWrite(); err != nil {
		t.Errorf("a connection that cannot be closed by half: %v", err)
	}
}
