package stream

import (
	"errors"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	bridge "github.com/frankenphp-ws/frankenphp-ws/go-bridge"
)

const (
	// smallRead is the buffer of a connection that is waited upon: there are as many as connections.
	smallRead = 512
	// largeBuffer is what a busy connection borrows to read, and to write: a record of TLS.
	largeBuffer = 16 << 10
	// shortAnswer is the most that the reader sends by itself.
	shortAnswer = 4 << 10
	// awake is how long a connection is read after it was last heard of, before it is only waited upon.
	awake = time.Second
	// lastWrites bounds how long a client may take to read what was sent before the end.
	lastWrites = 3 * time.Second
)

// stream carries the bytes of a connection whose socket the core cannot have.
type stream interface {
	io.ReadWriter
	// CloseWrite says to the client that nothing follows.
	CloseWrite() error
	// Close ends the connection, and with it a Read and a Write that wait. It may be called more than once.
	Close() error
	// Buffered is how many bytes Read returns without waiting, as far as that is known.
	Buffered() int
}

// sleeper is a stream that can be waited upon without a read, hence without a read's stack and buffers.
type sleeper interface {
	stream
	SetReadDeadline(time.Time) error
	// TrySleep gives back what only reading needs. It fails if there is something to read within the stream.
	TrySleep() bool
	// Sleep returns when there is something to read, be it the end.
	Sleep()
}

// pipe joins a stream to the core. One goroutine reads, or waits with a smaller stack until there is something to read;
// another writes, for as long as there is something: it would otherwise cost a stack per idle connection, and a shared one
// would wait for whoever does not read.
//
// The core ends it: it says that the connection is over, also after the stream has ended or failed. The writer then sends
// what is left, closes the stream and frees the pipe. The reader's calls find the pipe stale from then on.
type pipe struct {
	id     bridge.Pipe
	stream stream
	table  *Table
	gone   chan struct{} // closed when the pipe is freed; nil if nobody waits for it

	// writing counts the calls for a writer since it last had nothing to do; 0: there is none.
	writing atomic.Int32
	over    atomic.Bool

	mu      sync.Mutex    // guards what follows
	resumed bool          // the core resumed before the reader waited
	waiter  chan struct{} // the reader waits for the core to resume
	last    *time.Timer   // cuts the last writes short
}

var largeBuffers = sync.Pool{New: func() any { return new([largeBuffer]byte) }}

// open gives the connection of an accepted handshake to the core. Nothing is read or written before [pipe.read].
// gone, which may be nil, is closed when the pipe is freed.
func (t *Table) open(handshake *bridge.Handshake, transport bridge.Transport, s stream, gone chan struct{}) (*pipe, error) {
	id, err := handshake.OpenPipe(transport)
	if err != nil {
		return nil, err
	}

	p := &pipe{id: id, stream: s, table: t, gone: gone}
	t.add(p)

	return p, nil
}

// read feeds what was read already, and then what the client sends, until either side has ended. It begins by looking
// for what the core said before the table knew the pipe.
func (p *pipe) read(first []byte) {
	p.wakeWriter()

	if !p.feed(first) {
		p.endInput()

		return
	}
	if s, ok := p.stream.(sleeper); ok && s.TrySleep() {
		p.sleep(s)

		return
	}
	p.readOn()
}

// readOn reads until the stream, or the connection, has ended, or until it sleeps and another goroutine goes on.
func (p *pipe) readOn() {
	small := make([]byte, smallRead)
	s, sleeps := p.stream.(sleeper)
	heard := true

	for {
		if sleeps && heard {
			// Once in a while, not for each read: a deadline costs as much as a short read.
			heard = false
			_ = s.SetReadDeadline(time.Now().Add(awake))
		}

		more, err := p.readSome(small, &heard)
		switch {
		case !more:
			p.endInput()

			return
		case err == nil:
		case !sleeps || !errors.Is(err, os.ErrDeadlineExceeded):
			p.endInput()

			return
		case heard:
		default:
			// A deadline of a write would be the end of TLS; one of a read is not.
			_ = s.SetReadDeadline(time.Time{})
			if s.TrySleep() {
				go p.sleep(s)

				return
			}
			heard = true
		}
	}
}

// readSome reads until a read fails or the connection ends, which more tells.
func (p *pipe) readSome(small []byte, heard *bool) (more bool, err error) {
	for {
		var count int
		count, err = p.stream.Read(small)
		if count > 0 {
			*heard = true
		}

		more = true
		if count == len(small) && err == nil {
			more, err = p.readBusy(small)
		} else if count > 0 {
			more = p.feed(small[:count])
		}
		if err != nil || !more {
			return more, err
		}
	}
}

// sleep waits for something to read, and then has it read by another goroutine: this one's stack has stayed small.
func (p *pipe) sleep(s sleeper) {
	s.Sleep()
	go p.readOn()
}

// endInput says that nothing more is read.
func (p *pipe) endInput() {
	_ = p.id.End() // stale: the core has ended it
}

// readBusy reads with a borrowed buffer for as long as there is more than the small one holds; begun is what the small
// one holds already.
func (p *pipe) readBusy(begun []byte) (more bool, err error) {
	borrowed := largeBuffers.Get().(*[largeBuffer]byte)
	defer largeBuffers.Put(borrowed)
	buffer := borrowed[:]

	count := copy(buffer, begun)
	for {
		for count < len(buffer) && p.stream.Buffered() > 0 && err == nil {
			var n int
			n, err = p.stream.Read(buffer[count:])
			count += n
		}
		if !p.feed(buffer[:count]) {
			return false, err
		}
		if err != nil || p.stream.Buffered() == 0 {
			return true, err
		}
		count = 0
	}
}

// feed hands bytes to the core, waiting while it does not take them. It tells whether to go on.
func (p *pipe) feed(bytes []byte) bool {
	for len(bytes) > 0 {
		consumed, state, err := p.id.Feed(bytes)
		if err != nil {
			return false
		}
		bytes = bytes[consumed:]
		if state != 0 && !p.answer(state) {
			p.look(state)
		}
		if len(bytes) > 0 && !p.awaitResume() {
			return false
		}
	}

	return true
}

func (p *pipe) awaitResume() bool {
	p.mu.Lock()
	if p.resumed {
		p.resumed = false
		p.mu.Unlock()
	} else {
		waiter := make(chan struct{})
		p.waiter = waiter
		p.mu.Unlock()
		<-waiter
	}

	return !p.over.Load()
}

func (p *pipe) resume() {
	p.mu.Lock()
	defer p.mu.Unlock()

	if p.waiter != nil {
		close(p.waiter)
		p.waiter = nil
	} else {
		p.resumed = true
	}
}

// look does what the core says is to be done. It does not block.
func (p *pipe) look(state bridge.PipeState) {
	if state.Has(bridge.PipeOver) && !p.over.Swap(true) {
		p.limitLastWrites()
		p.resume()
	}
	if state.Has(bridge.PipeResume) {
		p.resume()
	}
	if state.Has(bridge.PipeOutput | bridge.PipeFinished | bridge.PipeOver) {
		p.wakeWriter()
	}
}

// answer sends a short output that feeding has brought about – an echo, a pong – without a writer, whose start would cost as
// much as all the rest. A client that does not read its echoes is then not read either, before its outbox is full. It
// tells whether that was all.
func (p *pipe) answer(state bridge.PipeState) bool {
	if state != bridge.PipeOutput || !p.writing.CompareAndSwap(0, 1) {
		return false
	}

	borrowed := largeBuffers.Get().(*[largeBuffer]byte)
	count, state, err := p.id.Take(borrowed[:shortAnswer])
	if err == nil && count > 0 {
		_, err = p.stream.Write(borrowed[:count])
	}
	largeBuffers.Put(borrowed)

	if err != nil {
		_ = p.stream.Close() // the reader sees the end
	}
	if state != 0 || !p.writing.CompareAndSwap(1, 0) {
		go p.write() // goes on in this one's place
	}

	return true
}

// limitLastWrites sees that a client that does not read does not keep the writer, which is to close the stream.
func (p *pipe) limitLastWrites() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last = time.AfterFunc(lastWrites, func() { _ = p.stream.Close() })
}

// wakeWriter sees that a writer looks for output after this call.
func (p *pipe) wakeWriter() {
	if p.writing.Add(1) == 1 {
		go p.write()
	}
}

// write sends what there is.
func (p *pipe) write() {
	borrowed := largeBuffers.Get().(*[largeBuffer]byte)
	defer largeBuffers.Put(borrowed)

	for {
		calls := p.writing.Load()
		if !p.writeAll(borrowed[:]) {
			return
		}
		if p.writing.CompareAndSwap(calls, 0) {
			return
		}
	}
}

// writeAll sends until there is nothing. It tells whether anything may follow.
func (p *pipe) writeAll(buffer []byte) bool {
	for {
		count, state, err := p.id.Take(buffer)
		if err != nil {
			return false
		}
		if count > 0 {
			if _, err := p.stream.Write(buffer[:count]); err != nil {
				// The reader sees the end, and tells the core.
				_ = p.stream.Close()
			}
		}

		switch {
		case state.Has(bridge.PipeOutput):
		case state.Has(bridge.PipeOver):
			p.free()

			return false
		case state.Has(bridge.PipeFinished):
			_ = p.stream.CloseWrite()

			return true
		default:
			return true
		}
	}
}

// free ends the stream and the pipe.
func (p *pipe) free() {
	if p.over.Swap(true) {
		p.mu.Lock()
		if p.last != nil {
			p.last.Stop()
		}
		p.mu.Unlock()
	} else {
		p.resume()
	}
	p.table.remove(p)
	_ = p.id.Free()
	_ = p.stream.Close()
	if p.gone != nil {
		close(p.gone)
	}
}
