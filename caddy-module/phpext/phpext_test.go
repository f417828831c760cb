package phpext_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

var declaration = regexp.MustCompile(`(?m)^// export_php:function ((\w+)\(.*)$`)

func declarations(t *testing.T) [][]string {
	t.Helper()
	source, err := os.ReadFile("websocket.go")
	if err != nil {
		t.Fatal(err)
	}
	found := declaration.FindAllStringSubmatch(string(source), -1)
	if len(found) == 0 {
		t.Fatal("websocket.go declares no function")
	}

	return found
}

func TestEveryDeclaredFunctionExistsWithItsSignature(t *testing.T) {
	stub, err := os.ReadFile("websocket.stub.php")
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range declarations(t) {
		if !strings.Contains(string(stub), "function "+d[1]+" {}\n") {
			t.Errorf("the stub does not have %s: run generate.sh", d[1])
		}
		returned(t, d[1], `
			$f = new ReflectionFunction('%s');
			$parameters = array_map(fn ($p) => $p->getType() . ' $' . $p->getName() . ($p->isDefaultValueAvailable()
				? ' = ' . str_replace(["''", 'NULL'], ['""', 'null'], var_export($p->getDefaultValue(), true)) : ''), $f->getParameters());
			return $f->getName() . '(' . implode(', ', $parameters) . '): ' . $f->getReturnType();`, d[2])
	}
}

func TestStubsAreValidPHP(t *testing.T) {
	for _, name := range []string{"websocket.stub.php", "exceptions.stub.php"} {
		code, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if a := php(t, "return count(PhpToken::tokenize(base64_decode(%s), TOKEN_PARSE)) > 0;", quoted(base64Of(string(code)))); a.Thrown != "" {
			t.Errorf("%s: %s %s", name, a.Thrown, a.Message)
		}
	}
}

func TestExceptionsAreOneTreeUnderRuntimeException(t *testing.T) {
	returned(t, "RuntimeException", `return get_parent_class('FrankenPHP\WebSocket\Exception');`)
	returned(t, `FrankenPHP\WebSocket\InvalidArgumentException`, `return get_parent_class('FrankenPHP\WebSocket\UnknownRouteException');`)
	for _, name := range []string{"InvalidArgumentException", "NotRunningException", "OutsideEventLoopException", "SearchTimeoutException", "ControlException"} {
		returned(t, `FrankenPHP\WebSocket\Exception`, `return get_parent_class('FrankenPHP\WebSocket\%s');`, name)
	}
}

func TestWrongUseThrowsWhatWasWrongAndWhatWouldBeRight(t *testing.T) {
	c := connectApp(t)
	id := quoted(c.id)
	for _, wrong := range []struct {
		call, class, message string
	}{
		{`frankenphp_ws_nextEvent()`, "OutsideEventLoop", "not started by the server"},
		{`frankenphp_ws_failEvent('x')`, "OutsideEventLoop", "frankenphp_ws_nextEvent() does that"},
		{`frankenphp_ws_close(` + id + `, 999)`, "InvalidArgument", "999 given"},
		{`frankenphp_ws_close(` + id + `, 1005)`, "InvalidArgument", "1005 given"},
		{`frankenphp_ws_close(` + id + `, 66536)`, "InvalidArgument", "66536 given"},
		{`frankenphp_ws_close(` + id + `, -1)`, "InvalidArgument", "-1 given"},
		{`frankenphp_ws_close(` + id + `, 1000, str_repeat('x', 124))`, "InvalidArgument", "124 given"},
		{`frankenphp_ws_close(` + id + `, 1000, "\xff")`, "InvalidArgument", "$reason must be valid UTF-8"},
		{`frankenphp_ws_tagClient(` + id + `, '')`, "InvalidArgument", "0 given"},
		{`frankenphp_ws_tagClient(` + id + `, str_repeat('x', 256))`, "InvalidArgument", "256 given"},
		{`frankenphp_ws_tagClient(` + id + `, "\xff")`, "InvalidArgument", "$tag must be valid UTF-8"},
		{`frankenphp_ws_untagClient(` + id + `, '')`, "InvalidArgument", "0 given"},
		{`frankenphp_ws_getClientsByTag('')`, "InvalidArgument", "0 given"},
		{`frankenphp_ws_quoteTag(str_repeat('x', 256))`, "InvalidArgument", "at most 255 bytes, 256 given"},
		{`frankenphp_ws_quoteTag("\xff")`, "InvalidArgument", "$tag must be valid UTF-8"},
		{`frankenphp_ws_send(` + id + `, "\xff")`, "InvalidArgument", "$data must be valid UTF-8"},
		{`frankenphp_ws_sendAll("\xff")`, "InvalidArgument", "$data must be valid UTF-8"},
		{`frankenphp_ws_sendToTag('', 'x')`, "InvalidArgument", "0 given"},
		{`frankenphp_ws_sendToTag('x', "\xff")`, "InvalidArgument", "$data must be valid UTF-8"},
		{`frankenphp_ws_batch(function () { frankenphp_ws_tagClient('nobody', ''); })`, "InvalidArgument", "call 1 of 1"},
		{`frankenphp_ws_close('nobody', 999)`, "InvalidArgument", "999 given"},
		{`frankenphp_ws_tagClient('nobody', '')`, "InvalidArgument", "0 given"},
		{`frankenphp_ws_getClients('nowhere')`, "UnknownRoute", `no route is named "nowhere": there are "app", "limited", "many", "quiet"`},
		{`frankenphp_ws_getClientsCount('')`, "UnknownRoute", `no route is named ""`},
		{`frankenphp_ws_send('nobody', 'x', 'nowhere')`, "UnknownRoute", `"nowhere"`},
		{`frankenphp_ws_sendAll('x', 'nowhere')`, "UnknownRoute", `"nowhere"`},
		{`frankenphp_ws_sendToTag('t', 'x', 'nowhere')`, "UnknownRoute", `"nowhere"`},
		{`frankenphp_ws_sendToTagExpression('t', 'x', 'nowhere')`, "UnknownRoute", `"nowhere"`},
		{`frankenphp_ws_searchStoredInformation('k', 'eq', 'x', 'nowhere')`, "UnknownRoute", `"nowhere"`},
		{`frankenphp_ws_batch(function () { frankenphp_ws_sendAll('x', 'nowhere'); })`, "UnknownRoute", `no route is named "nowhere"`},
	} {
		a := php(t, "return %s;", wrong.call)
		function, _, _ := strings.Cut(wrong.call, "(")
		if a.Thrown != `FrankenPHP\WebSocket\`+wrong.class+"Exception" ||
			!strings.HasPrefix(a.Message, function+"(): ") || !strings.Contains(a.Message, wrong.message) || a.Code == 0 {
			t.Errorf("%s threw %s (%d): %s", wrong.call, a.Thrown, a.Code, a.Message)
		}
	}

	for _, wrong := range []string{`frankenphp_ws_send('x')`, `frankenphp_ws_send([], 'x')`, `frankenphp_ws_nextEvent(1)`} {
		if a := php(t, "return %s;", wrong); a.Thrown != "ArgumentCountError" && a.Thrown != "TypeError" {
			t.Errorf("%s threw %s: %s", wrong, a.Thrown, a.Message)
		}
	}
	returned(t, false, `return frankenphp_ws_send('nobody', 'x');`)
	returned(t, []any{false, false, false, false, false, false, nil, nil, []string{}, []string{}, []string{}, "", false, false, false}, `$id = 'nobody'; return [
		frankenphp_ws_close($id), frankenphp_ws_tagClient($id, 'x'), frankenphp_ws_untagClient($id, 'x'), frankenphp_ws_clearTagClient($id),
		frankenphp_ws_setStoredInformation($id, 'k', 'v'), frankenphp_ws_clearStoredInformation($id), frankenphp_ws_getClient($id),
		frankenphp_ws_getClientPingTime($id), frankenphp_ws_getTags($id), frankenphp_ws_listStoredInformationKeys($id),
		frankenphp_ws_getAllStoredInformation($id), frankenphp_ws_getStoredInformation($id, 'k'), frankenphp_ws_hasStoredInformation($id, 'k'),
		frankenphp_ws_deleteStoredInformation($id, 'k'), frankenphp_ws_killConnection($id)];`)
	c.sees("still connected")
}

func TestValuesAreBinarySafe(t *testing.T) {
	c := connectApp(t)
	for name, value := range map[string]string{"empty": "", "NUL": "a\x00b", "no UTF-8": "\xff\x00\xfe", "emoji": "😀", "1 MiB": strings.Repeat("\x00é", 1<<20/3)} {
		data := quoted(base64Of(value))
		returned(t, true, `return frankenphp_ws_send(%s, base64_decode(%s), null, true);`, quoted(c.id), data)
		if opcode, got := c.receive(); opcode != opBinary || got != value {
			t.Errorf("%s: a frame of type %d with %d bytes came", name, opcode, len(got))
		}
		c.send(opBinary, value)
		if len(value) < 1000 {
			if e := c.event(); !e.Binary || e.Data != value && e.DataInBase64 != base64Of(value) {
				t.Errorf("%s: PHP got %q %s", name, e.Data, e.DataInBase64)
			}
		}
	}

	tag := quoted(base64Of("a\x00b😀"))
	returned(t, []string{c.id}, `
		frankenphp_ws_tagClient(%[1]s, base64_decode(%[2]s));
		return frankenphp_ws_getTags(%[1]s) === [base64_decode(%[2]s)] ? frankenphp_ws_getClientsByTag(base64_decode(%[2]s)) : null;`, quoted(c.id), tag)
}

func TestCommandsReachThoseTheyName(t *testing.T) {
	a, b, quiet := connectApp(t), connectApp(t), connect(t, "quiet", "/")
	check := func(want any, code string) {
		t.Helper()
		returned(t, want, "$a = '%s'; $b = '%s'; %s", a.id, b.id, code)
	}

	check(true, `return array_diff([$a, $b], frankenphp_ws_getClients('app')) === [] && array_is_list(frankenphp_ws_getClients());`)
	check(true, `return frankenphp_ws_getClientsCount() === count(frankenphp_ws_getClients())
		&& frankenphp_ws_getClientsCount() > frankenphp_ws_getClientsCount('app') && frankenphp_ws_getClientsCount('quiet') === 1;`)

	check([]any{[]string{"one", "two"}, []string{"two"}, []string{}, []string{}}, `
		frankenphp_ws_tagClient($a, 'one'); frankenphp_ws_tagClient($a, 'two'); frankenphp_ws_tagClient($b, 'two');
		$of = function ($id) { $tags = frankenphp_ws_getTags($id); sort($tags); return $tags; };
		$before = $of($a);
		frankenphp_ws_untagClient($a, 'one'); frankenphp_ws_untagClient($a, 'one');
		return [$before, $of($a), array_diff([$a, $b], frankenphp_ws_getClientsByTag('two')), frankenphp_ws_getClientsByTag('unused')];`)

	check([]int{1, 2, 0, 0}, `return [frankenphp_ws_sendToTag('two', 'to b', exceptId: $a), frankenphp_ws_sendToTag('two', 'to both', 'app'),
		frankenphp_ws_sendToTag('two', 'to none', 'quiet'), frankenphp_ws_sendToTag('unused', 'to none')];`)
	returned(t, 1, `return frankenphp_ws_sendAll("to quiet", 'quiet', true);`)
	for c, texts := range map[*client][]string{a: {"to both"}, b: {"to b", "to both"}, quiet: {"to quiet"}} {
		for _, text := range texts {
			if _, got := c.receive(); got != text {
				t.Errorf("%q came where %q was next", got, text)
			}
		}
	}

	check(true, `return frankenphp_ws_close($a, 4321, "that is all");`)
	if opcode, body := a.receive(); opcode != opClose || body != "\x10\xe1that is all" {
		t.Errorf("a frame of type %d came with %q", opcode, body)
	}
}

func TestAForkedChildThrows(t *testing.T) {
	if a := php(t, `return function_exists('pcntl_fork');`); string(a.Returned) != "true" {
		t.Skip("this PHP has no pcntl")
	}
	c := connectApp(t)
	returned(t, `FrankenPHP\WebSocket\NotRunningException`, `
		$file = tempnam(sys_get_temp_dir(), 'fws');
		$child = pcntl_fork();
		if ($child === 0) {
			try { frankenphp_ws_send(%s, 'from the child'); } catch (Throwable $t) { file_put_contents($file, $t::class); }
			exit;
		}
		pcntl_waitpid($child, $status);
		$thrown = file_get_contents($file);
		unlink($file);
		return $thrown;`, quoted(c.id))
	c.sees("the parent is as before")
}
