// Package stream carries the bytes of connections whose socket the core cannot have: those of TLS, HTTP/2 and HTTP/3.
//
// It owns what lies below a request of HTTP – the connection, its wrappers, its response writer – and the pipes that join a stream to
// the core, each with the goroutines that read and write it ([Table]). It leaves to others whether a connection may be opened, which
// headers its answer has, and the sockets that the core takes as they are.
package stream

import (
	"fmt"
	"net"
	"sync"

	bridge "github.com/frankenphp-ws/frankenphp-ws/go-bridge"
)

// Table opens pipes and knows those of the process, by the core's id. [NewTable] makes one.
type Table struct {
	mu    sync.RWMutex // guards pipes
	pipes map[bridge.Pipe]*pipe
}

// NewTable makes a table without pipes.
func NewTable() *Table {
	return &Table{pipes: make(map[bridge.Pipe]*pipe)}
}

// Adopt gives a hijacked connection to the core, with what was read of it behind the request. It reads in a fresh goroutine: that of the
// HTTP server has a stack of many times the size, and all that belongs to the request hangs on it. If it fails, the connection is still
// the caller's.
func (t *Table) Adopt(conn net.Conn, handshake *bridge.Handshake, transport bridge.Transport, first []byte) error {
	p, err := t.open(handshake, transport, newTLSStream(conn), nil)
	if err != nil {
		return fmt.Errorf("handing the connection to the WebSocket core: %w", err)
	}
	go p.read(first)

	return nil
}

// add makes a pipe known. What the core had to say of it before was said to nobody: see [pipe.read].
func (t *Table) add(p *pipe) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.pipes[p.id] = p
}

func (t *Table) remove(p *pipe) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.pipes, p.id)
}

// Len is how many pipes there are.
func (t *Table) Len() int {
	t.mu.RLock()
	defer t.mu.RUnlock()

	return len(t.pipes)
}

// Look tells a pipe what is new. One that is gone has nothing left to do.
func (t *Table) Look(id bridge.Pipe, state bridge.PipeState) {
	t.mu.RLock()
	p := t.pipes[id]
	t.mu.RUnlock()

	if p != nil {
		p.look(state)
	}
}

// Cut ends all that is left. No stream may keep an HTTP server from ending.
func (t *Table) Cut() {
	t.mu.RLock()
	defer t.mu.RUnlock()

	for _, p := range t.pipes {
		go p.stream.Close() //nolint:errcheck // it is cut, whatever it says
	}
}
