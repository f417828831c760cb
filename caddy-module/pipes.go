package websocket

import (
	"sync"

	bridge "github.com/frankenphp-ws/frankenphp-ws/go-bridge"
)

// pipeTable knows the pipes of the process, by the core's id.
type pipeTable struct {
	mu    sync.RWMutex // guards pipes
	pipes map[bridge.Pipe]*pipe
}

func newPipeTable() *pipeTable {
	return &pipeTable{pipes: make(map[bridge.Pipe]*pipe)}
}

// add makes a pipe known. What the core had to say of it before was said to nobody: see [pipe.read].
func (t *pipeTable) add(p *pipe) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.pipes[p.id] = p
}

func (t *pipeTable) remove(p *pipe) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.pipes, p.id)
}

func (t *pipeTable) len() int {
	t.mu.RLock()
	defer t.mu.RUnlock()

	return len(t.pipes)
}

// look tells a pipe what is new. One that is gone has nothing left to do.
func (t *pipeTable) look(id bridge.Pipe, state bridge.PipeState) {
	t.mu.RLock()
	p := t.pipes[id]
	t.mu.RUnlock()

	if p != nil {
		p.look(state)
	}
}

// cut ends all that is left. No stream may keep an HTTP server from ending.
func (t *pipeTable) cut() {
	t.mu.RLock()
	defer t.mu.RUnlock()

	for _, p := range t.pipes {
		go p.stream.Close() //nolint:errcheck // it is cut, whatever it says
	}
}
