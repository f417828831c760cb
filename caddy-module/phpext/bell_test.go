package phpext_test

import (
	"encoding/base64"
	"reflect"
	"strings"
	"testing"

	"github.com/dunglas/frankenphp"
	bridge "github.com/frankenphp-ws/frankenphp-ws/go-bridge"
)

func base64Of(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

// quoted makes a PHP literal of a string that has neither quotes nor backslashes.
func quoted(s string) string { return "'" + s + "'" }

func TestEventsCarryWhatTheClientSent(t *testing.T) {
	watcher := connectApp(t)
	returned(t, true, `return frankenphp_ws_tagClient(%s, 'watches closing');`, quoted(watcher.id))

	c := connect(t, "app", "/chat/%C3%A9?name=x&y", "Origin: http://localhost", "X-Twice: 1", "x-twice: 2", "123: numeric",
		"Cookie: a=1; b=%20x+y; no-value; empty=; a=2; dotted.name=%F0%9F%98%80; 7=seven")
	open := c.event()
	if open.Type != "open" || open.Route != "app" || open.Path != "/chat/%C3%A9" || open.Query != "name=x&y" || open.IP != "192.0.2.7" || open.Subprotocol != "" {
		t.Errorf("%+v", open)
	}
	if open.Headers["x-twice"] != "1, 2" || open.Headers["123"] != "numeric" || open.Headers["origin"] != "http://localhost" {
		t.Errorf("%v", open.Headers)
	}
	if want := map[string]string{"a": "1", "b": " x+y", "no-value": "", "empty": "", "dotted.name": "😀", "7": "seven"}; !reflect.DeepEqual(open.Cookies, want) {
		t.Errorf("cookies are %v, want %v", open.Cookies, want)
	}

	c.send(opText, "text")
	c.send(opBinary, "bytes")
	if e := c.event(); e.Type != "message" || e.ID != open.ID || e.Route != "app" || e.Data != "text" || e.Binary {
		t.Errorf("%+v", e)
	}
	if e := c.event(); e.Data != "bytes" || !e.Binary {
		t.Errorf("%+v", e)
	}

	c.send(opClose, "\x0f\xa1bye \xc3\xa9")
	if e := watcher.event(); e.Type != "close" || e.ID != open.ID || e.Route != "app" || e.Code != 4001 || e.Reason != "bye é" || !e.Clean {
		t.Errorf("%+v", e)
	}
}

func TestAnEventIsAcknowledgedByTheNextOneAndByTheReturnOfTheHandler(t *testing.T) {
	c := connectApp(t)
	before := records.len()
	for _, text := range []string{"first", "second", "break", "handled error", "third", "break", "fourth"} {
		c.sees(text)
	}
	// A failure of a later event is logged after whatever the earlier ones had to say.
	c.sees("fail")
	c.sees("after")
	records.await(t, before, "failed by the script")
	if lines, _ := records.since(before); strings.Contains(strings.Join(lines, "\n"), "handled by the script") {
		t.Errorf("an error that the script handled failed the event: %s", lines)
	}
}

func TestAnEventFailsOnceWithItsCauseHoweverTheHandlerEnds(t *testing.T) {
	for message, cause := range map[string]string{
		"throw":            "Uncaught LogicException: thrown in the handler",
		"exit":             "exit() was called",
		"exit, next event": "no more events are handed out",
		"fatal error":      "Class Incomplete contains 1 abstract method",
		"memory limit":     "Allowed memory size of 4194304 bytes exhausted",
		"time limit":       "Maximum execution time of 1 second exceeded",
		"fail":             "failed by the script",
	} {
		t.Run(message, func(t *testing.T) {
			c := connectApp(t)
			before := records.len()
			// What follows waits in the same lease, and is neither lost nor handed out twice.
			c.send(opText, "before")
			c.send(opText, message)
			c.send(opText, "after")
			for _, text := range []string{"before", message, "after"} {
				c.awaits(text)
			}
			records.await(t, before, cause)
		})
	}
}

func TestEachEventHasTheWholeOfMaxExecutionTime(t *testing.T) {
	c := connectWorker(t, "limited")
	// In one bell, which ends after half a second, but not in the middle of an event.
	texts := []string{"takes 0.45 s", "takes 0.7 s", "after"}
	before := records.len()
	for _, text := range texts {
		c.send(opText, text)
	}
	for _, text := range texts {
		c.awaits(text)
	}
	if lines, _ := records.since(before); strings.Contains(strings.Join(lines, "\n"), "Maximum execution time") {
		t.Errorf("an event that took less than the limit ran into it: %s", lines)
	}
}

func TestTheFunctionsAreThereAfterPHPHasRestarted(t *testing.T) {
	c := connectApp(t)
	for range 3 {
		if _, err := bridge.CloseGate(patience); err != nil {
			t.Fatal(err)
		}
		frankenphp.Shutdown()
		startPHP()
		bridge.OpenGate()

		returned(t, true, `return frankenphp_ws_getClientsCount('app') > 0 && is_subclass_of('FrankenPHP\WebSocket\OutsideEventLoopException', 'RuntimeException');`)
		c.sees("after the restart")
		c.sees("throw") // the hook at the end of a request is there again, once
		c.sees("after the exception")
	}
}
