package e2e

import (
	"io"
	"net"
	"strings"
	"sync"
	"testing"
)

// A cable is a network of its own between clients and a server, which can break.
type cable struct {
	addr string
	to   string

	mu    sync.Mutex // guards what follows
	state cableState
	freed chan struct{} // closed when the cable is not frozen any more
	links map[net.Conn]struct{}
}

type cableState int

const (
	sound  cableState = iota
	frozen            // what is sent waits, on both sides, and neither is told
	cut               // connections are broken, and new ones are too
)

func newCable(t *testing.T, s *server) *cable {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cable{addr: listener.Addr().String(), to: s.addr, links: make(map[net.Conn]struct{})}
	if s.secure {
		encrypted.Store(c.addr, true)
	}
	t.Cleanup(func() {
		listener.Close()
		c.set(cut)
	})
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			go c.link(client)
		}
	}()
	return c
}

// url is the address of a path of the site, through the cable.
func (c *cable) url(s *server, path string) string {
	return strings.Replace(s.url(path), s.addr, c.addr, 1)
}

func (c *cable) set(state cableState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.freed != nil {
		close(c.freed)
		c.freed = nil
	}
	c.state = state
	switch state {
	case sound:
	case frozen:
		c.freed = make(chan struct{})
	case cut:
		for conn := range c.links {
			// A reset, as of a network that is gone: no side sees an orderly end.
			if tcp, ok := conn.(*net.TCPConn); ok {
				tcp.SetLinger(0)
			}
			conn.Close()
		}
		clear(c.links)
	}
}

// holds remembers a connection. It says whether there is a network for it.
func (c *cable) holds(conns ...net.Conn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state == cut {
		return false
	}
	for _, conn := range conns {
		c.links[conn] = struct{}{}
	}
	return true
}

// wait returns when the cable is not frozen.
func (c *cable) wait() {
	c.mu.Lock()
	freed := c.freed
	c.mu.Unlock()
	if freed != nil {
		<-freed
	}
}

func (c *cable) link(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", c.to)
	if err != nil {
		return
	}
	defer server.Close()
	if !c.holds(client, server) {
		return
	}
	done := make(chan struct{}, 2)
	pump := func(to, from net.Conn) {
		defer func() { done <- struct{}{} }()
		buffer := make([]byte, 4096)
		for {
			count, err := from.Read(buffer)
			c.wait()
			if count > 0 {
				if _, err := to.Write(buffer[:count]); err != nil {
					return
				}
			}
			if err == io.EOF {
				if tcp, ok := to.(*net.TCPConn); ok {
					tcp.CloseWrite()
				}
				return
			}
			if err != nil {
				return
			}
		}
	}
	go pump(server, client)
	go pump(client, server)
	<-done
	<-done
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.links, client)
	delete(c.links, server)
}
