package e2e

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/chromedp/chromedp"
)

// frameworks says where the frameworks and the scripts of the examples' pages are; tools/ fetches them when they are missing.
func frameworks(t *testing.T) []string {
	t.Helper()
	var env []string
	for name, script := range map[string]string{"FWS_FRAMEWORKS": "frameworks.sh", "FWS_JS": "frameworks-js.sh"} {
		output, err := exec.Command("../../tools/" + script).Output()
		if err != nil {
			t.Fatalf("%s: %v", script, err)
		}
		env = append(env, name+"="+strings.TrimSpace(string(output)))
	}
	return env
}

// startFramework runs the example of a framework.
func startFramework(t *testing.T, name string) *server {
	t.Helper()
	file, err := filepath.Abs("../../examples/" + name + "/Caddyfile")
	if err != nil {
		t.Fatal(err)
	}
	// The example writes to a folder of this test only.
	return start(t, site{file: file, env: append(frameworks(t), "APP_STORAGE="+t.TempDir()), plain: true})
}

// queueWorker runs Laravel's queue worker in a process of its own, until the test ends.
func queueWorker(t *testing.T, s *server) {
	t.Helper()
	cmd := exec.Command(frankenphp(t), "php-cli", "artisan", "queue:work", "--sleep=0.1", "--tries=3")
	cmd.Dir, cmd.Env = s.dir, s.env
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	output := &serverLog{}
	cmd.Stdout, cmd.Stderr = output, output
	if err := startLocked(cmd); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// PHP's pcntl crashes in php-cli when a signal comes that a script catches.
		cmd.Process.Kill()
		cmd.Wait()
		if t.Failed() {
			t.Logf("the queue worker:\n%s", output.tail(50))
		}
	})
}

// lines are the texts of a list's items.
func (p *tab) lines(selector string) (texts []string) {
	p.t.Helper()
	p.evaluate(fmt.Sprintf("[...document.querySelectorAll(%q)].map((line) => line.innerText.trim())", selector+" > li"), &texts)
	return texts
}

// has waits until a list has exactly these items.
func (p *tab) has(selector string, want ...string) {
	p.t.Helper()
	eventually(p.t, func() error {
		if got := p.lines(selector); strings.Join(got, "\n") != strings.Join(want, "\n") {
			return fmt.Errorf("%s has %q, want %q", selector, got, want)
		}
		return nil
	})
}

func comeIn(t *testing.T, s *server, name string) (*tab, func() *tab) {
	t.Helper()
	window := browser(t)
	page := open(t, window, s.url("/"))
	page.fill("input[name=name]", name)
	page.click("button")
	page.run(chromedp.WaitReady("#state", chromedp.ByQuery))
	page.shows("#state", "connected")
	return page, func() *tab {
		another := open(t, window, s.url("/"))
		another.shows("#state", "connected")
		return another
	}
}

func TestTheLaravelExampleIsAChatWithLaravelEcho(t *testing.T) {
	t.Parallel()
	s := startFramework(t, "laravel")
	queueWorker(t, s)
	ann, anotherTab := comeIn(t, s, "Ann")
	ann.has("#members", "Ann")
	bob, _ := comeIn(t, s, "Bob")
	ann.has("#members", "Ann", "Bob poke")
	bob.has("#members", "Ann poke", "Bob")
	second := anotherTab()
	second.has("#members", "Ann", "Bob poke")
	ann.shows("#windows", "3 windows")

	// A whisper is an event of a client, to the others.
	ann.fill("input[name=text]", "Tea is ready")
	bob.shows("#typing", "Ann is typing")

	// A queued broadcast to the others: the page that has sent it shows it once.
	ann.click("#say button")
	bob.has("#messages", "Ann Tea is ready")
	second.has("#messages", "Ann Tea is ready")
	ann.has("#messages", "Ann Tea is ready")

	// A notification goes to all tabs of one user.
	bob.click("#members button")
	ann.has("#messages", "Ann Tea is ready", "Bob has poked you")
	second.has("#messages", "Ann Tea is ready", "Bob has poked you")
	bob.has("#messages", "Ann Tea is ready")

	// One tab less is not one user less.
	second.close()
	ann.shows("#windows", "2 windows")
	bob.has("#members", "Ann poke", "Bob")
	ann.screenshot("laravel")
	bob.close()
	ann.has("#members", "Ann")
}

func TestTheSymfonyExampleHasABoardAndABell(t *testing.T) {
	t.Parallel()
	s := startFramework(t, "symfony")
	login := func(name string) *tab {
		page := open(t, browser(t), s.url("/"))
		page.fill("input[name=_username]", name)
		page.fill("input[name=_password]", name)
		page.click("button")
		page.run(chromedp.WaitReady("#notes", chromedp.ByQuery))
		page.shows("h1", "Board of "+name)
		return page
	}
	ann := login("ann")
	ann.shows("#here", "Ann")
	bob := login("bob")
	ann.shows("#here", "Ann, Bob")
	ann.fill("input[name=note]", "Tea is ready")
	ann.click("#write button")
	ann.has("#notes", "Ann: Tea is ready")
	bob.has("#notes", "Ann: Tea is ready")

	eventually(t, func() error {
		var subscribed bool
		if bob.evaluate("pusher.channel('private-user.bob').subscribed", &subscribed); !subscribed {
			return fmt.Errorf("bob has not yet subscribed to his channel")
		}
		return nil
	})
	ann.click(".ring")
	bob.shows("#rung", "ann has rung at")
	if rung := ann.text("#rung"); rung != "" {
		t.Errorf("ann's page shows %q", rung)
	}
	bob.screenshot("symfony")
}
