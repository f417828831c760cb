package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// redisServer is a Redis server on a socket of its own.
type redisServer struct {
	t      *testing.T
	folder string
	cmd    *exec.Cmd
}

func startRedis(t *testing.T) *redisServer {
	t.Helper()
	r := &redisServer{t: t, folder: shortFolder(t)}
	r.launch()
	t.Cleanup(r.kill)
	return r
}

func (r *redisServer) socket() string { return filepath.Join(r.folder, "s") }

func (r *redisServer) launch() {
	r.t.Helper()
	r.cmd = exec.Command("redis-server", "--port", "0", "--save", "", "--unixsocket", r.socket(), "--dir", r.folder)
	if err := r.cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	eventually(r.t, func() error { return exec.Command("redis-cli", "-s", r.socket(), "PING").Run() })
}

func (r *redisServer) kill() {
	if r.cmd != nil {
		r.cmd.Process.Kill()
		r.cmd.Wait()
		r.cmd = nil
	}
}

// clustered is the lab as one of several servers.
func clustered(r *redisServer, label string) site {
	want := lab()
	const route = "websocket /lab {"
	want.body = strings.Replace(want.body, route, route+"\n\t\tchannel news:* {\n\t\t\thistory 10 1h\n\t\t\tpresence {\n\t\t\t\tgrace off\n\t\t\t}\n\t\t}", 1)
	want.global += "\n\twebsocket {\n\t\tcluster {env.E2E_REDIS} {\n\t\t\ttimeout 5s\n\t\t\tlease 2s\n\t\t\tlabel " + label + "\n\t\t}\n\t}"
	want.files = map[string]string{"call.php": `<?php
try {
	echo json_encode($_GET['f'](...json_decode($_GET['a'], true)));
} catch (Throwable $e) {
	echo get_class($e), ': ', $e->getMessage();
}`}
	want.body = strings.Replace(want.body, "root $TESTDATA/public", "root $DIR", 1)
	want.env = append(want.env, "E2E_REDIS=unix://"+r.socket())
	return want
}

func startCluster(t *testing.T, r *redisServer, count int) []*server {
	t.Helper()
	servers := make([]*server, count)
	for n := range servers {
		servers[n] = start(t, clustered(r, fmt.Sprintf("server-%d", n)))
	}
	for _, s := range servers {
		eventually(t, func() error {
			if got := s.stat("cluster_nodes"); got != count {
				return fmt.Errorf("it knows %d servers", got)
			}
			return nil
		})
	}
	return servers
}

func TestServersOfAClusterWorkAsOneForPHPTheCommandLineAndTheAdminAPI(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	servers := startCluster(t, r, 3)
	here, there := servers[0], servers[1]
	client, facts := dialLab(t, there, "/lab", nil)
	if node, _, found := strings.Cut(facts.ID, "."); !found || len(node) != 8 {
		t.Errorf("the id %q does not name its server", facts.ID)
	}
	for _, c := range []struct{ want, got string }{
		{"true", here.call(t, "tagClient", facts.ID, "room")},
		{"true", here.call(t, "send", facts.ID, "to one")},
		{"0", here.call(t, "sendToTag", "room", "to a group")},
		{"0", here.call(t, "sendAll", "to all")},
		{`["` + facts.ID + `"]`, here.call(t, "getClients")},
		{"1", servers[2].call(t, "getClientsCount")},
		{`["room"]`, here.call(t, "getTags", facts.ID)},
		{"1", here.call(t, "global_increment", "visits")},
		{"2", there.call(t, "global_increment", "visits")},
		{"true", here.call(t, "renameConnection", facts.ID, "ann")},
		{"true", servers[2].call(t, "send", "ann", "by its new name")},
	} {
		if c.got != c.want {
			t.Errorf("got %s, want %s", c.got, c.want)
		}
	}
	for _, text := range []string{"to one", "to a group", "to all", "by its new name"} {
		client.want(t, text)
	}
	here.wantCLI("ann\n", "list")
	if status, body := here.asks(http.MethodGet, "/websocket/clients/ann", ""); status != 200 || !strings.Contains(body, `"route":"lab"`) {
		t.Errorf("%d %s", status, body)
	}
	if shown := here.cli("", "nodes").stdout; strings.Count(shown, "server-") != 2 || !strings.Contains(shown, "this server") {
		t.Errorf("nodes: %s", shown)
	}
	_, metrics := here.asks(http.MethodGet, "/metrics", "")
	for _, name := range []string{"cluster_connected 1", "cluster_nodes 3", "cluster_calls_total", "cluster_published_total", "cluster_dropped_total 0"} {
		if !strings.Contains(metrics, "frankenphp_websocket_"+name) {
			t.Errorf("no metric %s", name)
		}
	}
	aChannelIsOne(t, servers, client)
	if got := servers[2].call(t, "close", "ann", 4001, "bye"); got != "true" {
		t.Error(got)
	}
	client.wantClose(t, 4001)
}

// aChannelIsOne looks at the history and the members of a channel from all servers. The client is ann.
func aChannelIsOne(t *testing.T, servers []*server, client *client) {
	t.Helper()
	for n, text := range []string{"one", "two"} {
		if got := servers[n].call(t, "sendToTag", "news:1", text); got != "0" {
			t.Error(got)
		}
	}
	var history struct {
		Complete bool
		Messages []struct{ Data string }
	}
	if err := json.Unmarshal([]byte(servers[2].call(t, "history", "news:1")), &history); err != nil || !history.Complete || len(history.Messages) != 2 || history.Messages[1].Data != "two" {
		t.Errorf("%+v %v", history, err)
	}
	for call, want := range map[string]string{
		servers[0].call(t, "tagClient", "ann", "news:1", ""): "true",
		servers[2].call(t, "setUser", "ann", "Ann"):          "true",
		servers[0].call(t, "presence", "news:1"):             `[{"user":"Ann","info":"","connections":1}]`,
		servers[2].call(t, "sendToUser", "Ann", "to a user"): "0",
	} {
		if call != want {
			t.Errorf("%s, want %s", call, want)
		}
	}
	client.want(t, "one")
	client.want(t, "two")
	client.want(t, "to a user")
}

func TestWithoutRedisAServerServesItsOwnClientsAndTellsPHPWhatDoesNotWork(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	servers := startCluster(t, r, 2)
	here, there := servers[0], servers[1]
	near, nearFacts := dialLab(t, here, "/lab", nil)
	far, farFacts := dialLab(t, there, "/lab", nil)
	for id, s := range map[string]*server{nearFacts.ID: here, farFacts.ID: there} {
		if got := s.call(t, "tagClient", id, "room"); got != "true" {
			t.Fatal(got)
		}
	}
	r.kill()
	eventually(t, func() error {
		if here.stat("cluster_connected") != 0 || there.stat("cluster_connected") != 0 {
			return fmt.Errorf("it is not noticed")
		}
		return nil
	})
	for _, c := range []struct{ want, got string }{
		{"true", here.call(t, "send", nearFacts.ID, "near")},
		{"1", here.call(t, "sendToTag", "room", "near as well")},
		{`FrankenPHP\WebSocket\ClusterException: frankenphp_ws_send(): the cluster's Redis server cannot be reached`, here.call(t, "send", farFacts.ID, "far")},
		{`FrankenPHP\WebSocket\ClusterException: frankenphp_ws_getClients()`, here.call(t, "getClients")},
		{`FrankenPHP\WebSocket\ClusterException: frankenphp_ws_global_get()`, here.call(t, "global_get", "k")},
	} {
		if !strings.HasPrefix(c.got, c.want) {
			t.Errorf("got %s, want %s", c.got, c.want)
		}
	}
	near.want(t, "near")
	near.want(t, "near as well")
	if got := here.stat("cluster_groups_not_told"); got != 1 {
		t.Errorf("%d messages were not told to others", got)
	}
	if ran := here.cli("", "nodes"); ran.code != 1 || !strings.Contains(ran.stderr, "cannot be reached") {
		t.Errorf("%+v", ran)
	}
	r.launch()
	eventually(t, func() error {
		if got := here.call(t, "getClientsCount"); got != "2" {
			return fmt.Errorf("%s", got)
		}
		return nil
	})
	if got := here.call(t, "sendToTag", "room", "again"); got != "1" {
		t.Error(got)
	}
	far.want(t, "again")
}

func TestAServerThatIsKilledIsMissedByNobodyForLong(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	servers := startCluster(t, r, 3)
	_, facts := dialLab(t, servers[2], "/lab", nil)
	if got := servers[2].call(t, "renameConnection", facts.ID, "ann"); got != "true" {
		t.Fatal(got)
	}
	servers[2].signal(os.Kill)
	<-servers[2].exited
	_, other := dialLab(t, servers[0], "/lab", nil)
	eventually(t, func() error {
		if got := servers[0].call(t, "renameConnection", other.ID, "ann"); got != "true" {
			return fmt.Errorf("%s", got)
		}
		return nil
	})
	eventually(t, func() error {
		if got := servers[1].stat("cluster_nodes"); got != 2 {
			return fmt.Errorf("%d servers", got)
		}
		return nil
	})
	var ids []string
	if err := json.Unmarshal([]byte(servers[1].call(t, "getClients")), &ids); err != nil || len(ids) != 1 || ids[0] != "ann" {
		t.Errorf("%v %v", ids, err)
	}
}
