package websocket

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dunglas/frankenphp"
	bridge "github.com/frankenphp-ws/frankenphp-ws/go-bridge"
	"go.uber.org/zap"
)

// ended is what a ringer told the core.
type ended struct {
	nonce   string
	outcome bridge.Outcome
	output  string
	failure string
}

// fakeRinger returns a ringer of the worker chat, and what it tells the core.
func fakeRinger(send func(w http.ResponseWriter, worker, nonce string) error) (*ringer, chan ended) {
	ends := make(chan ended, 16)
	r := newRinger(send, func(nonce string, outcome bridge.Outcome, output []byte, failure string) {
		ends <- ended{nonce, outcome, string(output), failure}
	}, zap.NewNop)
	r.setWorkers([]string{"chat"})

	return r, ends
}

func TestABellEndsAsItsRequestDid(t *testing.T) {
	for _, c := range []struct {
		name string
		send func(w http.ResponseWriter, worker, nonce string) error
		want ended
	}{
		{"served", func(http.ResponseWriter, string, string) error { return nil }, ended{"n", bridge.Served, "", ""}},
		{"served, and PHP printed", func(w http.ResponseWriter, worker, nonce string) error {
			fmt.Fprintf(w, "hello from %s", worker)

			return nil
		}, ended{"n", bridge.Served, "hello from chat", ""}},
		{"failed", func(w http.ResponseWriter, _, _ string) error {
			fmt.Fprint(w, "so far")

			return errors.New("broken")
		}, ended{"n", bridge.Failed, "so far", "broken"}},
		{"panicked", func(http.ResponseWriter, string, string) error { panic("ouch") }, ended{"n", bridge.Failed, "", "panic: ouch"}},
		{"not reached: PHP does not run", func(http.ResponseWriter, string, string) error { return frankenphp.ErrNotRunning }, ended{"n", bridge.Abandoned, "", frankenphp.ErrNotRunning.Error()}},
		{"not reached: max_wait_time", func(w http.ResponseWriter, _, _ string) error {
			fmt.Fprint(w, "the text of the rejection")

			return frankenphp.ErrMaxWaitTimeExceeded
		}, ended{"n", bridge.Abandoned, "", frankenphp.ErrMaxWaitTimeExceeded.Error()}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, ends := fakeRinger(c.send)
			r.ring(bridge.Ring{Nonce: "n", Worker: "chat"})

			if got := <-ends; got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

func TestABellForAWorkerThatHasGoneIsNotRung(t *testing.T) {
	r, ends := fakeRinger(func(http.ResponseWriter, string, string) error { panic("it was rung") })
	r.ring(bridge.Ring{Nonce: "n", Worker: "news"})

	if got := <-ends; got.outcome != bridge.Abandoned || !strings.Contains(got.failure, `"news" is not in the configuration any more`) {
		t.Errorf("got %+v", got)
	}
}

func TestRingingDoesNotWaitForPHP(t *testing.T) {
	release := make(chan struct{})
	r, ends := fakeRinger(func(http.ResponseWriter, string, string) error {
		<-release

		return nil
	})

	for range 3 {
		r.ring(bridge.Ring{Nonce: "n", Worker: "chat"})
	}
	close(release)
	for range 3 {
		<-ends
	}
}

func TestABellSwallowedByARestartIsAbandonedOnceAndOthersAreNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		swallowed, returns := make(chan struct{}), make(chan struct{})
		r, ends := fakeRinger(func(w http.ResponseWriter, _, nonce string) error {
			switch nonce {
			case "swallowed":
				<-swallowed
			case "slow to return":
				<-returns
				fmt.Fprint(w, "late")
			case "rung after":
				<-swallowed
			}

			return nil
		})

		r.ring(bridge.Ring{Nonce: "swallowed", Worker: "chat"})
		r.ring(bridge.Ring{Nonce: "slow to return", Worker: "chat"})
		r.abandon()
		r.ring(bridge.Ring{Nonce: "rung after", Worker: "chat"})

		time.Sleep(abandonGrace / 2)
		close(returns)
		synctest.Wait()
		if got := <-ends; got != (ended{"slow to return", bridge.Served, "late", ""}) {
			t.Errorf("got %+v", got)
		}

		time.Sleep(abandonGrace)
		synctest.Wait()
		if got := <-ends; got.nonce != "swallowed" || got.outcome != bridge.Abandoned {
			t.Errorf("got %+v", got)
		}

		close(swallowed)
		synctest.Wait()
		if got := <-ends; got.nonce != "rung after" || got.outcome != bridge.Served {
			t.Errorf("got %+v", got)
		}
		if len(ends) != 0 || len(r.ringing) != 0 {
			t.Errorf("%d more ends, %d bells left", len(ends), len(r.ringing))
		}
	})
}

func TestOfWhatPHPPrintsTheBeginningAndTheEndAreKept(t *testing.T) {
	for _, size := range []int{1, 7, 1000, 3000, recorderHead + recorderTail, 1 << 20} {
		for _, total := range []int{0, 10, recorderHead, recorderHead + recorderTail, recorderHead + recorderTail + 1, 300_000} {
			printed := make([]byte, total)
			for i := range printed {
				printed[i] = byte('a' + i%23)
			}

			r := new(recorder)
			for part := range slices.Chunk(printed, size) {
				if n, err := r.Write(part); n != len(part) || err != nil {
					t.Fatalf("got %d, %v: PHP would take the client for gone", n, err)
				}
			}
			want := string(printed)
			if left := total - recorderHead - recorderTail; left > 0 {
				want = fmt.Sprintf("%s\n[%d bytes are left out]\n%s", printed[:recorderHead], left, printed[total-recorderTail:])
			}
			if got := string(r.bytes()); got != want {
				t.Errorf("of %d bytes, written %d at a time, were kept: %d bytes, want %d", total, size, len(got), len(want))
			}
			if len(r.head) > recorderHead || cap(r.tail) > 4*(recorderHead+recorderTail) {
				t.Errorf("%d and %d bytes of memory", len(r.head), cap(r.tail))
			}
		}
	}
}
