package e2e

import (
	"bytes"
	"encoding/json"
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

// pusherSite is a site whose application 1 has the key app-key and the secret app-secret.
func pusherSite(more string) site {
	return site{
		plain: true, // clients of npm are not told to trust the certificate
		body: `	@pusher path /app/* /apps/* /up
	websocket @pusher {
		pusher {
			app {env.E2E_APP_ID} {env.E2E_APP_KEY} {env.E2E_APP_SECRET}
		}
	}
` + more,
		env: []string{"E2E_APP_ID=1", "E2E_APP_KEY=app-key", "E2E_APP_SECRET=app-secret"},
	}
}

var installed = sync.OnceValue(func() error {
	folder, err := filepath.Abs("pusher")
	if err != nil {
		return err
	}
	install := exec.Command("npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts")
	install.Dir = folder
	if out, err := install.CombinedOutput(); err != nil {
		return fmt.Errorf("npm ci: %w\n%s", err, out)
	}
	return nil
})

// runClients runs clients that others wrote against servers that work as one.
func runClients(t *testing.T, servers ...*server) {
	t.Helper()
	if err := installed(); err != nil {
		t.Fatal(err)
	}
	what, err := json.Marshal(map[string]any{"servers": addresses(servers), "id": "1", "key": "app-key", "secret": "app-secret"})
	if err != nil {
		t.Fatal(err)
	}
	clients := exec.Command("node", "clients.cjs", string(what))
	clients.Dir = "pusher"
	out, err := clients.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if parts := bytes.Count(out, []byte("\n")); parts < 18 {
		t.Errorf("only %d parts ran:\n%s", parts, out)
	}
	for _, s := range servers {
		if config, err := os.ReadFile(s.config); err != nil || bytes.Contains(config, []byte("app-secret")) {
			t.Error("the test itself wrote the secret down")
		}
		if s.log.contains("app-secret") {
			t.Error("the secret is in the log")
		}
	}
}

// hookedSite is the same, and tells that address what happens.
func hookedSite(hooks string) site {
	want := pusherSite("")
	want.body = strings.Replace(want.body, "{env.E2E_APP_SECRET}\n", "{env.E2E_APP_SECRET} {\n\t\t\t\twebhook "+hooks+"\n\t\t\t}\n", 1)
	return want
}

// pythonClients runs clients of PyPI.
func pythonClients(t *testing.T, hooks string, servers ...*server) {
	t.Helper()
	folder, err := exec.Command("../../tools/pusher-python.sh").Output()
	if err != nil {
		t.Fatalf("pusher-python.sh: %v", err)
	}
	what := map[string]any{"servers": addresses(servers), "id": "1", "key": "app-key", "secret": "app-secret", "webhooks": hooks}
	argument, err := json.Marshal(what)
	if err != nil {
		t.Fatal(err)
	}
	clients := exec.Command("python3", "clients.py", string(argument))
	clients.Dir = "pusher"
	clients.Env = append(os.Environ(), "PYTHONPATH="+strings.TrimSpace(string(folder)), "PYTHONDONTWRITEBYTECODE=1")
	out, err := clients.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if parts := bytes.Count(out, []byte("Python: ")); parts != 7 {
		t.Errorf("%d parts ran:\n%s", parts, out)
	}
}

// hooked takes webhooks, and gives them to whoever asks for the next one.
func hooked(t *testing.T) string {
	t.Helper()
	hooks := make(chan map[string]string, 1000)
	listener := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			select {
			case hook := <-hooks:
				json.NewEncoder(w).Encode(hook)
			case <-r.Context().Done():
			}
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		hooks <- map[string]string{"key": r.Header.Get("X-Pusher-Key"), "signature": r.Header.Get("X-Pusher-Signature"), "body": string(body)}
	}))
	t.Cleanup(listener.Close)
	return listener.URL
}

func addresses(servers []*server) []string {
	found := make([]string, len(servers))
	for n, s := range servers {
		found[n] = s.addr
	}
	return found
}

func TestClientsThatOthersWroteWorkUnchangedWithOneServer(t *testing.T) {
	t.Parallel()
	runClients(t, start(t, pusherSite("")))
}

func TestPythonClientsThatOthersWroteWorkUnchangedWithOneServer(t *testing.T) {
	t.Parallel()
	hooks := hooked(t)
	pythonClients(t, hooks, start(t, hookedSite(hooks)))
}

func TestClientsThatOthersWroteWorkUnchangedWithThreeServers(t *testing.T) {
	t.Parallel()
	runClients(t, three(t, pusherSite(""))...)
}

func TestPythonClientsThatOthersWroteWorkUnchangedWithThreeServers(t *testing.T) {
	t.Parallel()
	hooks := hooked(t)
	pythonClients(t, hooks, three(t, hookedSite(hooks))...)
}

// three starts three servers of a site that work as one.
func three(t *testing.T, want site) []*server {
	t.Helper()
	r := startRedis(t)
	want.global = "\twebsocket {\n\t\tcluster {env.E2E_REDIS} {\n\t\t\ttimeout 5s\n\t\t}\n\t}"
	want.env = append(want.env, "E2E_REDIS=unix://"+r.socket())
	servers := make([]*server, 3)
	for n := range servers {
		servers[n] = start(t, want)
	}
	for _, s := range servers {
		eventually(t, func() error {
			if got := s.stat("cluster_nodes"); got != len(servers) {
				return fmt.Errorf("it knows %d servers", got)
			}
			return nil
		})
	}
	return servers
}
