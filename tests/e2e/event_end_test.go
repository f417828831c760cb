package e2e

import (
	"fmt"
	"testing"
)

// failAtTheEnd gives functions for the end that fail: each makes its event fail.
func failAtTheEnd(t *testing.T, s *server, ann, bob *client) {
	t.Helper()
	for what, code := range map[string]string{
		"thrown at the end":                    `register_shutdown_function(function () { throw new LogicException('thrown at the end'); }); return null;`,
		"exit() was called":                    `register_shutdown_function(function () { exit; }); return null;`,
		"contains 1 abstract method":           `register_shutdown_function(function () { eval('class Incomplete { abstract function missing(); }'); }); return null;`,
		"a function for its end gets no more":  `register_shutdown_function(function () { frankenphp_ws_nextEvent(); }); return null;`,
		"strtoupper() expects exactly 1 argum": `ob_start('strtoupper'); echo 'x'; return null;`,
	} {
		_, _, before, _ := s.settled()
		ann.value(t, code)
		bob.value(t, `return null;`)
		if _, _, failed, _ := s.settled(); failed != before+1 {
			t.Errorf("%s: %d failed, want 1", what, failed-before)
		}
		eventually(t, func() error {
			if len(s.log.records("PHP failed on a WebSocket event", what)) == 0 {
				return fmt.Errorf("no record of the failure with %q", what)
			}
			return nil
		})
	}
}

func TestFunctionsForTheEndAreCalledAtTheEndOfTheirEvent(t *testing.T) {
	t.Parallel()
	s := start(t, stateful(true))
	ann, bob, carl := dial(t, s, "/state", nil), dial(t, s, "/state", nil), dial(t, s, "/state", nil)
	const note = `file_put_contents(getenv('E2E_DIR') . '/order', "%s\n", FILE_APPEND);`
	_, second := inOneBell(t, s, carl, ann, bob,
		`session_id('ann'); session_start(); unlink(getenv('E2E_DIR') . '/order');
		register_shutdown_function(function () { `+fmt.Sprintf(note, "first of ann")+` $_SESSION['ended'] = 'yes'; echo 'printed at the end'; });
		register_shutdown_function(function () { `+fmt.Sprintf(note, "second of ann")+` register_shutdown_function(function () { `+fmt.Sprintf(note, "third of ann")+` }); });
		return null;`,
		fmt.Sprintf(note, "bob")+` session_id('ann'); session_start(); return $_SESSION;`)
	if string(second.Value) != `{"ended":"yes"}` {
		t.Errorf("the session of ann, who has closed it at the end, is %s", second.Value)
	}
	bob.value(t, `return null;`)
	if got := fmt.Sprint(s.lines("order")); got != "[first of ann second of ann third of ann bob]" {
		t.Errorf("the order is %s", got)
	}

	// So are those of a handler that does not ask for the next event.
	ann.send(t, `leave the loop register_shutdown_function(function () { ini_set('precision', '3'); frankenphp_ws_sendAll('{"value":"said at the end"}'); });`)
	for _, answer := range []string{`"left"`, `"said at the end"`} {
		if got := string(ann.hears(t).Value); got != answer {
			t.Fatalf("ann has heard %s, want %s", got, answer)
		}
	}
	for _, c := range []*client{bob, carl} {
		if got := string(c.hears(t).Value); got != `"said at the end"` {
			t.Fatalf("heard %s", got)
		}
	}
	if got := bob.value(t, `return ini_get('precision');`); got != `"7"` {
		t.Errorf("what a function for the end has changed is %s", got)
	}

	failAtTheEnd(t, s, ann, bob)

	// When the script ends, those that it has registered itself come, as ever.
	before := len(s.lines("ended"))
	ann.send(t, `register_shutdown_function(function () { file_put_contents(getenv('E2E_DIR') . '/ended', "of ann\n", FILE_APPEND); }); exit;`)
	eventually(t, func() error {
		if ended := s.lines("ended"); fmt.Sprint(ended[min(before, len(ended)):]) != "[of before the loop of ann]" {
			return fmt.Errorf("at the end of the script: %q", ended)
		}
		return nil
	})
}

func TestWhatAnEventLeavesIsUndoneHoweverItEnds(t *testing.T) {
	t.Parallel()
	for _, way := range []string{`frankenphp_ws_failEvent('failed'); return null;`, "leave the loop", "throw out of the loop"} {
		s := start(t, stateful(true))
		ann, bob := dial(t, s, "/state", nil), dial(t, s, "/state", nil)
		const look = `return [ini_get('precision'), getcwd(), date_default_timezone_get(), mb_internal_encoding(), umask(), ini_get('max_execution_time'), session_id(), count($_GET)];`
		want := bob.value(t, look)
		for range 3 {
			ann.value(t, `ini_set('precision', '3'); chdir('/etc'); date_default_timezone_set('America/Lima'); mb_internal_encoding('UTF-8'); umask(0); set_time_limit(0);
				session_id('ann'); session_start(); $_GET['x'] = 'y'; return null;`)
			ann.value(t, way)
			if got := bob.value(t, look); got != want {
				t.Errorf("after %q: %s, want %s", way, got, want)
			}
		}
	}
}
