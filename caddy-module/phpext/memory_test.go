package phpext_test

import (
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
)

const (
	rounds = 1000
	// noise is what the process may grow by, in KiB, without anything having been left behind. One list of 2,000 names left behind in
	// each round would be twice that.
	noise = 16 << 10
)

// resident is the memory of the process in KiB.
func resident(t *testing.T) int {
	t.Helper()
	debug.FreeOSMemory()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Skip(err)
	}
	_, after, _ := strings.Cut(string(status), "VmRSS:")
	kib, err := strconv.Atoi(strings.Fields(after)[0])
	if err != nil {
		t.Fatal(err)
	}

	return kib
}

// level runs round until what is allocated once is allocated, and then checks that memory stays where it is.
func level(t *testing.T, round func()) {
	t.Helper()
	for range 200 {
		round()
	}
	before := resident(t)
	for range rounds {
		round()
	}
	if grown := resident(t) - before; grown > noise {
		t.Errorf("memory has grown by %d KiB in %d rounds", grown, rounds)
	}
}

// exhausting makes a call until what it returned takes all of memory_limit: then the limit is reached inside the call.
const exhausting = `ini_set('memory_limit', '4M'); for ($kept = [];;) { $kept[] = %s; }`

func TestMemoryLimitInAFunctionThatReturnsAListOrAStringLeavesNothingBehind(t *testing.T) {
	// The core shares the names with its lists: what could be left behind is 16 bytes a name.
	const count = 2000
	for range count {
		connect(t, "many", "/").stay()
	}
	id := strings.Trim(string(php(t, `return frankenphp_ws_getClients('many')[0];`).Returned), `"`)
	returned(t, []int{count, 256}, `
		for ($i = 0; $i < 255; $i++) { frankenphp_ws_tagClient('%[1]s', "tag $i"); }
		foreach (frankenphp_ws_getClients('many') as $i => $id) { frankenphp_ws_tagClient($id, 'everyone'); $id === '%[1]s' || frankenphp_ws_tagClient($id, "client $i"); }
		return [count(frankenphp_ws_getClientsByTag('everyone')), count(frankenphp_ws_getTags('%[1]s'))];`, id)

	php(t, `return frankenphp_ws_global_set('large', str_repeat('x', 100000));`)
	php(t, `
		foreach (frankenphp_ws_getClients('many') as $id) { frankenphp_ws_setStoredInformation($id, 'large', str_repeat('x', 100)); }
		for ($i = 0; $i < 200; $i++) { frankenphp_ws_setStoredInformation('%[1]s', "key $i", str_repeat('x', 1000)); }
		return frankenphp_ws_setStoredInformation('%[1]s', 'large', str_repeat('x', 100000));`, id)

	for _, call := range []string{
		`frankenphp_ws_getClients()`, `frankenphp_ws_getClientsByTag('everyone')`, `frankenphp_ws_getTags()`, fmt.Sprintf(`frankenphp_ws_getTags('%s')`, id),
		`frankenphp_ws_getClientsByTagExpression('every*')`, fmt.Sprintf(`frankenphp_ws_getClient('%s')`, id), `frankenphp_ws_global_get('large')`,
		fmt.Sprintf(`frankenphp_ws_getStoredInformation('%s', 'large')`, id), fmt.Sprintf(`frankenphp_ws_getAllStoredInformation('%s')`, id),
		fmt.Sprintf(`frankenphp_ws_listStoredInformationKeys('%s')`, id), `frankenphp_ws_searchStoredInformation('large', FRANKENPHP_WS_OP_PREFIX, 'x')`,
	} {
		t.Run(call, func(t *testing.T) {
			level(t, func() {
				if out := raw(t, fmt.Sprintf(exhausting, call)); !strings.Contains(out, "Allowed memory size of 4194304 bytes exhausted") {
					t.Fatalf("the limit was not reached: %q", out)
				}
			})
		})
	}
}

func TestMemoryLimitInNextEventLeavesNothingBehind(t *testing.T) {
	c := connectWorker(t, "limited")
	large := strings.Repeat("x", 2<<20+4096)
	before := records.len()
	level(t, func() {
		c.send(opText, "use 5 MiB")
		c.send(opText, large)
		c.awaits("use 5 MiB")
	})
	c.sees("after")
	// The size that was refused is that of the message: the limit was reached in the function.
	records.await(t, before, "Allowed memory size of 8388608 bytes exhausted (tried to allocate 21")
}

func TestMemoryLimitInABatchLeavesNothingBehind(t *testing.T) {
	level(t, func() {
		// Nearly full before, so that the results of some batches are enough: 32 KiB each.
		out := raw(t, `ini_set('memory_limit', '4M'); $fill = [str_repeat('x', 2000000), str_repeat('x', 1200000)]; echo 'filled';
			for ($kept = [];;) { $kept[] = frankenphp_ws_batch(function () { for ($i = 0; $i < 2000; $i++) { frankenphp_ws_global_delete('-'); } }); }`)
		if !strings.Contains(out, "filled") || !strings.Contains(out, "Allowed memory size of 4194304 bytes exhausted") {
			t.Fatalf("the limit was not reached: %q", out)
		}
	})
	// And in the callable: the batch that the script left is not that of the next script.
	level(t, func() {
		raw(t, `ini_set('memory_limit', '4M'); frankenphp_ws_batch(function () { frankenphp_ws_global_set('left', 'x'); str_repeat('x', 5000000); });`)
	})
	returned(t, "x", `$left = frankenphp_ws_global_get('left'); frankenphp_ws_global_delete('left'); return $left;`)
	returned(t, []bool{false}, `return frankenphp_ws_batch(fn () => frankenphp_ws_global_delete('-'));`)
}
