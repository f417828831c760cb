package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// receiver takes webhooks after it has answered the first requests with 503, and keeps them.
type receiver struct {
	sync.Mutex
	refused int
	hooks   []map[string]string
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(request.Body)
	if err != nil {
		return
	}
	r.Lock()
	defer r.Unlock()
	if r.refused > 0 {
		r.refused--
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	header := request.Header
	r.hooks = append(r.hooks, map[string]string{"key": header.Get("X-Pusher-Key"), "signature": header.Get("X-Pusher-Signature"), "body": string(body)})
}

// verified returns the events that the library of npm has found in what came, one a line.
func (r *receiver) verified(t *testing.T) string {
	t.Helper()
	if err := installed(); err != nil {
		t.Fatal(err)
	}
	r.Lock()
	what, err := json.Marshal(map[string]any{"key": "app-key", "secret": "app-secret", "hooks": r.hooks})
	r.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	node := exec.Command("node", "webhooks.cjs", string(what))
	node.Dir = "pusher"
	out, err := node.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return string(out)
}

// pusherClient is a client that has subscribed to these channels.
func pusherClient(t *testing.T, s *server, channels ...string) *client {
	t.Helper()
	c := dial(t, s, "/app/app-key?protocol=7", nil)
	c.wantPusher(t, "pusher:connection_established")
	for _, channel := range channels {
		c.subscribe(t, channel)
	}
	return c
}

func (c *client) subscribe(t *testing.T, channel string) {
	t.Helper()
	c.send(t, `{"event":"pusher:subscribe","data":{"channel":"`+channel+`"}}`)
	c.wantPusher(t, "pusher_internal:subscription_succeeded")
}

func (c *client) wantPusher(t *testing.T, event string) {
	t.Helper()
	if got := c.receive(t); !strings.Contains(got, `"event":"`+event+`"`) {
		t.Fatalf("%s instead of %s", got, event)
	}
}

func TestWhatWaitsForAWebhookIsToldWhenTheServerEndsAndTheLibraryOfNpmTakesIt(t *testing.T) {
	t.Parallel()
	hooks := &receiver{refused: 3}
	listener := httptest.NewServer(hooks)
	t.Cleanup(listener.Close)
	s := start(t, hookedSite(strings.Replace(listener.URL, "://", "://ann:hush@", 1)+"/hook?token=hush"))
	pusherClient(t, s, "news")
	eventually(t, s.hasTroubleWithWebhooks)
	// The time for the end is five seconds; else the fourth attempt would be after seven.
	s.stop()
	found := hooks.verified(t)
	for _, event := range []string{`{"name":"channel_occupied","channel":"news"}`, `{"name":"subscription_count","channel":"news","subscription_count":1}`} {
		if !strings.Contains(found, event) {
			t.Errorf("no %s in\n%s", event, found)
		}
	}
	if !s.log.contains("it answered with 503") {
		t.Error("the log does not say why requests failed")
	}
	for _, secret := range []string{"hush", "app-secret"} {
		if s.log.contains(secret) {
			t.Errorf("%s is in the log", secret)
		}
	}
}

func (s *server) hasTroubleWithWebhooks() error {
	if s.stat("webhooks_failed") == 0 {
		return errors.New("no request has failed yet")
	}
	return nil
}

func TestAReloadThatTakesTheAddressOfAWebhookAwayEndsItsThread(t *testing.T) {
	t.Parallel()
	hooks := new(receiver)
	listener := httptest.NewServer(hooks)
	t.Cleanup(listener.Close)
	s := start(t, hookedSite(listener.URL))
	c := pusherClient(t, s, "news")
	for n := range 5 {
		s.writeConfig(hookedSite(fmt.Sprintf("%s/%d", listener.URL, n)))
		s.load(s.source())
		c.subscribe(t, fmt.Sprintf("news-%d", n))
	}
	eventually(t, func() error {
		if threads := s.threadsOfWebhooks(); threads != 1 {
			return fmt.Errorf("%d threads", threads)
		}
		return nil
	})
	s.stop()
	found := hooks.verified(t)
	for n := range 5 {
		if event := fmt.Sprintf(`{"name":"channel_occupied","channel":"news-%d"}`, n); strings.Count(found, event) != 1 {
			t.Errorf("%s is told %d times in\n%s", event, strings.Count(found, event), found)
		}
	}
}

func (s *server) threadsOfWebhooks() (count int) {
	s.t.Helper()
	names, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/comm", s.cmd.Process.Pid))
	if err != nil {
		s.t.Fatal(err)
	}
	for _, name := range names {
		// A thread may end meanwhile.
		if text, err := os.ReadFile(name); err == nil && strings.HasPrefix(string(text), "fws-webhook") {
			count++
		}
	}
	return count
}

func TestAReceiverOfWebhooksThatHangsHoldsUpNoClientAndTheEndOfTheServerOnlyForItsTime(t *testing.T) {
	t.Parallel()
	ended := make(chan struct{})
	listener := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		<-ended
	}))
	t.Cleanup(func() { close(ended); listener.Close() })
	s := start(t, hookedSite(listener.URL))
	for range 10 {
		pusherClient(t, s, "news")
	}
	if s.stat("webhooks_waiting") == 0 {
		t.Error("nothing waits, though nothing was answered")
	}
	s.stop()
	if !s.log.contains("webhooks were not told of events") {
		t.Error("the log does not say that events were not told")
	}
}
