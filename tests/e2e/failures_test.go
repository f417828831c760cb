package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/coder/websocket"
)

// settled waits until PHP has nothing under way, and returns the counters of events.
func (s *server) settled() (delivered, acknowledged, failed, dropped int) {
	s.t.Helper()
	eventually(s.t, func() error {
		stats := s.stats()
		for _, name := range []string{"events_delivered", "events_acknowledged", "events_failed", "events_dropped"} {
			if _, ok := stats[name]; !ok {
				return stopWaiting{fmt.Errorf("/websocket/stats has no %q: %v", name, stats)}
			}
		}
		delivered, acknowledged = int(stats["events_delivered"]), int(stats["events_acknowledged"])
		failed, dropped = int(stats["events_failed"]), int(stats["events_dropped"])
		if delivered != acknowledged+failed {
			return fmt.Errorf("%d delivered, %d acknowledged, %d failed", delivered, acknowledged, failed)
		}
		return nil
	})
	return
}

func TestAnEventThatFailsInPHPIsCountedAndLoggedAndNeverHandedOutTwice(t *testing.T) {
	t.Parallel()
	s := start(t, lab())
	for _, way := range []struct {
		name, command string
		failed        int
		cause         string
	}{
		{"a handler that leaves the loop has handled its event", "break", 0, ""},
		{"an uncaught exception", "throw", 1, "thrown on purpose"},
		{"exit", "exit", 1, "exit"},
		// PHP 8.2 says "Cannot declare class stdClass, because …", PHP 8.4 "Cannot redeclare class stdClass …".
		{"a fatal error", "fatal", 1, "declare class stdClass"},
		{"the memory limit", "memory", 1, "Allowed memory size"},
		{"the time limit", "time", 1, "Maximum execution time"},
		{"failEvent", "fail", 1, "failed on purpose"},
	} {
		t.Run(way.name, func(t *testing.T) {
			_, _, failedBefore, droppedBefore := s.settled()
			c, facts := dialLab(t, s, "/lab", nil)
			// All at once, so that they wait in one lease with the one that fails.
			messages := []string{"one", "two", way.command, "three", "four"}
			for _, message := range messages {
				c.send(t, message)
			}
			for _, reply := range []string{"one", "two", "three", "four"} {
				c.want(t, reply)
			}
			c.Close(websocket.StatusNormalClosure, "")
			s.closeEvent(facts.ID)

			var got []string
			for _, e := range s.events(facts.ID) {
				got = append(got, strings.TrimSpace(e.Type+" "+e.Data))
			}
			want := "open, message one, message two, message " + way.command + ", message three, message four, close"
			if strings.Join(got, ", ") != want {
				t.Errorf("PHP was given\n%s, want\n%s", strings.Join(got, ", "), want)
			}
			_, _, failed, dropped := s.settled()
			if failed-failedBefore != way.failed || dropped != droppedBefore {
				t.Errorf("%d failed and %d dropped, want %d and 0", failed-failedBefore, dropped-droppedBefore, way.failed)
			}
			if way.failed == 0 {
				return
			}
			eventually(t, func() error {
				if len(s.log.records(facts.ID, way.cause)) == 0 {
					return fmt.Errorf("no record of the log names connection %s and %q", facts.ID, way.cause)
				}
				if way.command != "fail" && len(s.log.records(`"lab"`, "printed before "+way.command)) == 0 {
					return fmt.Errorf("what PHP printed is not in the log")
				}
				return nil
			})
		})
	}
}

func TestOnErrorCloseClosesTheConnectionWith1011(t *testing.T) {
	t.Parallel()
	s := start(t, lab())
	for _, command := range []string{"throw", "exit", "fatal", "fail"} {
		c, facts := dialLab(t, s, "/strict", nil)
		c.send(t, command)
		c.wantClose(t, websocket.StatusInternalError)
		// The PHP side is told of its own doing.
		if got := s.closeEvent(facts.ID); !got.Clean {
			t.Errorf("after %s: %+v", command, got)
		}
	}
}

// withPackage is a site with an application of the Composer package: testdata/app.php.
func withPackage() site {
	return site{
		global: `
	frankenphp {
		worker {
			name app
			file $TESTDATA/app.php
			num 2
		}
	}`,
		body: `
	websocket /app {
		worker app
	}
	websocket /strict {
		name strict
		worker app
		on_error close
	}`,
	}
}

// knowsItsHandshake asks the application about the handshake, and for its tags.
func knowsItsHandshake(t *testing.T, c *client) {
	t.Helper()
	facts := c.receive(t)
	for _, part := range []string{`"route":"app"`, `"path":"\/app"`, `"query":"x=1"`, `"ip":"127.0.0.1"`, `"subprotocol":""`, `"upgrade":"websocket"`} {
		if !strings.Contains(strings.ToLower(facts), part) {
			t.Errorf("%s is not in %s", part, facts)
		}
	}
	c.send(t, "facts")
	if later := c.receive(t); !strings.Contains(later, `"query":null`) || !strings.Contains(later, `"headers":null`) {
		t.Errorf("facts of the handshake outside onOpen: %s", later)
	}
	c.send(t, "tags")
	c.want(t, "app")
	c.send(t, "untag")
	c.send(t, "tags")
	c.want(t, "")
}

func TestThePackageReportsWhatAHandlerThrows(t *testing.T) {
	t.Parallel()
	s := start(t, withPackage())
	c := dial(t, s, "/app?x=1", nil)
	knowsItsHandshake(t, c)

	_, _, before, _ := s.settled()
	c.send(t, "throw")
	c.want(t, "caught from onMessage")
	c.send(t, "type error")
	if got := c.receive(t); !strings.Contains(got, "caught strlen()") {
		t.Error(got)
	}
	c.send(t, "throw twice")
	c.want(t, "caught first")
	c.send(t, "still here")
	c.want(t, "still here")
	dial(t, s, "/app?throw", nil).want(t, "caught from onOpen")
	if _, _, failed, _ := s.settled(); failed-before != 4 {
		t.Errorf("%d failed, want 4", failed-before)
	}
	for _, cause := range []string{"DomainException: from onMessage", "TypeError: strlen()", "onError threw LogicException: second", "DomainException: from onOpen"} {
		eventually(t, func() error {
			if len(s.log.records(cause, "app.php:")) == 0 {
				return fmt.Errorf("no record of the log has %q with its file and line", cause)
			}
			return nil
		})
	}

	c.send(t, "close")
	if reason := c.wantClose(t, 4002); reason != "as you wish" {
		t.Errorf("reason %q", reason)
	}
	eventually(t, func() error {
		if closed := s.lines("closed"); len(closed) != 1 || !strings.Contains(closed[0], " 4002 ") {
			return fmt.Errorf("onClose was told %q", closed)
		}
		return nil
	})

	strict := dial(t, s, "/strict", nil)
	strict.receive(t)
	strict.send(t, "throw")
	strict.want(t, "caught from onMessage") // onError comes before the policy
	strict.wantClose(t, websocket.StatusInternalError)
}

// failure waits for the record of a failed event that contains the text, and returns it.
func (s *server) failure(text string) string {
	s.t.Helper()
	var found []string
	eventually(s.t, func() error {
		if found = s.log.records("PHP failed on a WebSocket event", text); len(found) == 0 {
			return fmt.Errorf("no record of the log tells of a failed event with %q", text)
		}
		return nil
	})
	return found[0]
}

func TestTheCauseOfAFailureHasATraceWithoutTheValuesOfArguments(t *testing.T) {
	t.Parallel()
	s := start(t, lab())
	c, _ := dialLab(t, s, "/lab", nil)
	c.send(t, "throw a-secret-of-the-client")
	record := s.failure("thrown on purpose")
	for _, part := range []string{`RuntimeException: thrown on purpose in `, `/lab.php:`, `\nStack trace:\n#0 `, `/lab.php(`, `{closure`, `frankenphp_handle_request()`} {
		if !strings.Contains(record, part) {
			t.Errorf("%q is not in %s", part, record)
		}
	}
	if strings.Contains(record, "a-secret") {
		t.Errorf("the value of an argument is in %s", record)
	}
}

func TestAFailureWithALongTextIsLoggedWithTheBeginningOfIt(t *testing.T) {
	t.Parallel()
	s := start(t, stateful(false))
	c := dial(t, s, "/state", nil)
	for _, text := range []string{`'begins ' . str_repeat('x', 40000)`, `"begins " . str_repeat("\x01", 300000)`, `'begins ' . str_repeat('\xff', 100000)`} {
		before := len(s.log.records("PHP failed on a WebSocket event"))
		c.asks(t, `frankenphp_ws_failEvent(`+text+`); return null;`)
		eventually(t, func() error {
			records := s.log.records("PHP failed on a WebSocket event")
			if len(records) == before {
				return fmt.Errorf("not logged")
			}
			for _, part := range []string{`"cause":"begins `, ` more bytes)"`, `"event":"message"`, `"route":"state"`, `"on_error":"continue"`} {
				if !strings.Contains(records[before], part) {
					return stopWaiting{fmt.Errorf("%q is not in %.500s", part, records[before])}
				}
			}
			return nil
		})
	}
}

func TestAnExceptionWithALongTextIsLoggedWithTheBeginningOfIt(t *testing.T) {
	t.Parallel()
	s := start(t, site{
		global: "\tfrankenphp {\n\t\tworker {\n\t\t\tname throws\n\t\t\tfile $DIR/throws.php\n\t\t\tnum 1\n\t\t}\n\t}",
		body:   "\twebsocket /throws {\n\t\tworker throws\n\t}",
		files: map[string]string{"throws.php": `<?php
while (frankenphp_handle_request(static function (): void {
    while (($event = frankenphp_ws_nextEvent()) !== null) {
        if ($event['type'] === 'message') {
            throw new RuntimeException($event['data'] . ' begins ' . str_repeat(match ($event['data']) {
                'letters' => 'x',
                'control characters' => "\x01",
                'bytes that are no text' => "\xe9",
            }, 40 << 10));
        }
    }
})) {
}
`},
	})
	for _, kind := range []string{"letters", "control characters", "bytes that are no text"} {
		dial(t, s, "/throws", nil).send(t, kind)
		record := s.failure(kind + " begins ")
		for _, part := range []string{`"cause":"Uncaught RuntimeException: ` + kind + ` begins `, `{main}`, `[cut] in `, `throws.php on line 5`, `"event":"message"`, `"route":"throws"`, `"connection":"`} {
			if !strings.Contains(record, part) {
				t.Errorf("%q is not in the record of %s: %.500s", part, kind, record)
			}
		}
		if !json.Valid([]byte(record)) || len(record) > 64<<10 {
			t.Errorf("%d bytes, JSON: %t", len(record), json.Valid([]byte(record)))
		}
	}
}

func TestOfAChainOfExceptionsTheOneThatWasThrownIsLoggedHoweverLongTheOthersAre(t *testing.T) {
	t.Parallel()
	s := start(t, site{
		global: "\tfrankenphp {\n\t\tworker {\n\t\t\tname chain\n\t\t\tfile $DIR/chain.php\n\t\t\tnum 1\n\t\t}\n\t}",
		body:   "\twebsocket /chain {\n\t\tworker chain\n\t}",
		files: map[string]string{"chain.php": `<?php
while (frankenphp_handle_request(static function (): void {
    while (($event = frankenphp_ws_nextEvent()) !== null) {
        if ($event['type'] === 'message') {
            [$name, $length, $depth] = explode(' ', $event['data']);
            $exception = new PDOException("innermost of $name " . str_repeat('i', (int) $length));
            for ($n = 1; $n < (int) $depth; $n++) {
                $exception = new LogicException("link $n " . str_repeat("\n\nNext ", 3), 0, $exception);
            }
            throw new DomainException("outermost of $name", 0, $exception);
        }
    }
})) {
}
`},
	})
	client := dial(t, s, "/chain", nil)
	for _, chain := range []string{"short 10 1", "long 50000 1", "deep 50000 500"} {
		client.send(t, chain)
		name, _, _ := strings.Cut(chain, " ")
		record := s.failure("outermost of " + name)
		for _, part := range []string{`"cause":"Uncaught PDOException: innermost of ` + name + ` i`, `Next DomainException: outermost of ` + name + ` in `, `chain.php:10`, `{main}`} {
			if !strings.Contains(record, part) {
				t.Errorf("%q is not in the record of %q: %.600s … %s", part, chain, record, record[max(len(record)-600, 0):])
			}
		}
		if cut := strings.Contains(record, "i [cut]"); cut != (name != "short") || len(record) > 32<<10 {
			t.Errorf("%q: cut: %t, %d bytes", chain, cut, len(record))
		}
	}
}

func TestAHandlerThatARestartEndsIsNotToldAsOneWhoseTimeWasUp(t *testing.T) {
	t.Parallel()
	s := start(t, stateful(false))
	c := dial(t, s, "/state", nil)
	c.send(t, `file_put_contents(getenv('E2E_DIR') . '/busy', "busy\n"); for (;;) { usleep(1000); }`)
	eventually(t, func() error {
		if len(s.lines("busy")) == 0 {
			return fmt.Errorf("the handler has not begun")
		}
		return nil
	})
	// FrankenPHP waits some seconds for it.
	if status, answer := s.adminPost("/frankenphp/workers/restart", ""); status != 200 {
		t.Fatalf("%d %s", status, answer)
	}
	record := s.failure("FrankenPHP ended the script after")
	if !strings.Contains(record, "max_execution_time, 30 s, was not reached") || strings.Contains(record, "Maximum execution time") {
		t.Error(record)
	}
	if got := c.asks(t, `return 'served again';`); string(got.Value) != `"served again"` {
		t.Errorf("%s", got.Value)
	}
}
