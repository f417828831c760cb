package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// browser starts a Chromium of its own, with a new profile, until the test ends.
func browser(t *testing.T) context.Context {
	t.Helper()
	// Not t.TempDir: Chromium's processes may write to it a moment longer than the browser lives.
	profile, err := os.MkdirTemp("", "chromium-")
	if err != nil {
		t.Fatal(err)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.NoSandbox,
		chromedp.DisableGPU,
		chromedp.UserDataDir(profile),
		chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true),
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("ignore-certificate-errors", true),
		chromedp.WindowSize(1100, 760),
		// A machine busy with other tests takes its time.
		chromedp.WSURLReadTimeout(2*bound),
	)
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, cancel := chromedp.NewContext(allocator)
	t.Cleanup(func() {
		cancel()
		stop()
		eventually(t, func() error { return os.RemoveAll(profile) })
	})
	if err := chromedp.Run(ctx); err != nil {
		t.Fatalf("chromium: %v", err)
	}
	return ctx
}

// A tab is one page, which a person looks at and clicks in.
type tab struct {
	t        *testing.T
	ctx      context.Context
	close    context.CancelFunc
	mu       sync.Mutex // guards problems
	problems []string   // uncaught exceptions and refusals of the content security policy
}

// open opens an address in a tab of its own.
func open(t *testing.T, browser context.Context, address string) *tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(browser)
	tab := &tab{t: t, ctx: ctx, close: cancel}
	t.Cleanup(cancel)
	chromedp.ListenTarget(ctx, func(happened any) {
		var problem string
		switch e := happened.(type) {
		case *runtime.EventExceptionThrown:
			problem = e.ExceptionDetails.Error()
		case *cdplog.EventEntryAdded:
			if e.Entry.Source == cdplog.SourceSecurity {
				problem = e.Entry.Text
			}
		case *page.EventJavascriptDialogOpening:
			problem = "a dialog: " + e.Message
		}
		if problem != "" {
			tab.mu.Lock()
			tab.problems = append(tab.problems, problem)
			tab.mu.Unlock()
		}
	})
	tab.run(cdplog.Enable(), chromedp.Navigate(address))
	t.Cleanup(func() {
		tab.mu.Lock()
		defer tab.mu.Unlock()
		for _, problem := range tab.problems {
			t.Errorf("the page: %s", problem)
		}
	})
	return tab
}

func (p *tab) run(actions ...chromedp.Action) {
	p.t.Helper()
	// The first action of a tab binds it to its context, which must not be one with a time limit.
	if chromedp.FromContext(p.ctx).Target == nil {
		if err := chromedp.Run(p.ctx); err != nil {
			p.t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(p.ctx, bound)
	defer cancel()
	if err := chromedp.Run(ctx, actions...); err != nil {
		p.t.Fatalf("in the browser: %v", err)
	}
}

// fill types into a field.
func (p *tab) fill(selector, text string) {
	p.t.Helper()
	p.run(chromedp.WaitVisible(selector, chromedp.ByQuery), chromedp.SendKeys(selector, text, chromedp.ByQuery))
}

func (p *tab) click(selector string) {
	p.t.Helper()
	p.run(chromedp.WaitVisible(selector, chromedp.ByQuery), chromedp.WaitEnabled(selector, chromedp.ByQuery), chromedp.Click(selector, chromedp.ByQuery))
}

// shows waits until an element shows all of the texts.
func (p *tab) shows(selector string, texts ...string) {
	p.t.Helper()
	eventually(p.t, func() error {
		shown := p.text(selector)
		for _, text := range texts {
			if !strings.Contains(shown, text) {
				return fmt.Errorf("%s shows %q, want %q", selector, shown, text)
			}
		}
		return nil
	})
}

// text is what a person reads in an element.
func (p *tab) text(selector string) string {
	p.t.Helper()
	var text string
	p.run(chromedp.Evaluate(fmt.Sprintf("document.querySelector(%q).innerText", selector), &text))
	return text
}

func (p *tab) evaluate(expression string, result any) {
	p.t.Helper()
	p.run(chromedp.Evaluate(expression, result))
}

// screenshot leaves a picture of the tab among the test's artifacts (`go test -artifacts` keeps them).
func (p *tab) screenshot(name string) {
	p.t.Helper()
	var png []byte
	p.run(chromedp.CaptureScreenshot(&png))
	path := filepath.Join(p.t.ArtifactDir(), name+".png")
	if err := os.WriteFile(path, png, 0o600); err != nil {
		p.t.Fatal(err)
	}
	if len(png) < 1000 {
		p.t.Errorf("the screenshot %s has only %d bytes", name, len(png))
	}
}

// dark lets the page believe that the system is in dark mode.
func (p *tab) dark() {
	p.t.Helper()
	p.run(emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "dark"}}))
}

// size gives the tab the size of another device.
func (p *tab) size(width, height int64) {
	p.t.Helper()
	p.run(chromedp.EmulateViewport(width, height))
}
