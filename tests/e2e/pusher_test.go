package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
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
	addresses := make([]string, len(servers))
	for n, s := range servers {
		addresses[n] = s.addr
	}
	what, err := json.Marshal(map[string]any{"servers": addresses, "id": "1", "key": "app-key", "secret": "app-secret"})
	if err != nil {
		t.Fatal(err)
	}
	clients := exec.Command("node", "clients.cjs", string(what))
	clients.Dir = "pusher"
	out, err := clients.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if parts := bytes.Count(out, []byte("\n")); parts < 14 {
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

func TestClientsThatOthersWroteWorkUnchangedWithOneServer(t *testing.T) {
	t.Parallel()
	runClients(t, start(t, pusherSite("")))
}

func TestClientsThatOthersWroteWorkUnchangedWithThreeServers(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	servers := make([]*server, 3)
	for n := range servers {
		want := pusherSite("")
		want.global = "\twebsocket {\n\t\tcluster {env.E2E_REDIS} {\n\t\t\ttimeout 5s\n\t\t}\n\t}"
		want.env = append(want.env, "E2E_REDIS=unix://"+r.socket())
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
	runClients(t, servers...)
}
