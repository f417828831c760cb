package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

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
