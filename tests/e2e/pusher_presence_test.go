package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// audience is some pages with pusher-js that are in one presence channel.
type audience struct {
	t     *testing.T
	input io.Writer

	mu      sync.Mutex
	members map[string][]string // by page: who it believes is there
	told    map[string][]string // by page: what it was told
}

func newAudience(t *testing.T) *audience {
	t.Helper()
	if err := installed(); err != nil {
		t.Fatal(err)
	}
	node := exec.Command("node", "presence.cjs", `{"id":"1","key":"app-key","secret":"app-secret"}`)
	node.Dir = "pusher"
	input, err := node.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	output, err := node.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := node.Start(); err != nil {
		t.Fatal(err)
	}
	a := &audience{t: t, input: input, members: map[string][]string{}, told: map[string][]string{}}
	read := make(chan struct{})
	go func() {
		defer close(read)
		for lines := bufio.NewScanner(output); lines.Scan(); {
			var line struct {
				Client, Told string
				Members      []string
			}
			if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
				t.Errorf("%s: %v", lines.Bytes(), err)
				continue
			}
			a.mu.Lock()
			a.members[line.Client] = line.Members
			a.told[line.Client] = append(a.told[line.Client], line.Told)
			a.mu.Unlock()
		}
	}()
	t.Cleanup(func() {
		input.Close()
		<-read
		node.Wait()
	})
	return a
}

func (a *audience) do(wish map[string]string) {
	a.t.Helper()
	line, err := json.Marshal(wish)
	if err != nil {
		a.t.Fatal(err)
	}
	if _, err := a.input.Write(append(line, '\n')); err != nil {
		a.t.Fatal(err)
	}
}

// join has a page of a user enter the channel, and waits until it has.
func (a *audience) join(page, user string, s *server) {
	a.t.Helper()
	a.do(map[string]string{"join": page, "user": user, "server": s.addr})
	eventually(a.t, func() error {
		a.mu.Lock()
		defer a.mu.Unlock()
		if !slices.Contains(a.members[page], user) {
			return fmt.Errorf("%s was told %q", page, a.told[page])
		}
		return nil
	})
}

func (a *audience) leave(page string) { a.do(map[string]string{"leave": page}) }

// see waits until pages believe that just these users are there.
func (a *audience) see(pages string, users ...string) {
	a.t.Helper()
	slices.Sort(users)
	for page := range strings.FieldsSeq(pages) {
		eventually(a.t, func() error {
			a.mu.Lock()
			defer a.mu.Unlock()
			if !slices.Equal(a.members[page], users) {
				return fmt.Errorf("%s believes that %q are there, and not %q; it was told %q", page, a.members[page], users, a.told[page])
			}
			return nil
		})
	}
}

// toldOf is how often a page was told that a user has come (+) or gone (-).
func (a *audience) toldOf(page, what string) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	count := 0
	for _, told := range a.told[page] {
		if told == what {
			count++
		}
	}
	return count
}

func (a *audience) wasTold(page, what string, times int) {
	a.t.Helper()
	if count := a.toldOf(page, what); count != times {
		a.t.Errorf("%s was told %s %d times instead of %d: %q", page, what, count, times, a.told[page])
	}
}

// pusherCluster is three servers of one application that believe in the others for two seconds.
func pusherCluster(t *testing.T, r *redisServer) []*server {
	t.Helper()
	servers := make([]*server, 3)
	for n := range servers {
		want := pusherSite("")
		want.global = "\twebsocket {\n\t\tcluster {env.E2E_REDIS} {\n\t\t\ttimeout 1s\n\t\t\tlease 2s\n\t\t}\n\t}"
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
	return servers
}

func TestMembersOfAPresenceChannelAreRightWhateverHappensToServers(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	servers := pusherCluster(t, r)
	a := newAudience(t)
	for n, s := range servers {
		a.join(fmt.Sprint("w", n), fmt.Sprint("w", n), s)
	}
	a.see("w0 w1 w2", "w0", "w1", "w2")
	a.join("tab-0", "ann", servers[0])
	a.join("tab-1", "ann", servers[1])
	a.see("w0 w1 w2 tab-0 tab-1", "ann", "w0", "w1", "w2")

	// A reload, and one of two tabs that goes: nobody hears of it.
	servers[0].load(servers[0].source() + "\n# changed\n")
	a.leave("tab-0")
	a.join("marker", "marker", servers[0])
	a.see("w0 w1 w2", "ann", "marker", "w0", "w1", "w2")
	a.leave("marker")
	a.see("w0 w1 w2", "ann", "w0", "w1", "w2")
	for _, page := range []string{"w0", "w1", "w2"} {
		a.wasTold(page, "+ann", 1)
		a.wasTold(page, "-ann", 0)
	}

	a.isRightWhileAServerHangs(servers)
	a.isRightAfterAServerHasDied(servers)

	// Redis dies with all that it knew. Who comes and who goes meanwhile is known afterwards.
	r.kill()
	for _, s := range []*server{servers[0], servers[2]} {
		eventually(t, func() error {
			if s.stat("cluster_connected") != 0 {
				return fmt.Errorf("it has not noticed")
			}
			return nil
		})
	}
	a.leave("tab-2")
	a.join("late", "late", servers[0])
	r.launch()
	a.see("w0 w2 late", "late", "w0", "w2")
}

// Who comes to another server is told at once who is there.
func (a *audience) isRightWhileAServerHangs(servers []*server) {
	a.t.Helper()
	if err := servers[2].cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		a.t.Fatal(err)
	}
	a.join("guest", "guest", servers[0])
	a.see("w0 w1", "ann", "guest", "w0", "w1", "w2")
	if err := servers[2].cmd.Process.Signal(syscall.SIGCONT); err != nil {
		a.t.Fatal(err)
	}
	a.see("w0 w1 w2", "ann", "guest", "w0", "w1", "w2")
	a.leave("guest")
	a.see("w0 w1 w2", "ann", "w0", "w1", "w2")
}

// Ann comes to another server before hers is missed: she has never left.
func (a *audience) isRightAfterAServerHasDied(servers []*server) {
	a.t.Helper()
	if err := servers[1].cmd.Process.Kill(); err != nil {
		a.t.Fatal(err)
	}
	a.join("tab-2", "ann", servers[2])
	a.see("w0 w2", "ann", "w0", "w2")
	a.wasTold("w0", "-ann", 0)
	a.wasTold("w0", "-w1", 1)
	a.wasTold("w2", "-w1", 1)
}
