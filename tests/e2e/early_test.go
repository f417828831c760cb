package e2e

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

// A lossyRelay carries datagrams between one client and a server, and loses those of the server while it is told to.
type lossyRelay struct {
	*net.UDPConn
	deaf atomic.Bool
}

func relay(t *testing.T, server string) *lossyRelay {
	t.Helper()
	up, err := net.Dial("udp", server)
	if err != nil {
		t.Fatal(err)
	}
	down, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { up.Close(); down.Close() })
	r := &lossyRelay{UDPConn: down}
	var client atomic.Pointer[net.UDPAddr]
	go func() {
		buffer := make([]byte, 2048)
		for {
			n, from, err := down.ReadFromUDP(buffer)
			if err != nil {
				return
			}
			client.Store(from)
			up.Write(buffer[:n])
		}
	}()
	go func() {
		buffer := make([]byte, 2048)
		for {
			n, err := up.Read(buffer)
			if err != nil {
				return
			}
			if !r.deaf.Load() {
				down.WriteToUDP(buffer[:n], client.Load())
			}
		}
	}()
	return r
}

// askOverHTTP3 sends an upgrade request with a message behind it, and returns a function that says what it is answered with.
func askOverHTTP3(t *testing.T, s *server, client *http3.ClientConn) (answer func() (int, error)) {
	t.Helper()
	stream, err := client.OpenRequestStream(within(t, bound))
	if err != nil {
		t.Fatal(err)
	}
	r, err := connectRequest(s, "/core", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Proto = "websocket"
	if err := stream.SendRequestHeader(r); err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Write(text("transfer 1000")); err != nil {
		t.Fatal(err)
	}
	return func() (int, error) {
		response, err := stream.ReadResponse()
		if err != nil {
			return 0, err
		}
		if response.StatusCode == http.StatusOK {
			_, err = io.ReadFull(stream, make([]byte, len("transfer 1000")+2))
		}
		return response.StatusCode, err
	}
}

func TestAHandshakeInEarlyDataOpensNothing(t *testing.T) {
	t.Parallel()
	s := start(t, site{tls: true, body: "\tlog\n\twebsocket /core {\n\t\techo\n\t}"})
	through := relay(t, s.addr)
	config := &tls.Config{InsecureSkipVerify: true, NextProtos: []string{http3.NextProtoH3}, ClientSessionCache: tls.NewLRUClientSessionCache(1), ServerName: "127.0.0.1"}

	ask := func(client *http3.ClientConn) (answer func() (int, error)) { return askOverHTTP3(t, s, client) }
	dial := func(dial func(context.Context, string, *tls.Config, *quic.Config) (*quic.Conn, error)) *quic.Conn {
		conn, err := dial(within(t, bound), through.LocalAddr().String(), config, &quic.Config{})
		if err != nil {
			t.Fatal(err)
		}
		return conn
	}

	first := dial(quic.DialAddr)
	if status, err := ask((&http3.Transport{}).NewClientConn(first))(); status != http.StatusOK || err != nil {
		t.Fatalf("the first visit: %d, %v", status, err)
	}
	first.CloseWithError(0, "")
	expect(t, "connections", 0, func() int { return s.stat("connections") })
	opened := s.stat("connections_opened")

	// Whoever sends a recorded request again cannot finish the TLS handshake: he hears nothing, as it were.
	through.deaf.Store(true)
	second := dial(quic.DialAddrEarly)
	defer second.CloseWithError(0, "")
	client := (&http3.Transport{}).NewClientConn(second)
	answer := ask(client)
	eventually(t, func() error {
		if len(s.log.records("http.log.access", `"proto":"websocket"`, `"uri":"/core"`, `"status":425`)) == 0 {
			return fmt.Errorf("no access with status 425")
		}
		return nil
	})
	if got := s.stat("connections_opened"); got != opened {
		t.Errorf("%d connections were opened by early data", got-opened)
	}

	// A client that hears 425 sends its request again when the handshake is over, and is served.
	through.deaf.Store(false)
	if status, err := answer(); status != http.StatusTooEarly || err != nil {
		t.Errorf("the answer to early data: %d, %v", status, err)
	}
	if !second.ConnectionState().Used0RTT {
		t.Error("the server took no early data: this test tests nothing")
	}
	<-second.HandshakeComplete()
	if status, err := ask(client)(); status != http.StatusOK || err != nil {
		t.Errorf("after the handshake: %d, %v", status, err)
	}
}
