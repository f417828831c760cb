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

// Of each: what one handler leaves behind, and how another looks for it. What the look returns to the one that has just left it must
// differ from what it returned before; what it returns to the next one must not.
var leftBehind = []struct{ name, leave, look string }{
	{"a session that is open", `session_id('ann'); session_start(); $_SESSION['user'] = 'ann';`,
		`return [session_status(), session_id(), $_SESSION ?? null];`},
	{"a session that was read and closed", `session_id('ann'); session_start(['read_and_close' => true]);`,
		`return [session_id(), $_SESSION ?? null];`},
	{"a session that was written and closed", `session_id('ann'); session_start(); $_SESSION['user'] = 'ann'; session_write_close();`,
		`return [session_id(), $_SESSION ?? null];`},
	{"a session id that was only chosen", `session_id('ann');`, `return session_id();`},
	{"a session that was destroyed", `session_id('gone'); session_start(); session_destroy();`,
		`return [session_id(), $_SESSION ?? null];`},
	{"$_SESSION without a session", `$_SESSION = ['user' => 'ann'];`, `return $_SESSION ?? null;`},
	{"the name of the session", `session_name('ANN');`, `return session_name();`},
	{"parameters of the session's cookie", `session_set_cookie_params(77, '/ann');`, `return session_get_cookie_params();`},
	{"a save handler of the session", `session_set_save_handler(new SessionHandler());`, `return session_module_name();`},
	{"a session's cookie among the headers", `session_id('ann'); session_start();`, `return headers_list();`},
	{"headers", `header('X-Ann: secret'); header('Content-Type: text/plain');`, `return headers_list();`},
	{"the response code", `http_response_code(404);`, `return http_response_code();`},
	{"a status line", `header('HTTP/1.1 418 ann');`, `return http_response_code();`},
	{"an output buffer", `ob_start(); echo 'of ann';`, `return [ob_get_level(), ob_get_contents()];`},
	{"several output buffers with callbacks", `ob_start(); echo 'of'; ob_start(fn (string $text) => strtoupper($text)); echo 'ann';`, `return ob_list_handlers();`},
	{"an output buffer that must not be ended", `ob_start(null, 0, 0); echo 'of ann';`, `return ob_list_handlers();`},
	{"an ini setting", `ini_set('precision', '3');`, `return ini_get('precision');`},
	{"an ini setting that the script had changed, set back", `ini_restore('session.save_path');`, `return ini_get('session.save_path');`},
	{"several ini settings", `ini_set('serialize_precision', '4'); ini_set('user_agent', 'ann'); ini_set('default_socket_timeout', '3');`,
		`return [ini_get('serialize_precision'), ini_get('user_agent'), ini_get('default_socket_timeout')];`},
	{"a memory limit that is higher", `ini_set('memory_limit', '333M');`, `return ini_get('memory_limit');`},
	{"a memory limit that is lower", `ini_set('memory_limit', '64M');`, `return ini_get('memory_limit');`},
	{"no memory limit", `ini_set('memory_limit', '-1');`, `return ini_get('memory_limit');`},
	{"no time limit", `set_time_limit(0);`, `return ini_get('max_execution_time');`},
	{"another time limit", `set_time_limit(77);`, `return ini_get('max_execution_time');`},
	{"the level of errors", `error_reporting(E_ERROR);`, `return error_reporting();`},
	{"the level of errors, as a setting", `ini_set('error_reporting', '1');`, `return error_reporting();`},
	{"where the path of includes leads", `set_include_path('/ann');`, `return get_include_path();`},
	{"limits of regular expressions", `ini_set('pcre.backtrack_limit', '7'); ini_set('pcre.jit', '0');`,
		`return [ini_get('pcre.backtrack_limit'), ini_get('pcre.jit'), preg_match('/(a+)+$/', str_repeat('a', 30) . 'b')];`},
	{"no garbage collection", `gc_disable();`, `return gc_enabled();`},
	{"the default character set", `ini_set('default_charset', 'KOI8-R');`, `return [ini_get('default_charset'), htmlentities("\xc4")];`},
	{"assertions", `ini_set('assert.exception', '0');`, `return ini_get('assert.exception');`},
	{"a callback of assertions", `@assert_options(ASSERT_CALLBACK, 'var_dump');`, `return @assert_options(ASSERT_CALLBACK);`},
	{"the time zone", `date_default_timezone_set('America/Lima');`, `return [date_default_timezone_get(), date('H', 0)];`},
	{"the time zone, as a setting", `ini_set('date.timezone', 'America/Lima'); date_default_timezone_set(ini_get('date.timezone'));`,
		`return [ini_get('date.timezone'), date_default_timezone_get()];`},
	{"where files may be opened", `ini_set('open_basedir', getenv('E2E_DIR'));`, `return [ini_get('open_basedir'), @is_file('/etc/passwd')];`},
	{"where errors are logged", `ini_set('error_log', getenv('E2E_DIR') . '/ann.log'); ini_set('display_errors', '0');`,
		`return [ini_get('error_log'), ini_get('display_errors')];`},
	{"how sessions are cached", `session_cache_limiter('public'); session_cache_expire(7); session_save_path('/tmp');`,
		`return [session_cache_limiter(), session_cache_expire(), session_save_path()];`},
	{"the locale", `setlocale(LC_ALL, 'C.UTF-8');`, `return setlocale(LC_ALL, 0);`},
	{"one category of the locale", `setlocale(LC_TIME, ['nowhere', 'C.UTF-8']);`, `return setlocale(LC_ALL, 0);`},
	{"the locale's characters", `setlocale(LC_CTYPE, 'C');`, `return setlocale(LC_CTYPE, 0);`},
	{"the default locale of intl", `Locale::setDefault('de_AT');`, `return Locale::getDefault();`},
	{"the working directory", `chdir('/etc');`, `return [getcwd(), file_exists('passwd')];`},
	{"the mask for new files", `umask(0);`, `return umask();`},
	{"the internal encoding", `mb_internal_encoding('UTF-16');`, `return [mb_internal_encoding(), mb_strlen('abcd')];`},
	{"the character that stands for others", `mb_substitute_character('none');`, `return mb_substitute_character();`},
	{"the order of encodings", `mb_detect_order(['UTF-8', 'ISO-8859-1']);`, `return mb_detect_order();`},
	{"the output encoding", `mb_http_output('KOI8-R');`, `return mb_http_output();`},
	{"the encoding of mb_ereg", `mb_regex_encoding('BIG5');`, `return mb_regex_encoding();`},
	{"the options of mb_ereg", `mb_regex_set_options('xz');`, `return mb_regex_set_options();`},
	{"a search of mb_ereg", `mb_ereg_search_init('secret of ann', 'secret'); mb_ereg_search();`,
		`return mb_ereg_search_getpos();`},
	{"the language of mb", `mb_language('ja');`, `return mb_language();`},
	{"a handler of errors", `set_error_handler('is_string');`,
		`$all = []; for ($i = 0; $i < 6; $i++) { $one = set_error_handler(null); restore_error_handler(); restore_error_handler(); $all[] = is_object($one) ? spl_object_id($one) : $one; } return $all;`},
	{"handlers of errors that were taken away", `restore_error_handler(); restore_error_handler(); restore_error_handler(); set_error_handler('is_int'); set_error_handler('is_bool', E_NOTICE);`,
		`$all = []; for ($i = 0; $i < 6; $i++) { $one = set_error_handler(null); restore_error_handler(); restore_error_handler(); $all[] = is_object($one) ? spl_object_id($one) : $one; } return $all;`},
	{"a handler of exceptions", `restore_exception_handler(); set_exception_handler('is_string'); set_exception_handler('is_int');`,
		`$all = []; for ($i = 0; $i < 6; $i++) { $one = set_exception_handler(null); restore_exception_handler(); restore_exception_handler(); $all[] = is_object($one) ? spl_object_id($one) : $one; } return $all;`},
	{"the last error", `set_error_handler(null); @trigger_error('of ann'); @file_get_contents('/ann');`, `return error_get_last();`},
	{"$_GET", `$_GET['user'] = 'ann';`, `return $_GET['user'] ?? null;`},
	{"$_POST by parse_str", `parse_str('user=ann', $_POST);`, `return $_POST;`},
	{"$_COOKIE that is another's", `$other = ['user' => 'ann']; $_COOKIE = &$other;`, `return $_COOKIE;`},
	{"$_SERVER", `$_SERVER['REMOTE_USER'] = 'ann'; unset($_SERVER['REQUEST_METHOD']);`, `return [$_SERVER['REMOTE_USER'] ?? null, isset($_SERVER['REQUEST_METHOD'])];`},
	{"$_ENV", `$_ENV['user'] = 'ann';`, `return $_ENV['user'] ?? null;`},
	{"$_FILES", `$_FILES['ann'] = [];`, `return count($_FILES);`},
	{"$_REQUEST", `$_REQUEST['user'] = 'ann';`, `return $_REQUEST['user'] ?? null;`},
	{"a superglobal that was taken away", `unset($_GET);`, `return isset($_GET);`},
	{"the environment", `putenv('E2E_USER=ann');`, `return getenv('E2E_USER');`},
	{"an environment variable that was changed", `putenv('E2E_DIR=/ann');`, `return getenv('E2E_DIR') === '/ann';`},
	{"an environment variable that was taken away", `putenv('HOME');`, `return getenv('HOME') === false;`},
	{"errors of libxml", `libxml_use_internal_errors(true); simplexml_load_string('<ann>');`, `return count(libxml_get_errors());`},
	{"that libxml collects errors", `libxml_use_internal_errors(!libxml_use_internal_errors());`, `return libxml_use_internal_errors();`},
	{"a loader of libxml's", `libxml_set_external_entity_loader(fn () => null);`, `return libxml_get_external_entity_loader() !== null;`},
	{"the context that libxml reads with", `libxml_set_streams_context(stream_context_create(['seen' => ['by' => 'ann']]));`,
		`Seen::$options = []; @simplexml_load_file('seen://x'); return Seen::$options;`},
	{"what mysqli reports", `mysqli_report(MYSQLI_REPORT_OFF);`, `return (new mysqli_driver())->report_mode;`},
	{"the scale of bcmath", `bcscale(7);`, `return bcscale();`},
	{"that the connection is over", `frankenphp_finish_request(); echo 'x'; flush();`, `return connection_status();`},
	{"the default context of streams", `stream_context_set_default(['http' => ['header' => 'Authorization: ann']]);`,
		`return stream_context_get_options(stream_context_get_default());`},
	{"the default context of streams, in place", `stream_context_set_option(stream_context_get_default(), 'http', 'proxy', 'ann');`,
		`return stream_context_get_options(stream_context_get_default());`},
	{"the rest of strtok", `strtok('secret of ann', ' ');`, `return strtok(' ');`},
	{"what is known of a file", `$f = getenv('E2E_DIR') . '/stat'; $GLOBALS['stat'] = fopen($f, 'c'); clearstatcache(); filesize($f); ftruncate($GLOBALS['stat'], 7);`,
		`$f = getenv('E2E_DIR') . '/stat'; return is_file($f) && filesize($f) === 0 ? 'as it was' : 'as it is';`},
	{"a tick function", `register_tick_function(static function () { $GLOBALS['ticks'] = ($GLOBALS['ticks'] ?? 0) + 1; });`,
		`$GLOBALS['ticks'] = 0; declare(ticks=1) { $x = 1; $y = 2; } return $GLOBALS['ticks'] > 0;`},
	{"that the user is not to be waited for", `ignore_user_abort(false);`, `return ignore_user_abort();`},
	{"handlers of signals", `pcntl_signal(SIGUSR1, fn () => null);`, `return is_object(pcntl_signal_get_handler(SIGUSR1));`},
	{"a handler of a signal that the script has set", `pcntl_signal(SIGUSR2, fn () => null);`, `return is_object(pcntl_signal_get_handler(SIGUSR2));`},
	{"that signals are handled at once", `pcntl_async_signals(true);`, `return pcntl_async_signals();`},
	{"signals that are blocked", `pcntl_sigprocmask(SIG_BLOCK, [SIGWINCH]);`, `pcntl_sigprocmask(SIG_UNBLOCK, [SIGCONT], $old); return in_array(SIGWINCH, $old, true);`},
	{"an alarm", `pcntl_alarm(60);`,
		`$left = pcntl_alarm(0); if ($left > 0) { pcntl_alarm($left); } return $left > 0;`},
}

func TestWhatOneHandlerLeavesBehindIsNotThereForTheNext(t *testing.T) {
	t.Parallel()
	for _, prepared := range []bool{false, true} {
		name := map[bool]string{false: "a script that sets nothing up", true: "a script that has set all of it up before its loop"}[prepared]
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, stateful(prepared))
			ann, bob, carl := dial(t, s, "/state", nil), dial(t, s, "/state", nil), dial(t, s, "/state", nil)
			for _, item := range leftBehind {
				t.Run(item.name, func(t *testing.T) {
					before := bob.asks(t, item.look)
					first, second := inOneBell(t, s, carl, ann, bob, item.leave+" "+item.look, item.look)
					if string(first.Value) == string(before.Value) {
						t.Fatalf("nothing was left behind: %s", first.Value)
					}
					if string(second.Value) != string(before.Value) {
						t.Errorf("the next event saw %s, before it was %s", second.Value, before.Value)
					}
					// And so in another bell.
					eventually(t, func() error {
						later := bob.asks(t, item.look)
						if string(later.Value) != string(before.Value) {
							return stopWaiting{fmt.Errorf("a later event saw %s, before it was %s", later.Value, before.Value)}
						}
						if later.Bell == second.Bell {
							return fmt.Errorf("still the same bell")
						}
						return nil
					})
				})
			}
			if got := bob.asks(t, `return getmypid();`); string(got.Value) != fmt.Sprint(s.cmd.Process.Pid) {
				t.Errorf("%s", got.Value)
			}
			if prepared {
				if ended := s.lines("ended"); len(ended) != 0 {
					t.Errorf("the script's own function for its end was called: %q", ended)
				}
			}
		})
	}
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

func TestPuttingThingsBackLeavesNoMemoryBehind(t *testing.T) {
	t.Parallel()
	for _, prepared := range []bool{false, true} {
		s := start(t, stateful(prepared))
		c := dial(t, s, "/state", nil)
		memory := func() (bytes int) {
			t.Helper()
			if err := json.Unmarshal(c.asks(t, `gc_collect_cycles(); return memory_get_usage();`).Value, &bytes); err != nil {
				t.Fatal(err)
			}
			return
		}
		for _, item := range leftBehind {
			if strings.Contains(item.leave, "frankenphp_finish_request") {
				continue
			}
			many := func() {
				for range 20 {
					c.value(t, item.leave+" return null;")
				}
			}
			many()
			before := memory()
			many()
			many()
			// eval keeps its code: some hundred bytes for each event, of either script.
			if grown := memory() - before; grown > 40*2048 {
				t.Errorf("%s: %d bytes more after 40 events", item.name, grown)
			}
		}
	}
}

func TestThingsArePutBackAfterPHPHasRestarted(t *testing.T) {
	t.Parallel()
	s := start(t, stateful(true))
	for _, restart := range []func(){
		func() { s.adminPost("/frankenphp/workers/restart", "") },
		func() { s.get("/opcache.php") },
		func() { s.load(strings.Replace(s.read("Caddyfile"), "grace_period 5s", "grace_period 4s", 1)) },
	} {
		boots := len(s.lines("booted"))
		restart()
		eventually(t, func() error {
			if len(s.lines("booted")) == boots {
				return fmt.Errorf("not restarted")
			}
			return nil
		})
		ann, bob := dial(t, s, "/state", nil), dial(t, s, "/state", nil)
		for _, item := range leftBehind {
			before := bob.value(t, item.look)
			ann.value(t, item.leave+" return null;")
			if got := bob.value(t, item.look); got != before {
				t.Errorf("%s: the next event saw %s, before it was %s", item.name, got, before)
			}
		}
	}
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

	// One that fails makes its event fail.
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
