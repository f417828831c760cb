package websocket

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/frankenphp-ws/frankenphp-ws/caddy-module/internal/stream/streamtest"
)

func init() {
	caddy.RegisterModule(new(hiding))
	httpcaddyfile.RegisterHandlerDirective("hiding", func(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
		h.Next()
		h.NextArg()

		return &hiding{Way: h.Val()}, nil
	})
	httpcaddyfile.RegisterDirectiveOrder("hiding", httpcaddyfile.Before, "templates")
}

// hiding is a handler that puts a response writer of its own in front of the server's.
type hiding struct {
	Way string `json:"way"`
}

func (*hiding) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.hiding", New: func() caddy.Module { return new(hiding) }}
}

func (h *hiding) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	switch h.Way {
	case "all":
		w = struct{ http.ResponseWriter }{w}
	case "below a recorder":
		w = caddyhttp.NewResponseRecorder(struct{ http.ResponseWriter }{w}, nil, nil)
	case "nothing, but fails":
		w = failing{&caddyhttp.ResponseWriterWrapper{ResponseWriter: w}}
	case "nothing":
		w = &caddyhttp.ResponseWriterWrapper{ResponseWriter: w}
	}

	return next.ServeHTTP(w, r)
}

// failing is a writer that shows what it wraps, but does not let the connection be taken.
type failing struct {
	*caddyhttp.ResponseWriterWrapper
}

func (failing) Hijack() (net.Conn, *bufio.ReadWriter, error) { return nil, nil, errors.New("no") }

const sentinel = "\trespond /page \"a page\"\n"

// upgradeAndGet sends an upgrade request and, behind it, a request for a page.
func upgradeAndGet(t *testing.T, socket string) *bufio.Reader {
	t.Helper()

	conn, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	requests := strings.Replace(upgrade, "/ws", "/core", 1) + "\r\n" + "GET /page HTTP/1.1\r\nHost: example.com\r\n\r\n"
	if _, err := io.WriteString(conn, requests); err != nil {
		t.Fatal(err)
	}

	return bufio.NewReader(conn)
}

func TestBehindAHandlerThatHidesTheConnectionAHandshakeIsRefusedAndTheConnectionGoesOnAsHTTP(t *testing.T) {
	for _, way := range []string{"all", "below a recorder"} {
		t.Run(way, func(t *testing.T) {
			socket := run(t, site(fmt.Sprintf("\thiding %q\n", way)+sentinel+echo))
			in := upgradeAndGet(t, socket)
			for _, want := range []int{http.StatusNotImplemented, http.StatusOK} {
				response, err := http.ReadResponse(in, nil)
				if err != nil || response.StatusCode != want {
					t.Fatalf("%v, %v; want %d", response, err, want)
				}
				_, _ = io.Copy(io.Discard, response.Body)
			}
		})
	}
}

func TestAConnectionThatCannotBeTakenAfterAllIsCutAndNoFurtherRequestOnItIsAnswered(t *testing.T) {
	in := upgradeAndGet(t, run(t, site("\thiding \"nothing, but fails\"\n"+sentinel+echo)))
	if all, err := io.ReadAll(in); len(all) > 0 || err != nil {
		t.Errorf("got %q, %v", all, err)
	}
}

func TestAHandlerThatWrapsTheWriterButShowsItIsNoObstacle(t *testing.T) {
	socket := run(t, site("\thiding nothing\n\tintercept {\n\t\t@none status 599\n\t\treplace_status @none 500\n\t}\n"+echo))
	c, response := dial(t, socket, "/core", nil)
	if response.StatusCode != http.StatusSwitchingProtocols {
		t.Fatal(response.Status)
	}
	exchange(t, c, "hello")
}

func TestTheHeadersOfThe101AreSpeltAsInRFC6455(t *testing.T) {
	socket := run(t, site("\tlog\n\tencode\n\theader X-Site of-the-site\n\twebsocket /core {\n\t\techo\n\t\tsubprotocols chat\n\t\tcompression\n\t}\n"))
	conn, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	request := strings.Replace(upgrade, "/ws", "/core", 1) + "Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}

	in, head := bufio.NewReader(conn), ""
	for !strings.HasSuffix(head, "\r\n\r\n") {
		line, err := in.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		head += line
	}
	for _, line := range []string{
		"HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
		"Sec-WebSocket-Protocol: chat", "Sec-WebSocket-Extensions: permessage-deflate", "X-Site: of-the-site",
	} {
		if strings.Count(head, line) != 1 {
			t.Errorf("%q is not there once in\n%s", line, head)
		}
	}
	if strings.Contains(head, "Websocket") {
		t.Errorf("spelt as Go does:\n%s", head)
	}
}

func TestAConnectOfHTTP1IsRefusedWith405(t *testing.T) {
	socket := run(t, site("\tlog\n"+sentinel+echo))
	for _, head := range []string{
		"CONNECT /core HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\r\n",
		strings.Replace(strings.Replace(upgrade, "GET", "CONNECT", 1), "/ws", "/core", 1) + "\r\n",
	} {
		conn, err := net.Dial("unix", socket)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := io.WriteString(conn, head); err != nil {
			t.Fatal(err)
		}
		response, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil || response.StatusCode != http.StatusMethodNotAllowed || response.Header.Get("Allow") != http.MethodGet {
			t.Errorf("%.20q: %v, %v", head, response, err)
		}
	}
}

func TestARequestOfEarlyDataIsRefusedWith425(t *testing.T) {
	socket := run(t, site("\trequest_header Early-Data 1\n"+echo))
	_, response := dial(t, socket, "/core", nil)
	if response.StatusCode != http.StatusTooEarly {
		t.Error(response.Status)
	}
}

func TestWhereDescriptorsAreScarceAHandshakeIsRefusedWith503AndPagesAreServed(t *testing.T) {
	socket := run(t, site(sentinel+echo))
	most := uint64(0)
	before := descriptors.limit
	descriptors.limit = func() (uint64, error) { return most, nil }
	t.Cleanup(func() { descriptors.limit = before })

	in := upgradeAndGet(t, socket)
	response, err := http.ReadResponse(in, nil)
	if err != nil || response.StatusCode != http.StatusServiceUnavailable {
		t.Fatalf("%v, %v", response, err)
	}
	_, _ = io.Copy(io.Discard, response.Body)
	if rest, err := io.ReadAll(in); len(rest) > 0 || err != nil {
		t.Errorf("the connection keeps its descriptor: %q, %v", rest, err)
	}
	client := &http.Client{Transport: &http.Transport{Dial: func(string, string) (net.Conn, error) { return net.Dial("unix", socket) }}}
	if response, err = client.Get("http://example.com/page"); err != nil || response.StatusCode != http.StatusOK {
		t.Errorf("a page: %v, %v", response, err)
	}

	most = 1 << 20
	c, accepted := dial(t, socket, "/core", nil)
	if accepted.StatusCode != http.StatusSwitchingProtocols {
		t.Fatal(accepted.Status)
	}
	exchange(t, c, "hello")
}

func TestSomeDescriptorsAreKeptForPages(t *testing.T) {
	for limit, first := range map[uint64]int{0: 0, 20: 0, 256: 224, 1024: 960, 20_000: 18_976, 1 << 20: 1<<20 - 1024} {
		d := descriptorLimit{limit: func() (uint64, error) { return limit, nil }}
		if err := d.roomAt(first); !errors.Is(err, errDescriptors) {
			t.Errorf("of %d descriptors, number %d is for a WebSocket: %v", limit, first, err)
		}
		if first > 0 {
			if err := d.roomAt(first - 1); err != nil {
				t.Errorf("of %d descriptors, number %d is not for a WebSocket: %v", limit, first-1, err)
			}
		}
	}

	_, server := streamtest.TLSPair(t)
	none := descriptorLimit{limit: func() (uint64, error) { return 0, nil }}
	for _, conn := range []net.Conn{server, &streamtest.Wrapped{Conn: server}} {
		if err := none.room(conn); !errors.Is(err, errDescriptors) {
			t.Errorf("%T: %v", conn, err)
		}
	}
	unknown, _ := net.Pipe()
	if err := none.room(unknown); err != nil {
		t.Errorf("a connection without a descriptor: %v", err)
	}
}

func TestABurstOfTroubleIsOneRecordWithACount(t *testing.T) {
	var b burst
	var counts []int
	now := time.Unix(1000, 0)
	for range 5 {
		b.log(now, func(before int) { counts = append(counts, before) })
	}
	b.log(now.Add(burstTime), func(before int) { counts = append(counts, before) })
	if fmt.Sprint(counts) != "[0 4]" {
		t.Errorf("records with %v", counts)
	}
}
