package e2e

import (
	"bytes"
	"compress/flate"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// compressing is the lab with compression on its routes, and with echo routes that have other settings of it.
func compressing() site {
	want := lab()
	want.body = strings.Replace(want.body, "worker lab\n", "worker lab\n\t\tcompression\n", 1)
	want.body = strings.Replace(want.body, "\techo\n", "\techo\n\t\tcompression\n", 1) + `
	websocket /kept {
		name kept
		echo
		compression {
			context_takeover
			window_bits 12
			threshold 64
			level 9
		}
	}
	websocket /plain {
		name plain
		echo
		compression off
		max_frame_size 1KiB
	}`
	return want
}

func TestACompressingClientAndThePHPBehindItSeeWhatTheOtherSent(t *testing.T) {
	t.Parallel()
	s := start(t, compressing())
	for _, test := range []struct {
		path   string
		mode   websocket.CompressionMode
		agreed string
	}{
		{"/lab", websocket.CompressionContextTakeover, "permessage-deflate"},
		{"/lab", websocket.CompressionDisabled, ""},
		{"/core", websocket.CompressionNoContextTakeover, "permessage-deflate; server_no_context_takeover; client_no_context_takeover"},
		{"/kept", websocket.CompressionNoContextTakeover, "permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=12"},
		{"/kept", websocket.CompressionDisabled, ""},
		{"/plain", websocket.CompressionContextTakeover, ""},
	} {
		t.Run(fmt.Sprint(test.path, " mode ", test.mode), func(t *testing.T) {
			c := dial(t, s, test.path, &websocket.DialOptions{CompressionMode: test.mode, CompressionThreshold: 1})
			if agreed := c.response.Header.Get("Sec-WebSocket-Extensions"); agreed != test.agreed {
				t.Errorf("agreed on %q, want %q", agreed, test.agreed)
			}
			before := s.stat("messages_compressed")
			for n := range 20 {
				message := strings.Repeat(fmt.Sprint("message ", n, " "), 1+n*4)
				if len(message) > 1000 && test.path == "/plain" {
					break
				}
				c.send(t, message)
				c.want(t, message)
			}
			if compressed := s.stat("messages_compressed") > before; compressed != (test.agreed != "") {
				t.Errorf("messages were compressed: %v", compressed)
			}
		})
	}
}

func TestABroadcastReachesCompressingAndPlainClientsAlike(t *testing.T) {
	t.Parallel()
	s := start(t, compressing())
	var clients []*client
	for n := range 6 {
		mode := []websocket.CompressionMode{websocket.CompressionDisabled, websocket.CompressionNoContextTakeover, websocket.CompressionContextTakeover}[n%3]
		c, _ := dialLab(t, s, "/lab", &websocket.DialOptions{CompressionMode: mode})
		clients = append(clients, c)
	}
	message := strings.Repeat("to all of you, €; ", 1000)
	request := doors(t, s, "/core")[1]
	for range 3 {
		request.want(t, 6, "sendAll", message, "lab")
		for _, c := range clients {
			c.want(t, message)
		}
	}
	if saved := s.stat("compression_bytes_saved"); saved < 3*4*10_000 {
		t.Errorf("%d bytes saved", saved)
	}
}

// zeros are n zeros as a compressed message.
func zeros(t *testing.T, n int64) []byte {
	t.Helper()
	var compressed bytes.Buffer
	w, err := flate.NewWriter(&compressed, flate.BestCompression)
	if err == nil {
		_, err = io.CopyN(w, zeroReader{}, n)
	}
	if err == nil {
		err = w.Flush()
	}
	if err != nil {
		t.Fatal(err)
	}
	return compressed.Bytes()[:compressed.Len()-4]
}

type zeroReader struct{}

func (zeroReader) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// compressedFrame is a binary message in one frame, marked as compressed.
func compressedFrame(payload []byte) []byte {
	f := frame(true, opBinary, payload)
	f[0] |= 0x40
	return f
}

func TestADeflateBombIsRefusedAndCostsNoMoreThanAMessageMay(t *testing.T) {
	t.Parallel()
	s := start(t, compressing())
	bomb := compressedFrame(zeros(t, 1<<30))
	if len(bomb) > 2<<20 {
		t.Fatalf("%d bytes", len(bomb))
	}
	for _, path := range []string{"/lab", "/core", "/kept"} {
		r := dialRaw(t, s.addr, path, "", "Sec-WebSocket-Extensions: permessage-deflate")
		before := peakMemory(t, s)
		began := time.Now()
		// The server may have closed before it has read it all.
		go r.Write(bomb)
		r.wantCloseFrame(t, 1009)
		t.Logf("%s: refused after %s", path, time.Since(began))
		if grown := peakMemory(t, s) - before; grown > 32<<10 {
			t.Errorf("%s: the server grew by %d KiB", path, grown)
		}
	}
	r := dialRaw(t, s.addr, "/core", "", "Sec-WebSocket-Extensions: permessage-deflate")
	r.send(t, compressedFrame([]byte{6}))
	r.wantClose(t, 1007)
}

// peakMemory is the most memory the server ever had, in KiB.
func peakMemory(t *testing.T, s *server) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	var peak int
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	if _, err := fmt.Sscan(rest, &peak); err != nil {
		t.Fatal(err)
	}
	return peak
}

func TestAFrameLongerThanTheRouteAllowsIsRefusedByItsHeader(t *testing.T) {
	t.Parallel()
	s := start(t, compressing())
	most := dialRaw(t, s.addr, "/plain", "")
	whole := strings.Repeat("x", 1024)
	most.send(t, text(whole), frame(false, opText, []byte(whole)), frame(true, opContinuation, []byte(whole)))
	most.wantFrame(t, opText, whole)
	most.wantFrame(t, opText, whole+whole)
	for _, early := range []string{string(frame(true, opBinary, make([]byte, 1025))[:8]), string(frame(true, opBinary, make([]byte, 70_000))[:14])} {
		r := dialRaw(t, s.addr, "/plain", early)
		r.wantClose(t, 1009)
	}
}

func TestABrowserCompressesBothWays(t *testing.T) {
	t.Parallel()
	s := start(t, compressing())
	page := open(t, browser(t), s.url("/hello.php"))
	for _, path := range []string{"/lab", "/core", "/kept"} {
		before := s.stats()
		var result string
		page.evaluate(fmt.Sprintf(`window.result = "", window.socket = new WebSocket(location.origin.replace("http", "ws") + %q),
			window.socket.onopen = () => {
				const sent = [], got = [];
				for (let n = 0; n < 50; n++) sent.push(("message " + n + " €, ").repeat(1 + n * 20));
				sent.push("");
				socket.onmessage = e => {
					got.push(e.data);
					if (got.length == sent.length) result = socket.extensions + "|" + got.every((text, n) => text === sent[n]);
				};
				sent.forEach(text => socket.send(text));
			}, ""`, path), &result)
		eventually(t, func() error {
			page.evaluate("window.result", &result)
			if !strings.HasPrefix(result, "permessage-deflate") || !strings.HasSuffix(result, "|true") {
				return fmt.Errorf("the page says %q", result)
			}
			return nil
		})
		after := s.stats()
		if received := after["bytes_received"] - before["bytes_received"]; received > 100_000 {
			t.Errorf("%s: the browser sent %v bytes for 400,000", path, received)
		}
		if saved := after["compression_bytes_saved"] - before["compression_bytes_saved"]; saved < 300_000 {
			t.Errorf("%s: %v bytes saved in 400,000", path, saved)
		}
	}
}

func TestOlderProtocolsAreAnsweredWithTheVersionThatIsSpoken(t *testing.T) {
	t.Parallel()
	s := start(t, site{body: "\twebsocket /core {\n\t\techo\n\t}"})
	for name, request := range map[string]string{
		"hixie-75": "GET /core HTTP/1.1\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\nHost: " + s.addr + "\r\nOrigin: http://" + s.addr + "\r\n" +
			"WebSocket-Protocol: sample\r\n\r\n",
		"hixie-76": "GET /core HTTP/1.1\r\nHost: " + s.addr + "\r\nConnection: Upgrade\r\nSec-WebSocket-Key2: 12998 5 Y3 1  .P00\r\n" +
			"Sec-WebSocket-Protocol: sample\r\nUpgrade: WebSocket\r\nSec-WebSocket-Key1: 4 @1  46546xW%0l 1 5\r\nOrigin: http://" + s.addr + "\r\n\r\n^n:ds[4U",
		"HyBi 7": upgradeRequest(s.addr, "/core", "Sec-WebSocket-Version: 7", "Sec-WebSocket-Origin: http://"+s.addr),
		"HyBi 8": upgradeRequest(s.addr, "/core", "Sec-WebSocket-Version: 8", "Sec-WebSocket-Origin: http://"+s.addr),
		"HyBi 3": upgradeRequest(s.addr, "/core", "Sec-WebSocket-Version:", "Sec-WebSocket-Draft: 3"),
	} {
		t.Run(name, func(t *testing.T) {
			r := request426(t, s.addr, request)
			if got := r.response.Header.Get("Sec-WebSocket-Version"); got != "13" {
				t.Errorf("Sec-WebSocket-Version: %q", got)
			}
		})
	}
}

func request426(t *testing.T, addr, bytes string) *raw {
	t.Helper()
	r := request(t, addr, bytes)
	if r.response.StatusCode != http.StatusUpgradeRequired {
		t.Fatalf("%s, want 426", r.response.Status)
	}
	return r
}
