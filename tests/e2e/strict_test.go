package e2e

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// A violation is what a client must not send, and the code it is told so with.
type violation struct {
	name  string
	bytes []byte
	code  int
}

// header is a frame's header as it stands: any first byte, any form of the length (0, 2 or 8 further bytes), with a mask of zeros.
func header(first byte, form int, length uint64) []byte {
	switch form {
	case 2:
		return append(binary.BigEndian.AppendUint16([]byte{first, 0x80 | 126}, uint16(length)), 0, 0, 0, 0)
	case 8:
		return append(binary.BigEndian.AppendUint64([]byte{first, 0x80 | 127}, length), 0, 0, 0, 0)
	default:
		return []byte{first, 0x80 | byte(length), 0, 0, 0, 0}
	}
}

func violations() []violation {
	const protocol, notText, tooBig = 1002, 1007, 1009
	list := []violation{
		{"an unmasked frame", []byte{0x81, 3, 'a', 'b', 'c'}, protocol},
		{"an unmasked ping", []byte{0x89, 0}, protocol},
		{"a short length in 16 bits", append(header(0x82, 2, 125), make([]byte, 125)...), protocol},
		{"a short length in 64 bits", append(header(0x82, 8, 125), make([]byte, 125)...), protocol},
		{"a length of 16 bits in 64", header(0x82, 8, 65535), protocol},
		{"a length with its top bit", header(0x82, 8, 1<<63), protocol},
		{"a length with all bits", header(0x82, 8, 1<<64-1), protocol},
		{"a ping of 126 bytes", append(header(0x89, 2, 126), make([]byte, 126)...), protocol},
		{"a close frame of 126 bytes", append(header(0x88, 2, 126), make([]byte, 126)...), protocol},
		{"a ping in fragments", frame(false, opPing, []byte("p")), protocol},
		{"a pong in fragments", frame(false, opPong, nil), protocol},
		{"a close frame in fragments", frame(false, opClose, []byte(closeBody(1000, ""))), protocol},
		{"a continuation of nothing", frame(true, opContinuation, []byte("x")), protocol},
		{"an unfinished continuation of nothing", frame(false, opContinuation, nil), protocol},
		{"a text in the middle of a text", slices.Concat(frame(false, opText, []byte("a")), frame(true, opText, []byte("b"))), protocol},
		{"a binary in the middle of a text", slices.Concat(frame(false, opText, nil), frame(false, opBinary, []byte("b"))), protocol},
		{"a close body of one byte", frame(true, opClose, []byte{3}), protocol},
		{"a close reason that is no text", frame(true, opClose, []byte(closeBody(1000, "\xc3\x28"))), notText},
		{"a character cut off by the message's end", frame(true, opText, []byte("h\xf0\x9f\xa6")), notText},
		{"a character cut off by the end of the last fragment", slices.Concat(
			frame(false, opText, []byte("h\xf0\x9f")), frame(true, opContinuation, []byte("\xa6"))), notText},
		{"an impossible byte in a message that goes on", frame(false, opText, []byte("ok\xff")), notText},
		// As it streams: of 1000 bytes there are no more than these.
		{"an impossible byte in a frame that goes on", append(header(0x81, 2, 1000), "ok\xc0"...), notText},
		{"a character that the next fragment makes impossible", slices.Concat(
			frame(false, opText, []byte("\xe2\x82")), frame(false, opContinuation, []byte("("))), notText},
		{"a frame that is longer than a message may be", header(0x82, 2, 1001), tooBig},
		{"a frame that is longer than anything", header(0x82, 8, 1<<63-1), tooBig},
		{"fragments that are together longer than a message may be", slices.Concat(
			frame(false, opText, bytes.Repeat([]byte("x"), 600)), frame(false, opContinuation, nil), header(0x00, 2, 401)), tooBig},
	}
	for _, bit := range []byte{0x40, 0x20, 0x10, 0x70} {
		list = append(list, violation{fmt.Sprintf("reserved bits %#x on a ping", bit), header(0x89|bit, 0, 0), protocol})
		if bit != 0x40 { // which compression uses
			list = append(list, violation{fmt.Sprintf("reserved bits %#x on a message", bit), header(0x81|bit, 0, 0), protocol})
		}
	}
	list = append(list, violation{"the bit of compression where none was agreed on", append(header(0xC1, 0, 3), "abc"...), protocol})
	for _, opcode := range []byte{3, 4, 5, 6, 7, 0xB, 0xC, 0xD, 0xE, 0xF} {
		list = append(list, violation{fmt.Sprintf("opcode %#x", opcode), header(0x80|opcode, 0, 0), protocol})
	}
	for _, code := range []int{0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535} {
		list = append(list, violation{fmt.Sprint("close code ", code), frame(true, opClose, []byte(closeBody(code, ""))), protocol})
	}
	for name, bad := range map[string]string{
		"a lone continuation byte": "\x80", "an overlong slash": "\xc0\xaf", "an overlong NUL": "\xe0\x80\x80",
		"a surrogate": "\xed\xa0\x80", "a character beyond the last": "\xf4\x90\x80\x80", "a byte that never occurs": "\xfe",
	} {
		list = append(list, violation{name + " in a text", text("κόσμε" + bad + "after"), notText})
	}
	return list
}

func TestEveryViolationIsAnsweredWithItsCodeHoweverItArrives(t *testing.T) {
	t.Parallel()
	s := start(t, site{body: `
	websocket /core {
		echo
		max_message_size 1000
	}`})
	for _, v := range violations() {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			before := slices.Concat(
				frame(false, opText, []byte("bef")), frame(true, opPing, []byte("p")), frame(true, opContinuation, []byte("ore")))
			t.Run("at once", func(t *testing.T) {
				r := dialRaw(t, s.addr, "/core", "")
				r.send(t, before, v.bytes)
				r.wantFrame(t, opPong, "p")
				r.wantFrame(t, opText, "before")
				r.wantClose(t, v.code)
			})
			t.Run("with the request", func(t *testing.T) {
				r := dialRaw(t, s.addr, "/core", string(v.bytes))
				r.wantClose(t, v.code)
			})
			t.Run("byte by byte", func(t *testing.T) {
				r := dialRaw(t, s.addr, "/core", "")
				for _, b := range slices.Concat(before, v.bytes) {
					r.send(t, []byte{b})
				}
				r.wantFrame(t, opPong, "p")
				r.wantFrame(t, opText, "before")
				r.wantClose(t, v.code)
			})
			t.Run("by a client that goes on talking", func(t *testing.T) {
				r := dialRaw(t, s.addr, "/core", "")
				// More than fits into the buffers on the way: the server has to take it, or the client never comes to read.
				r.send(t, v.bytes, bytes.Repeat(text("never looked at"), 1<<19/21))
				r.wantClose(t, v.code)
			})
		})
	}
}

func TestAMessageOfExactlyTheLimitIsTakenAndOneByteMoreIsNot(t *testing.T) {
	t.Parallel()
	s := start(t, site{body: `
	websocket /core {
		echo
		max_message_size 16MiB
	}`})
	const limit = 16 << 20
	payload := make([]byte, limit)
	for i := range payload {
		payload[i] = byte('a' + i%26)
	}
	var fragments []byte
	for part := range slices.Chunk(payload, 1<<20-7) {
		opcode := byte(opContinuation)
		if len(fragments) == 0 {
			opcode = opText
		}
		fragments = append(fragments, frame(false, opcode, part)...)
	}
	fragments = append(fragments, frame(true, opContinuation, nil)...)
	t.Run("exactly", func(t *testing.T) {
		r := dialRaw(t, s.addr, "/core", "")
		r.send(t, frame(true, opText, payload))
		r.wantFrame(t, opText, string(payload))
		r.send(t, fragments)
		r.wantFrame(t, opText, string(payload))
		r.send(t, frame(true, opClose, nil))
		r.wantFrame(t, opClose, "")
		r.wantEnd(t)
	})
	t.Run("one byte more in one frame", func(t *testing.T) {
		r := dialRaw(t, s.addr, "/core", "")
		r.send(t, header(0x82, 8, limit+1))
		r.wantClose(t, 1009)
	})
	t.Run("one byte more in the last fragment", func(t *testing.T) {
		r := dialRaw(t, s.addr, "/core", "")
		r.send(t, frame(false, opBinary, payload), frame(false, opContinuation, nil), frame(true, opPing, nil))
		r.wantFrame(t, opPong, "")
		r.send(t, frame(true, opContinuation, []byte("x")))
		r.wantClose(t, 1009)
	})
}

func TestARequestMayArriveByteByByteAndItsFirstFrameToo(t *testing.T) {
	t.Parallel()
	s := start(t, site{body: "websocket /core {\n\techo\n}"})
	whole := upgradeRequest(s.addr, "/core", "X-Padding: "+strings.Repeat("x", 500))
	conn, err := dialStream(s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(2 * bound))
	r := &raw{Conn: conn, in: bufio.NewReader(conn)}
	for _, b := range []byte(whole + string(text("early"))) {
		r.send(t, []byte{b})
	}
	if r.response, err = http.ReadResponse(r.in, nil); err != nil || r.response.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("%v (%v)", r.response, err)
	}
	r.wantFrame(t, opText, "early")
	r.send(t, text("late"))
	r.wantFrame(t, opText, "late")
}

func TestProtocolsOlderThanVersion13AreRefusedWithTheVersionThatIsSpoken(t *testing.T) {
	t.Parallel()
	s := start(t, site{body: "websocket /core {\n\techo\n}"})
	hixie := "GET /core HTTP/1.1\r\nHost: " + s.addr + "\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\nOrigin: http://" + s.addr + "\r\n"
	requests := map[string]string{
		"hixie-75": hixie + "\r\n",
		"hixie-76": hixie + "Sec-WebSocket-Key1: 4 @1  46546xW%0l 1 5\r\nSec-WebSocket-Key2: 12998 5 Y3 1  .P00\r\n\r\n^n:ds[4U",
	}
	for _, version := range []string{"0", "4", "6", "7", "8", "12", "14", "255", "013", "13, 8", "x"} {
		requests["version "+version] = upgradeRequest(s.addr, "/core", "Sec-WebSocket-Version: "+version)
	}
	for name, request := range requests {
		t.Run(name, func(t *testing.T) {
			r, err := tryRequest(s.addr, request)
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			if r.response.StatusCode != http.StatusUpgradeRequired || r.response.Header.Get("Sec-WebSocket-Version") != "13" {
				t.Errorf("%s, versions %q", r.response.Status, r.response.Header.Values("Sec-WebSocket-Version"))
			}
		})
	}
}
