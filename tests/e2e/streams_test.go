//lint:file-ignore SA1019 No other transport sends the extended CONNECT of RFC 8441.

package e2e

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"golang.org/x/net/http2"
)

// A transport is a way of opening a WebSocket.
type transport struct {
	name string
	open func(s *server, path string, header http.Header) (*raw, error)
}

// transports are all of them; "tls" is also what the whole suite is run over.
var transports = []transport{{"tls", openTLS}, {"http2", openHTTP2}, {"http3", openHTTP3}}

// streams is a site that all transports reach.
func streams(s site) site {
	s.tls = true
	s.env = append(s.env, "FRANKENPHP_WS_HTTP2=1")
	return s
}

// dial opens a WebSocket, which must succeed.
func (tr transport) dial(t *testing.T, s *server, path string, header http.Header) *raw {
	t.Helper()
	r, err := tr.open(s, path, header)
	if err != nil {
		t.Fatalf("%s %s: %v", tr.name, path, err)
	}
	t.Cleanup(func() { r.Close() })
	if want := map[bool]int{true: 101, false: 200}[tr.name == "tls"]; r.response.StatusCode != want {
		t.Fatalf("%s %s: %s", tr.name, path, r.response.Status)
	}
	return r
}

func openTLS(s *server, path string, header http.Header) (*raw, error) {
	var lines []string
	for name, values := range header {
		lines = append(lines, name+": "+values[0])
	}
	return tryRequest(s.addr, upgradeRequest(s.addr, path, lines...))
}

// connectRequest is an extended CONNECT (RFC 8441, RFC 9220) without its :protocol.
func connectRequest(s *server, path string, header http.Header, body io.Reader) (*http.Request, error) {
	r, err := http.NewRequest(http.MethodConnect, "https://"+s.addr+path, body)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Sec-WebSocket-Version", "13")
	for name, values := range header {
		r.Header[name] = values
	}
	return r, nil
}

func openHTTP2(s *server, path string, header http.Header) (*raw, error) {
	config := trusting.Clone()
	config.NextProtos = []string{"h2"}
	client := &http2.Transport{TLSClientConfig: config}
	out, in := io.Pipe()
	r, err := connectRequest(s, path, header, out)
	if err != nil {
		return nil, err
	}
	if r.Header.Get(":protocol") == "" {
		r.Header[":protocol"] = []string{"websocket"}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*bound)
	response, err := client.RoundTrip(r.WithContext(ctx))
	if err != nil {
		cancel()
		return nil, err
	}
	end := func() error {
		in.Close()
		response.Body.Close()
		cancel()
		client.CloseIdleConnections()
		return nil
	}
	return &raw{Conn: &streamConn{Reader: response.Body, Writer: in, end: end}, in: bufio.NewReader(response.Body), response: response}, nil
}

func openHTTP3(s *server, path string, header http.Header) (*raw, error) {
	ctx, cancel := context.WithTimeout(context.Background(), bound)
	defer cancel()
	conn, err := quic.DialAddr(ctx, s.addr, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{http3.NextProtoH3}}, &quic.Config{})
	if err != nil {
		return nil, err
	}
	client := (&http3.Transport{}).NewClientConn(conn)
	stream, err := client.OpenRequestStream(ctx)
	if err != nil {
		return nil, err
	}
	r, err := connectRequest(s, path, header, nil)
	if err != nil {
		return nil, err
	}
	r.Proto = "websocket"
	if protocol := r.Header.Get(":protocol"); protocol != "" {
		r.Proto = protocol
		delete(r.Header, ":protocol")
	}
	if err := stream.SendRequestHeader(r); err != nil {
		return nil, err
	}
	response, err := stream.ReadResponse()
	if err != nil {
		return nil, err
	}
	stream.SetReadDeadline(time.Now().Add(2 * bound))
	end := func() error { return conn.CloseWithError(0, "") }
	return &raw{Conn: &streamConn{Reader: stream, Writer: stream, end: end}, in: bufio.NewReader(stream), response: response}, nil
}

// streamConn makes a connection of a stream.
type streamConn struct {
	io.Reader
	io.Writer
	net.Conn // for the methods that no test of streams calls
	end      func() error
}

func (c *streamConn) Read(b []byte) (int, error)  { return c.Reader.Read(b) }
func (c *streamConn) Write(b []byte) (int, error) { return c.Writer.Write(b) }
func (c *streamConn) Close() error                { return c.end() }

// overAll runs a test over each transport, against one server.
func overAll(t *testing.T, s *server, test func(t *testing.T, tr transport)) {
	for _, tr := range transports {
		t.Run(tr.name, func(t *testing.T) { test(t, tr) })
	}
}

func TestAnEchoOverEveryTransport(t *testing.T) {
	t.Parallel()
	s := start(t, streams(site{body: `
	log
	encode
	websocket /core {
		echo
		max_message_size 16MiB
		max_outbox 64MiB
	}`}))
	overAll(t, s, func(t *testing.T, tr transport) {
		r := tr.dial(t, s, "/core", nil)
		for _, size := range []int{0, 1, 125, 126, 511, 512, 513, 4096, 65535, 65536, 16 << 20} {
			message := strings.Repeat("x", size)
			go r.Write(text(message))
			r.wantFrame(t, opText, message)
		}
		t.Run("in order, however many are under way", func(t *testing.T) {
			var all []byte
			for i := range 2000 {
				all = append(all, text(fmt.Sprint("message ", i))...)
			}
			go r.Write(all)
			for i := range 2000 {
				r.wantFrame(t, opText, fmt.Sprint("message ", i))
			}
		})
		t.Run("one byte at a time, with a ping between", func(t *testing.T) {
			for _, b := range append(frame(false, opText, []byte("one ")), append(frame(true, opPing, []byte("ping")), frame(true, opContinuation, []byte("two"))...)...) {
				r.send(t, []byte{b})
			}
			r.wantFrame(t, opPong, "ping")
			r.wantFrame(t, opText, "one two")
		})
		t.Run("one byte over the limit is refused with 1009, and the client hears of it", func(t *testing.T) {
			r := tr.dial(t, s, "/core", nil)
			go r.Write(frame(true, opBinary, make([]byte, 16<<20+1)))
			r.wantCloseFrame(t, 1009)
		})
		t.Run("a close frame is answered, then the connection ends", func(t *testing.T) {
			r.send(t, frame(true, opClose, []byte(closeBody(4321, "bye"))))
			r.wantFrame(t, opClose, closeBody(4321, ""))
			r.wantEnd(t)
		})
		expect(t, "connections", 0, func() int { return s.stat("connections") })
	})
	expect(t, "pipes", 0, func() int { return s.stat("pipes") })
}

func TestAHandshakeOverEveryTransport(t *testing.T) {
	t.Parallel()
	s := start(t, streams(site{body: `
	header X-Site "of the site"
	websocket /core {
		echo
		subprotocols chat.v2 chat.v1
	}`}))
	overAll(t, s, func(t *testing.T, tr transport) {
		r := tr.dial(t, s, "/core", http.Header{"Sec-Websocket-Protocol": {"soap, chat.v1"}, "Origin": {"https://" + s.addr}})
		if got := r.response.Header; got.Get("Sec-WebSocket-Protocol") != "chat.v1" || got.Get("X-Site") != "of the site" {
			t.Errorf("headers of the answer: %v", got)
		}
		for _, refused := range []struct {
			status int
			header http.Header
		}{
			{403, http.Header{"Origin": {"https://evil.example"}}},
			{426, http.Header{"Sec-Websocket-Version": {"8"}}},
			{501, http.Header{":protocol": {"connect-udp"}}},
		} {
			if tr.name == "tls" && refused.status == 501 {
				continue
			}
			header := refused.header
			if tr.name == "tls" {
				header = http.Header{}
				for name, values := range refused.header {
					header[strings.Replace(name, "Sec-Websocket-Version", "Sec-WebSocket-Version", 1)] = values
				}
			}
			r, err := tr.open(s, "/core", header)
			if err != nil {
				t.Errorf("%v: %v", refused.header, err)
				continue
			}
			if r.response.StatusCode != refused.status {
				t.Errorf("%v: %s, want %d", refused.header, r.response.Status, refused.status)
			}
			r.Close()
		}
	})
}

func TestPHPIsToldTheSameOverEveryTransport(t *testing.T) {
	t.Parallel()
	s := start(t, streams(lab()))
	request := doors(t, s, "/core")[1]
	overAll(t, s, func(t *testing.T, tr transport) {
		r := tr.dial(t, s, "/lab?facts", http.Header{"X-Test": {"yes"}})
		_, _, payload, err := r.readFrame()
		if err != nil {
			t.Fatal(err)
		}
		facts := s.factsIn(string(payload))
		if facts.Path != "/lab" || facts.Query != "facts" || facts.IP != "127.0.0.1" || facts.Headers["x-test"] != "yes" || facts.Headers["host"] != s.addr {
			t.Errorf("facts: %+v", facts)
		}
		if known, _ := request.value(t, "getClient", facts.ID).(map[string]any); known["transport"] != tr.name {
			t.Errorf("getClient says that it came over %v", known["transport"])
		}
		for n := range 300 {
			r.send(t, text(fmt.Sprint(n)))
		}
		for n := range 300 {
			r.wantFrame(t, opText, fmt.Sprint(n))
		}
		r.send(t, frame(true, opClose, []byte(closeBody(1000, "done"))))
		r.wantFrame(t, opClose, closeBody(1000, ""))
		if got := s.closeEvent(facts.ID); got.Code != 1000 || !got.Clean {
			t.Errorf("the close event: %+v", got)
		}

		r = tr.dial(t, s, "/lab?facts", nil)
		if _, _, payload, err = r.readFrame(); err != nil {
			t.Fatal(err)
		}
		r.Close()
		if got := s.closeEvent(s.factsIn(string(payload)).ID); got.Code != 1006 {
			t.Errorf("the close event of a client that was cut: %+v", got)
		}
	})
}

func TestClientsThatNeverReadHoldUpNobodyOverEveryTransport(t *testing.T) {
	t.Parallel()
	s := start(t, streams(lab()))
	for _, tr := range transports {
		for range 8 {
			tr.dial(t, s, "/lab", nil).send(t, text("flood 16384")) // far more than any buffer takes
		}
	}
	overAll(t, s, func(t *testing.T, tr transport) {
		r := tr.dial(t, s, "/lab", nil)
		for n := range 100 {
			r.send(t, text(fmt.Sprint(n)))
			r.wantFrame(t, opText, fmt.Sprint(n))
		}
	})
}

func TestAConnectionBehindAListenerWrapperIsCarriedThroughAPipe(t *testing.T) {
	t.Parallel()
	s := start(t, site{
		plain:  true,
		global: "\tservers {\n\t\tlistener_wrappers {\n\t\t\tproxy_protocol {\n\t\t\t\tallow 127.0.0.1/32\n\t\t\t}\n\t\t}\n\t}",
		body:   "\twebsocket /core {\n\t\techo\n\t}",
	})
	r := dialRaw(t, s.addr, "/core", string(text("early")))
	r.wantFrame(t, opText, "early")
	r.send(t, text("late"))
	r.wantFrame(t, opText, "late")
	if pipes := s.stat("pipes"); pipes != 1 {
		t.Errorf("%d pipes", pipes)
	}
	r.reset(t)
	expect(t, "pipes", 0, func() int { return s.stat("pipes") })
}

func TestSIGTERMEndsInBoundedTimeWithStreamsOfAllKindsOpen(t *testing.T) {
	t.Parallel()
	for name, patient := range map[string]bool{"with a grace period": false, "without one": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := streams(lab())
			want.patient = patient
			s := start(t, want)
			var open []*raw
			for _, tr := range transports {
				open = append(open, tr.dial(t, s, "/lab", nil), tr.dial(t, s, "/core", nil))
				tr.dial(t, s, "/lab", nil).send(t, text("flood 16384")) // and is never read
			}
			for _, r := range open {
				r.send(t, text("here"))
				r.wantFrame(t, opText, "here")
			}
			s.signal(syscall.SIGTERM)
			for _, r := range open {
				_, opcode, payload, err := r.readFrame()
				if err != nil || opcode != opClose || string(payload[:2]) != closeBody(1001, "") {
					t.Errorf("opcode %#x, payload %q (%v), want a close frame with code 1001", opcode, payload, err)
					continue
				}
				r.send(t, frame(true, opClose, payload))
			}
			s.ended()
		})
	}
}

func TestAReloadDropsNobodyOverTLSAndHTTP2(t *testing.T) {
	t.Parallel()
	want := streams(lab())
	want.patient = true
	s := start(t, want)
	var open []*raw
	for _, tr := range transports[:2] {
		open = append(open, tr.dial(t, s, "/lab", nil), tr.dial(t, s, "/core", nil))
	}
	for round := range 3 {
		changed := want
		changed.body += fmt.Sprintf("\n\theader X-Round %d", round)
		s.writeConfig(changed)
		text, err := os.ReadFile(s.config)
		if err != nil {
			t.Fatal(err)
		}
		s.load(string(text))
		for _, r := range open {
			r.send(t, frame(true, opText, []byte("still here")))
			r.wantFrame(t, opText, "still here")
		}
	}
}

func TestHTTP2IsNotOfferedUnlessAskedFor(t *testing.T) {
	t.Parallel()
	s := start(t, site{tls: true, body: "\twebsocket /core {\n\t\techo\n\t}"})
	r, err := openHTTP2(s, "/core", nil)
	if err == nil {
		r.Close()
		t.Fatalf("an extended CONNECT was answered with %s", r.response.Status)
	}
	if !strings.Contains(err.Error(), "extended connect") {
		t.Error(errors.Unwrap(err), err)
	}
}

func TestChromiumSpeaksOverHTTP2WhereThatIsSwitchedOn(t *testing.T) {
	t.Parallel()
	s := start(t, streams(site{body: `
	log
	websocket /core {
		echo
	}
	header Content-Type text/html
	respond / <title>test</title>`}))
	tab := open(t, browser(t), s.url("/"))
	var got string
	tab.evaluate(`window.answer = '';
		const socket = new WebSocket('wss://' + location.host + '/core');
		socket.onopen = () => socket.send('from Chromium');
		socket.onmessage = (m) => { window.answer = m.data; socket.close(1000); };
		''`, &got)
	eventually(t, func() error {
		if tab.evaluate(`window.answer`, &got); got != "from Chromium" {
			return fmt.Errorf("the page got %q", got)
		}
		return nil
	})
	eventually(t, func() error {
		if len(s.log.records("http.log.access", `"method":"CONNECT"`, `"proto":"HTTP/2.0"`, "/core")) == 0 {
			return errors.New("the access log has no CONNECT over HTTP/2")
		}
		return nil
	})
}
