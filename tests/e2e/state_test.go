package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// stateful is a site with one thread of the worker that does as it is told in PHP (testdata/state.php). prepared: it sets up before
// its loop all that handlers then change.
func stateful(prepared bool) site {
	s := site{
		global: `
	frankenphp {
		worker {
			name state
			file $TESTDATA/state.php
			num 1
		}
	}`,
		body: `
	root $TESTDATA/public
	websocket /state {
		worker state
		max_message_size 1MiB
	}
	php_server`,
	}
	if prepared {
		s.env = []string{"E2E_PREPARED=yes"}
	}
	return s
}

// value is what the code returned, as JSON.
func (c *client) value(t *testing.T, code string) string {
	t.Helper()
	return string(c.asks(t, code).Value)
}

// told is what the worker answers: the bell it was in, which of the script's events it was, and the value that the code returned.
type told struct {
	Bell  string
	Event int
	Value json.RawMessage
}

// asks sends PHP code and returns what the worker tells.
func (c *client) asks(t *testing.T, code string) told {
	t.Helper()
	c.send(t, code)
	return c.hears(t)
}

func (c *client) hears(t *testing.T) told {
	t.Helper()
	message := c.receive(t)
	var answer told
	if err := json.Unmarshal([]byte(message), &answer); err != nil {
		t.Fatalf("%v in %q", err, message)
	}
	return answer
}

// inOneBell makes the worker handle an event of ann's and then one of bob's in one bell, and returns both answers.
func inOneBell(t *testing.T, s *server, carl, ann, bob *client, first, second string) (told, told) {
	t.Helper()
	for range 50 {
		// While carl's event takes its time, the others queue up.
		for i, send := range []func(){
			func() { carl.send(t, "usleep(100000); return null;") },
			func() { ann.send(t, first) },
			func() { bob.send(t, second) },
		} {
			before := s.stat("events_queued")
			send()
			if i < 2 {
				eventually(t, func() error {
					if s.stat("events_queued") == before {
						return fmt.Errorf("the event is not queued")
					}
					return nil
				})
			}
		}
		carl.hears(t)
		a, b := ann.hears(t), bob.hears(t)
		if a.Bell == b.Bell && a.Event < b.Event {
			return a, b
		}
	}
	t.Fatal("the two events were never one after the other in one bell")
	return told{}, told{}
}

func TestASessionIsWrittenWhenItsEventIsOver(t *testing.T) {
	t.Parallel()
	s := start(t, stateful(false))
	ann, bob, carl := dial(t, s, "/state", nil), dial(t, s, "/state", nil), dial(t, s, "/state", nil)
	const visit = `session_id('%[1]s'); session_start(); $_SESSION['visits'] = ($_SESSION['visits'] ?? 0) + 1; $_SESSION['user'] = '%[1]s'; return $_SESSION;`
	for visits := range 3 {
		a, b := inOneBell(t, s, carl, ann, bob, `return null;`, `return null;`)
		if a.Bell != b.Bell {
			t.Fatal("not in one bell")
		}
		for user, c := range map[string]*client{"ann": ann, "bob": bob} {
			want := fmt.Sprintf(`{"visits":%d,"user":"%s"}`, visits+1, user)
			// Nobody closes it: and nobody who opens it again waits for its lock.
			if got := c.value(t, fmt.Sprintf(visit, user)); got != want {
				t.Errorf("%s has %s, want %s", user, got, want)
			}
		}
	}
	if got := carl.value(t, `session_start(); return [$_SESSION, in_array(session_id(), ['ann', 'bob'], true)];`); got != `[[],false]` {
		t.Errorf("a session without a cookie is %s", got)
	}
}

func TestAHandlerThatHasPrintedDoesNotKeepTheNextFromStartingASession(t *testing.T) {
	t.Parallel()
	s := start(t, stateful(false))
	ann, bob, carl := dial(t, s, "/state", nil), dial(t, s, "/state", nil), dial(t, s, "/state", nil)
	first, second := inOneBell(t, s, carl, ann, bob, `echo 'printed by ann'; flush(); ob_start(); echo 'buffered by ann'; return headers_sent();`,
		`return [headers_sent(), session_start(), setcookie('x', 'y'), ob_get_contents(), error_get_last()];`)
	if string(first.Value) != "false" || string(second.Value) != `[false,true,true,false,null]` {
		t.Errorf("ann %s, bob %s", first.Value, second.Value)
	}
	eventually(t, func() error {
		if len(s.log.records("printed by annbuffered by ann")) == 0 {
			return fmt.Errorf("what ann has printed is not in the log")
		}
		return nil
	})
}

func TestABufferOfBeforeTheLoopDoesNotKeepTheOutputOfAnEventForTheNext(t *testing.T) {
	t.Parallel()
	want := stateful(false)
	want.global = strings.Replace(want.global, "frankenphp {", "frankenphp {\n\t\tphp_ini output_buffering 4096", 1)
	s := start(t, want)
	ann, bob, carl := dial(t, s, "/state", nil), dial(t, s, "/state", nil), dial(t, s, "/state", nil)
	first, second := inOneBell(t, s, carl, ann, bob, `echo 'of ann'; ob_start(); echo 'buffered by ann'; return ob_get_level();`,
		`echo 'of bob'; return [ob_get_level(), ob_get_clean()];`)
	if string(first.Value) != "2" || string(second.Value) != `[1,"of bob"]` {
		t.Errorf("ann %s, bob %s", first.Value, second.Value)
	}
	// bob has ended the buffer itself: there is one again.
	first, second = inOneBell(t, s, carl, ann, bob, `return [ob_get_level(), ob_end_clean(), ob_get_level()];`, `return ob_get_level();`)
	if string(first.Value) != "[1,true,0]" || string(second.Value) != "1" {
		t.Errorf("ann %s, bob %s", first.Value, second.Value)
	}
	eventually(t, func() error {
		if len(s.log.records("of annbuffered by ann")) == 0 {
			return fmt.Errorf("what ann has printed is not in the log")
		}
		return nil
	})
}

func TestADestructorThatThrowsWhileThingsArePutBackFailsItsEventAndNothingElse(t *testing.T) {
	t.Parallel()
	s := start(t, stateful(true))
	ann, bob, carl := dial(t, s, "/state", nil), dial(t, s, "/state", nil), dial(t, s, "/state", nil)
	const look = `return [getcwd(), getenv('E2E_USER'), ini_get('precision'), mb_internal_encoding(), is_object(set_error_handler(null)), umask(), $_GET['x'] ?? null];`
	before := bob.value(t, look)
	_, _, failed, _ := s.settled()
	carl.value(t, `return null;`)
	ann.value(t, `set_error_handler([new class { public function handle() { return true; } public function __destruct() { throw new LogicException('from a destructor'); } }, 'handle']);
		chdir('/etc'); putenv('E2E_USER=ann'); ini_set('precision', '3'); mb_internal_encoding('UTF-8'); umask(0); $_GET['x'] = 'y'; return null;`)
	if got := bob.value(t, look); got != before {
		t.Errorf("the next event saw %s, before it was %s", got, before)
	}
	if _, _, now, _ := s.settled(); now != failed+1 {
		t.Errorf("%d events failed, want 1", now-failed)
	}
	s.failure("from a destructor")
}

func TestASaveHandlerThatTheScriptHasSetStaysAndItsFailureIsTheEvents(t *testing.T) {
	t.Parallel()
	want := stateful(false)
	want.env = []string{"E2E_SAVE_HANDLER=yes"}
	s := start(t, want)
	ann, bob := dial(t, s, "/state", nil), dial(t, s, "/state", nil)
	for range 3 {
		ann.value(t, `session_id('ann'); session_start(); $_SESSION['user'] = 'ann'; return session_module_name();`)
		if got := bob.value(t, `session_id('ann'); session_start(); return [session_module_name(), $_SESSION];`); got != `["user",{"user":"ann"}]` {
			t.Errorf("%s", got)
		}
	}
	_, _, before, _ := s.settled()
	ann.value(t, `session_id('ann'); session_start(); $_SESSION['user'] = 'unwritable'; return null;`)
	if got := bob.value(t, `return [session_id(), $_SESSION ?? null];`); got != `["",null]` {
		t.Errorf("the next event saw %s", got)
	}
	if _, _, failed, _ := s.settled(); failed != before+1 {
		t.Errorf("%d failed, want 1", failed-before)
	}
	eventually(t, func() error {
		if len(s.log.records("PHP failed on a WebSocket event", "the session cannot be written")) == 0 {
			return fmt.Errorf("no record of the failure")
		}
		return nil
	})
}

func TestEachEventHasTheTimeLimitThatTheScriptHasSet(t *testing.T) {
	t.Parallel()
	want := stateful(false)
	want.global = `
	frankenphp {
		php_ini max_execution_time 6
		worker {
			name state
			file $TESTDATA/state.php
			num 1
		}
	}`
	s := start(t, want)
	ann, bob, carl := dial(t, s, "/state", nil), dial(t, s, "/state", nil), dial(t, s, "/state", nil)

	// ann wants none: she has none, and the next has one.
	_, _, before, _ := s.settled()
	if got := ann.value(t, `set_time_limit(0); for ($until = microtime(true) + 7; microtime(true) < $until;); return 'done';`); got != `"done"` {
		t.Errorf("without a limit: %s", got)
	}
	bob.send(t, `while (true);`)
	eventually(t, func() error {
		if len(s.log.records("PHP failed on a WebSocket event", "Maximum execution time of 6 seconds exceeded")) == 0 {
			return fmt.Errorf("bob's event goes on and on")
		}
		return nil
	})
	if _, _, failed, _ := s.settled(); failed != before+1 {
		t.Errorf("%d failed, want 1", failed-before)
	}

	// She wants less: that is not the next one's limit, which can take longer.
	_, second := inOneBell(t, s, carl, ann, bob, `set_time_limit(1); return null;`,
		`for ($until = microtime(true) + 1.5; microtime(true) < $until;); return ini_get('max_execution_time');`)
	if string(second.Value) != `"6"` {
		t.Errorf("the limit of the next event is %s", second.Value)
	}
}

func TestAMemoryLimitIsPutBackAsSoonAsLessIsInUse(t *testing.T) {
	t.Parallel()
	s := start(t, stateful(false))
	ann, bob := dial(t, s, "/state", nil), dial(t, s, "/state", nil)
	if got := ann.value(t, `ini_set('memory_limit', '300M'); $GLOBALS['kept'] = str_repeat('x', 160 << 20); return ini_get('memory_limit');`); got != `"300M"` {
		t.Fatal(got)
	}
	// More than the limit is in use: things go on.
	if got := bob.value(t, `return [ini_get('memory_limit'), strlen($GLOBALS['kept']) >> 20];`); got != `["128M",160]` {
		t.Error(got)
	}
	ann.value(t, `unset($GLOBALS['kept']); return null;`)
	bob.value(t, `return null;`)
	bob.send(t, `return strlen(str_repeat('x', 160 << 20));`)
	eventually(t, func() error {
		if len(s.log.records("PHP failed on a WebSocket event", "Allowed memory size of 134217728 bytes exhausted")) == 0 {
			return fmt.Errorf("the limit is not in force again")
		}
		return nil
	})
}

func TestAHandlerThatSeedsDoesNotMakeTheNextNumbersKnown(t *testing.T) {
	t.Parallel()
	s := start(t, stateful(false))
	ann, bob, carl := dial(t, s, "/state", nil), dial(t, s, "/state", nil), dial(t, s, "/state", nil)
	for _, seed := range []string{"mt_srand(42);", "srand(42);", "mt_srand(42, MT_RAND_PHP);"} {
		known := ann.value(t, seed+` return [mt_rand(), mt_rand(), mt_rand(), mt_rand()];`)
		for range 2 {
			if got := ann.value(t, seed+` return [mt_rand(), mt_rand(), mt_rand(), mt_rand()];`); got != known {
				t.Errorf("%s gives %s and %s", seed, known, got)
			}
		}
		_, second := inOneBell(t, s, carl, ann, bob, seed+` return [mt_rand(), mt_rand()];`, `return [mt_rand(), mt_rand()];`)
		var all [4]int
		var next [2]int
		if err := json.Unmarshal([]byte(known), &all); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(second.Value, &next); err != nil {
			t.Fatal(err)
		}
		if next == [2]int(all[:2]) || next == [2]int(all[2:]) {
			t.Errorf("after %s the next numbers are those of the seed: %v", seed, next)
		}
	}
}

func TestWhatAWorkerIsForStaysOverItsEvents(t *testing.T) {
	t.Parallel()
	s := start(t, stateful(false))
	ann, bob := dial(t, s, "/state", nil), dial(t, s, "/state", nil)
	ann.value(t, `$GLOBALS['kept'] = 'a global'; Kept::$events = 1000; define('KEPT', 'a constant'); eval('function kept() { static $calls = 0; return ++$calls; } class KeptClass {}'); kept();
		spl_autoload_register(function (string $class) { if ($class === 'Loaded') { eval('class Loaded {}'); } });
		stream_wrapper_register('kept', KeptClass::class); $GLOBALS['file'] = tmpfile(); fwrite($GLOBALS['file'], 'open'); return null;`)
	want := `["a global",true,"a constant",2,true,true,"open"]`
	got := bob.value(t, `return [$GLOBALS['kept'], Kept::$events > 1000, KEPT, kept(), class_exists('Loaded'), in_array('kept', stream_get_wrappers(), true), rewind($GLOBALS['file']) ? fread($GLOBALS['file'], 9) : ''];`)
	if got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestAScriptEndsWhereSomethingCannotBePutBack(t *testing.T) {
	t.Parallel()
	want := stateful(false)
	want.env = []string{"E2E_FOLDER=yes"}
	s := start(t, want)
	ann, bob := dial(t, s, "/state", nil), dial(t, s, "/state", nil)
	before := bob.value(t, `return getcwd();`)
	boots := len(s.lines("booted"))
	// As a release that is taken away while its workers run.
	ann.value(t, `rmdir(getcwd()); chdir('/etc'); return null;`)
	if got := bob.value(t, `return getcwd();`); got != before {
		t.Errorf("the next event is in %s, want %s", got, before)
	}
	if len(s.lines("booted")) != boots+1 {
		t.Errorf("the script has started %d times more, want once", len(s.lines("booted"))-boots)
	}
	eventually(t, func() error {
		if len(s.log.records("PHP failed on a WebSocket event", "What chdir() has changed")) == 0 {
			return fmt.Errorf("no record says why")
		}
		return nil
	})
}
