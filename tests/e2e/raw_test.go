package e2e

import (
	"bufio"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// Opcodes of RFC 6455, section 5.2.
const (
	opContinuation = 0x0
	opText         = 0x1
	opBinary       = 0x2
	opClose        = 0x8
	opPing         = 0x9
	opPong         = 0xA
)

// A raw connection writes exactly the bytes a test wants, in exactly the segments it wants.
type raw struct {
	net.Conn
	in       *bufio.Reader
	response *http.Response // to the upgrade request
}

// upgradeRequest is a correct upgrade request; extra are header lines, and "Name:" alone removes one of the usual ones.
func upgradeRequest(addr, path string, extra ...string) string {
	lines := []string{
		"Host: " + addr, "Connection: Upgrade", "Upgrade: websocket",
		"Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
	}
	for _, line := range extra {
		name, value, _ := strings.Cut(line, ":")
		kept := lines[:0:0]
		for _, old := range lines {
			if !strings.HasPrefix(old, name+":") {
				kept = append(kept, old)
			}
		}
		lines = kept
		if value != "" {
			lines = append(lines, line)
		}
	}
	return "GET " + path + " HTTP/1.1\r\n" + strings.Join(lines, "\r\n") + "\r\n\r\n"
}

// request sends bytes on a new connection and reads the head of the answer, whatever it is.
func request(t *testing.T, addr, bytes string) *raw {
	t.Helper()
	r, err := tryRequest(addr, bytes)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// dialTCP connects and sends nothing.
func dialTCP(addr string) (*raw, error) {
	conn, err := dialStream(addr)
	if err != nil {
		return nil, err
	}
	conn.SetDeadline(time.Now().Add(2 * bound))
	return &raw{Conn: conn, in: bufio.NewReader(conn)}, nil
}

func tryRequest(addr, bytes string) (*raw, error) {
	r, err := dialTCP(addr)
	if err != nil {
		return nil, err
	}
	if _, err = io.WriteString(r, bytes); err == nil {
		r.response, err = http.ReadResponse(r.in, nil)
	}
	if err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

// dialRaw opens a WebSocket; early bytes go out in the same segment as the request.
func dialRaw(t *testing.T, addr, path, early string, extra ...string) *raw {
	t.Helper()
	r := request(t, addr, upgradeRequest(addr, path, extra...)+early)
	if r.response.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("upgrade of %s: %s", path, r.response.Status)
	}
	return r
}

// frame is one masked frame of a client.
func frame(fin bool, opcode byte, payload []byte) []byte {
	b := []byte{opcode, 0x80}
	if fin {
		b[0] |= 0x80
	}
	switch n := len(payload); {
	case n < 126:
		b[1] |= byte(n)
	case n <= 0xFFFF:
		b[1] |= 126
		b = binary.BigEndian.AppendUint16(b, uint16(n))
	default:
		b[1] |= 127
		b = binary.BigEndian.AppendUint64(b, uint64(n))
	}
	mask := [4]byte{0x37, 0xfa, 0x21, 0x3d}
	b = append(b, mask[:]...)
	for i, c := range payload {
		b = append(b, c^mask[i%4])
	}
	return b
}

// text is a whole text message in one frame.
func text(message string) []byte { return frame(true, opText, []byte(message)) }

func (r *raw) send(t *testing.T, frames ...[]byte) {
	t.Helper()
	var all []byte
	for _, f := range frames {
		all = append(all, f...)
	}
	if _, err := r.Write(all); err != nil {
		t.Fatal(err)
	}
}

// readFrame reads one frame of the server, which must not be masked.
func (r *raw) readFrame() (fin bool, opcode byte, payload []byte, err error) {
	var head [2]byte
	if _, err = io.ReadFull(r.in, head[:]); err != nil {
		return
	}
	fin, opcode = head[0]&0x80 != 0, head[0]&0x0F
	if head[0]&0x70 != 0 || head[1]&0x80 != 0 {
		return fin, opcode, nil, errors.New("reserved bits or a mask on a frame of the server")
	}
	size := uint64(head[1])
	switch size {
	case 126:
		var n [2]byte
		if _, err = io.ReadFull(r.in, n[:]); err != nil {
			return
		}
		size = uint64(binary.BigEndian.Uint16(n[:]))
	case 127:
		var n [8]byte
		if _, err = io.ReadFull(r.in, n[:]); err != nil {
			return
		}
		size = binary.BigEndian.Uint64(n[:])
	}
	if size > 64<<20 {
		return fin, opcode, nil, fmt.Errorf("a frame of %d bytes", size)
	}
	payload = make([]byte, size)
	_, err = io.ReadFull(r.in, payload)
	return
}

// wantFrame reads the next frame, which must be whole and exactly this.
func (r *raw) wantFrame(t *testing.T, opcode byte, payload string) {
	t.Helper()
	fin, gotOpcode, got, err := r.readFrame()
	if err != nil {
		t.Fatalf("reading a frame: %v", err)
	}
	if !fin || gotOpcode != opcode || string(got) != payload {
		t.Fatalf("frame: fin %v, opcode %#x, %d bytes %.80q; want opcode %#x, %d bytes %.80q",
			fin, gotOpcode, len(got), got, opcode, len(payload), payload)
	}
}

// closeBody is the payload of a close frame.
func closeBody(code int, reason string) string {
	return string(binary.BigEndian.AppendUint16(nil, uint16(code))) + reason
}

// wantCloseFrame reads a close frame with this code.
func (r *raw) wantCloseFrame(t *testing.T, code int) {
	t.Helper()
	_, opcode, payload, err := r.readFrame()
	if err != nil || opcode != opClose || len(payload) < 2 || int(binary.BigEndian.Uint16(payload)) != code || !utf8.Valid(payload[2:]) {
		t.Fatalf("opcode %#x, payload %q (%v), want a close frame with code %d", opcode, payload, err, code)
	}
}

// wantClose reads a close frame with this code and then the end of the connection: not a reset, which could overtake the frame.
func (r *raw) wantClose(t *testing.T, code int) {
	t.Helper()
	r.wantCloseFrame(t, code)
	r.wantEnd(t)
}

// wantEnd reads the end of the connection.
func (r *raw) wantEnd(t *testing.T) {
	t.Helper()
	if rest, err := io.ReadAll(r.in); err != nil || len(rest) > 0 {
		t.Fatalf("%d more bytes, then %v; want the end of the connection", len(rest), err)
	}
}

// reset cuts the connection as a crash or a lost network does: RST, no closing handshake.
func (r *raw) reset(t *testing.T) {
	t.Helper()
	if err := r.socket().SetLinger(0); err != nil {
		t.Fatal(err)
	}
	r.socket().Close()
}

// socket is what is below TLS, if the connection is of that.
func (r *raw) socket() *net.TCPConn {
	if encrypted, ok := r.Conn.(*tls.Conn); ok {
		return encrypted.NetConn().(*net.TCPConn)
	}
	return r.Conn.(*net.TCPConn)
}
