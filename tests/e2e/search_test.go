package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// A search that takes minutes, if nobody ends it: a long value, and an expression of many states.
const hostileSearch = `
	frankenphp_ws_setStoredInformation($event['id'], 'k', str_repeat('a', (4 << 20) - 1));
	frankenphp_ws_searchStoredInformation('k', FRANKENPHP_WS_OP_REGEX, '[ab]{8000}c');
	return 'found nobody';`

// searching is a server whose searches may take so long.
func searching(timeout string) site {
	want := stateful(false)
	want.global += "\n\twebsocket {\n\t\tsearch_timeout " + timeout + "\n\t}"

	return want
}

func TestASearchThatTakesTooLongIsAnExceptionInPHPAndNothingElse(t *testing.T) {
	t.Parallel()
	s := start(t, searching("50ms"))
	ann := dial(t, s, "/state", nil)
	got := ann.value(t, `try {`+hostileSearch+`} catch (FrankenPHP\WebSocket\SearchTimeoutException $e) { return [get_parent_class($e), $e->getCode(), $e->getMessage()]; }`)
	for _, part := range []string{`"FrankenPHP\\WebSocket\\Exception",35,`, "frankenphp_ws_searchStoredInformation(): the search took longer than search_timeout allows"} {
		if !strings.Contains(got, part) {
			t.Errorf("%s lacks %s", got, part)
		}
	}
	// Ordinary ones are done long before.
	if got := ann.value(t, `return frankenphp_ws_searchStoredInformation('k', FRANKENPHP_WS_OP_ICONTAINS, str_repeat('A', 2048)) === [$event['id']];`); got != "true" {
		t.Error(got)
	}
}

func TestMaxExecutionTimeEndsASearch(t *testing.T) {
	t.Parallel()
	s := start(t, searching("1h"))
	ann, bob := dial(t, s, "/state", nil), dial(t, s, "/state", nil)
	ann.send(t, `set_time_limit(1);`+hostileSearch)
	eventually(t, func() error {
		if len(s.log.records("PHP failed on a WebSocket event", "Maximum execution time of 1 second exceeded")) == 0 {
			return fmt.Errorf("ann's search goes on and on")
		}
		return nil
	})
	if got := bob.value(t, `return 'served';`); got != `"served"` {
		t.Error(got)
	}
}
