package bridge

import (
	"bytes"
	"errors"
	"sync"
	"testing"
	"time"
)

// openPipe opens a pipe on a route.
func openPipe(t *testing.T, route string, transport Transport) Pipe {
	t.Helper()

	h, err := NewHandshake(route, upgrade(""), "192.0.2.1")
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	p, err := h.OpenPipe(transport)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Free() })

	return p
}

// takeUntil takes output until it has so many bytes, or the state has a bit.
func takeUntil(t *testing.T, p Pipe, count int, bits PipeState) ([]byte, PipeState) {
	t.Helper()

	var got []byte
	buffer := make([]byte, 4096)
	for deadline := time.Now().Add(10 * time.Second); ; {
		n, state, err := p.Take(buffer)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, buffer[:n]...)
		if count > 0 && len(got) >= count || state.Has(bits) && !state.Has(PipeOutput) {
			return got, state
		}
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain; got %d bytes, state %b", len(got), state)
		}
		if n == 0 {
			time.Sleep(time.Millisecond)
		}
	}
}

func feedAll(t *testing.T, p Pipe, bytes []byte) {
	t.Helper()

	for deadline := time.Now().Add(10 * time.Second); len(bytes) > 0; {
		n, _, err := p.Feed(bytes)
		if err != nil {
			t.Fatal(err)
		}
		bytes = bytes[n:]
		if time.Now().After(deadline) {
			t.Fatalf("%d bytes are not consumed", len(bytes))
		}
	}
}

func TestWhatIsFedIsAnsweredAndClosedInOrder(t *testing.T) {
	useRoutes(t, `{"routes":[{"name":"core","echo":true}]}`)

	for _, transport := range []Transport{TLS, HTTP2, HTTP3, TCP} {
		p := openPipe(t, "core", transport)
		for _, b := range append(frame(opText, "one"), frame(opText, "two")...) {
			feedAll(t, p, []byte{b})
		}
		if got, _ := takeUntil(t, p, 10, 0); !bytes.Equal(got, []byte("\x81\x03one\x81\x03two")) {
			t.Errorf("got %q", got)
		}

		feedAll(t, p, frame(opClose, "\x03\xe8"))
		got, state := takeUntil(t, p, 0, PipeFinished)
		if !bytes.Equal(got, []byte("\x88\x02\x03\xe8")) || state.Has(PipeOver) {
			t.Errorf("got %q, state %b", got, state)
		}
		if err := p.End(); err != nil {
			t.Error(err)
		}
		takeUntil(t, p, 0, PipeOver)
		if err := p.Free(); err != nil {
			t.Error(err)
		}
	}
}

func TestAStalePipeIsAnErrorEverywhereAndNeverAnotherOne(t *testing.T) {
	useRoutes(t, `{"routes":[{"name":"core","echo":true}]}`)

	stale := openPipe(t, "core", TLS)
	if err := stale.Free(); err != nil {
		t.Fatal(err)
	}
	live := openPipe(t, "core", TLS) // in the place of the other
	for _, p := range []Pipe{stale, 0, ^Pipe(0)} {
		_, _, feed := p.Feed(frame(opText, "x"))
		_, _, take := p.Take(make([]byte, 10))
		for name, err := range map[string]error{"Feed": feed, "Take": take, "End": p.End(), "Free": p.Free()} {
			if !errors.Is(err, ErrStale) {
				t.Errorf("%s of %#x: got %v", name, uint64(p), err)
			}
		}
	}
	feedAll(t, live, frame(opText, "here"))
	if got, _ := takeUntil(t, live, 6, 0); string(got) != "\x81\x04here" {
		t.Errorf("got %q", got)
	}
}

func TestARefusedHandshakeOpensNoPipe(t *testing.T) {
	// A route that no other test opens connections on: one that was cut just now may still be counted.
	useRoutes(t, `{"routes":[{"name":"single","echo":true,"max_connections":1}]}`)
	openPipe(t, "single", TLS)

	h, err := NewHandshake("single", upgrade(""), "")
	if err != nil {
		t.Fatal(err)
	}
	if p, err := h.OpenPipe(TLS); !errors.Is(err, ErrStale) || p != 0 {
		t.Errorf("got %v, %v", p, err)
	}
	if _, err := h.OpenPipe(TLS); !errors.Is(err, ErrNull) {
		t.Errorf("of a handshake that is consumed: got %v", err)
	}
}

func TestAnUnknownTransportIsRefused(t *testing.T) {
	useRoutes(t, `{"routes":[{"name":"core","echo":true}]}`)

	h, err := NewHandshake("core", upgrade(""), "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.OpenPipe(99); !errors.Is(err, ErrOutOfRange) {
		t.Errorf("got %v", err)
	}
}

func TestAClientThatDoesNotReadIsNotReadUntilItDoes(t *testing.T) {
	useRoutes(t, `{"routes":[{"name":"core","echo":true,"max_outbox":100000}]}`)
	states := make(chan PipeState, 1000)
	watcher, err := NewPipeWatcher()
	if err != nil {
		t.Fatal(err)
	}
	defer watcher.Close()
	p := openPipe(t, "core", TLS)
	go watcher.Run(func() {
		DirtyPipes(func(dirty Pipe, state PipeState) {
			if dirty == p {
				states <- state
			}
		})
	})

	// An echo that nobody takes.
	message := append([]byte{0x82, 0xfe, 0x10, 0x00, 0, 0, 0, 0}, make([]byte, 4096)...)
	fed, refused := 0, false
	for range 1000 {
		n, _, err := p.Feed(message)
		if err != nil {
			t.Fatal(err)
		}
		fed += n
		if refused = n < len(message); refused {
			break
		}
	}
	// The outbox and the pipe both ways.
	if most := 100000 + 4*65536; !refused || fed > most {
		t.Fatalf("refused %v after %d bytes, at most %d", refused, fed, most)
	}

	go func() {
		buffer := make([]byte, 65536)
		for {
			if _, _, err := p.Take(buffer); err != nil {
				return // freed
			}
			time.Sleep(time.Millisecond)
		}
	}()
	for {
		if within(t, states, "room").Has(PipeResume) {
			break
		}
	}
	if n, _, err := p.Feed(message); err != nil || n == 0 {
		t.Errorf("after the resume: %d, %v", n, err)
	}
}

func TestADrainEndsPipesWith1001(t *testing.T) {
	useRoutes(t, `{"routes":[{"name":"core","echo":true}]}`)
	p := openPipe(t, "core", HTTP2)
	ended := make(chan error, 1)
	go func() {
		_, _, err := Drain(10 * time.Second)
		ended <- err
	}()

	if got, _ := takeUntil(t, p, 4, 0); string(got) != "\x88\x02\x03\xe9" {
		t.Errorf("got %q", got)
	}
	feedAll(t, p, frame(opClose, "\x03\xe9"))
	takeUntil(t, p, 0, PipeFinished)
	if err := p.End(); err != nil {
		t.Error(err)
	}
	if err := within(t, ended, "the end of the drain"); err != nil {
		t.Error(err)
	}
}

// Whoever feeds, takes and frees at the same time gets an error or an effect, and nothing else. For the race detector, and
// for the core's own assertions.
func TestFeedingTakingAndFreeingMayRace(t *testing.T) {
	useRoutes(t, `{"routes":[{"name":"core","echo":true}]}`)
	watcher, err := NewPipeWatcher()
	if err != nil {
		t.Fatal(err)
	}
	defer watcher.Close()
	go watcher.Run(func() { DirtyPipes(func(Pipe, PipeState) {}) })

	for round := range 300 {
		p := openPipe(t, "core", TLS)
		var all sync.WaitGroup
		all.Go(func() {
			for range 50 {
				if _, _, err := p.Feed(frame(opText, "hello")); err != nil && !errors.Is(err, ErrStale) {
					t.Error(err)
				}
			}
		})
		all.Go(func() {
			buffer := make([]byte, 100)
			for range 50 {
				if _, _, err := p.Take(buffer); err != nil && !errors.Is(err, ErrStale) {
					t.Error(err)
				}
			}
		})
		all.Go(func() {
			if round%2 == 0 {
				_ = p.End()
			}
			time.Sleep(time.Duration(round) * time.Microsecond)
			if err := p.Free(); err != nil {
				t.Error(err)
			}
		})
		all.Wait()
	}
}
