package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// batch gives commands by the functions of a batch, whose names are here without frankenphp_ws_.
func batch(t *testing.T, d door, calls ...[]any) answer {
	t.Helper()
	for i := range calls {
		calls[i] = []any{"frankenphp_ws_" + calls[i][0].(string), calls[i][1:]}
	}
	return d.any(t, "batch", append([][]any{}, calls...))
}

// failsAtTheEnd gives batches of which a call fails, or all of it.
func failsAtTheEnd(t *testing.T, d door) {
	t.Helper()
	failed := batch(t, d,
		[]any{"global_set", "before", "1"},
		[]any{"sendAll", "x", "no such route"},
		[]any{"global_set", "", "no key"},
		[]any{"global_set", "behind", "1"},
	)
	if !strings.HasSuffix(failed.Exception, "UnknownRouteException") {
		t.Errorf("%+v", failed)
	}
	wantIn(t, failed.Message, "call 2 of 4", `no route is named "no such route"`, "1 more failed")
	// A client that is gone is no failure.
	gone := batch(t, d, []any{"tagClient", "nobody", "x"}, []any{"close", "nobody"}, []any{"setStoredInformation", "nobody", "k", "v"}, []any{"killConnection", "nobody"},
		[]any{"clearTagClient", "nobody"}, []any{"clearStoredInformation", "nobody"}, []any{"renameConnection", "nobody", "x"}, []any{"untagClient", "nobody", "x"})
	if got, want := fmt.Sprint(gone.Value.(map[string]any)["results"]), "[false false false false false false false false]"; got != want {
		t.Errorf("results %s, want %s", got, want)
	}
	d.want(t, "1", "global_get", "before")
	d.want(t, "1", "global_get", "behind")

	empty := batch(t, d)
	if got := fmt.Sprint(empty.Value); got != "map[results:[] returned:[]]" {
		t.Errorf("an empty batch: %s", got)
	}
	thrown := batch(t, d, []any{"global_set", "thrown", "yes"}, []any{"no_such_function"})
	if thrown.Exception != "Error" {
		t.Errorf("the callable's own exception: %+v", thrown)
	}
	d.want(t, "yes", "global_get", "thrown")
	nested := d.any(t, "batch", [][]any{{"batch", []any{[]any{}}}})
	wantIn(t, nested.Message, "within another one")
	for _, key := range []string{"before", "behind", "thrown"} {
		d.want(t, true, "global_delete", key)
	}
}

func TestABatchReturnsWhatItsCallsReturnedInOrder(t *testing.T) {
	t.Parallel()
	s := start(t, controlled())
	for _, d := range doors(t, s, "/control") {
		t.Run(d.name, func(t *testing.T) {
			a, facts := dialLab(t, s, "/lab", nil)
			megabyte := strings.Repeat("0123456789abcdef", 1<<16)
			got := batch(t, d,
				[]any{"send", facts.ID, "first"},
				[]any{"tagClient", facts.ID, "batched"},
				[]any{"getTags", facts.ID}, // asks: behind what was called before
				[]any{"sendToTag", "batched", megabyte},
				[]any{"send", "nobody", "x"},
				[]any{"global_increment", "in a batch", 7},
				[]any{"global_delete", "in a batch"},
				[]any{"global_delete", "in a batch"},
				[]any{"untagClient", facts.ID, "batched"},
			)
			if got.Exception != "" {
				t.Fatalf("%+v", got)
			}
			answer := got.Value.(map[string]any)
			if got, want := fmt.Sprint(answer["results"]), "[true true 1 false 7 true false true]"; got != want {
				t.Errorf("results %s, want %s", got, want)
			}
			if got := fmt.Sprint(answer["returned"].([]any)[2]); got != "[batched]" {
				t.Errorf("getTags in the batch returned %s", got)
			}
			a.want(t, "first")
			a.want(t, megabyte)
			failsAtTheEnd(t, d)
		})
	}
}

func TestABatchThatTheScriptLeavesByExitIsCarriedOut(t *testing.T) {
	t.Parallel()
	s := start(t, controlled())
	s.eval(`frankenphp_ws_batch(function () { frankenphp_ws_global_set('left', 'by exit'); exit; });`)
	if got := s.eval(`echo frankenphp_ws_global_get('left');`); got != "by exit" {
		t.Error(got)
	}
}

func TestTheCommandLineIsFastOneByOneAndInABatch(t *testing.T) {
	t.Parallel()
	s := start(t, controlled())
	cmd := s.php("testdata/rates.php")
	cmd.Dir = "."
	output, err := cmd.CombinedOutput()
	var rates struct {
		Single, Batch, Memory int
		Calls                 string
	}
	if err != nil || json.Unmarshal(output, &rates) != nil {
		t.Fatalf("%v: %s", err, output)
	}
	t.Logf("%d calls a second one by one, %d in a batch", rates.Single, rates.Batch)
	if rates.Calls != "220100" {
		t.Errorf("%s calls arrived", rates.Calls)
	}
	// Far below what an idle machine does: others work on this one.
	if rates.Single < 2000 || rates.Batch < 10000 {
		t.Error("that is too slow")
	}
	if got := s.stat("control_commands"); got < 220_000 {
		t.Errorf("%d commands counted", got)
	}
}

func TestABatchIsTheParentsAloneWhateverItsForkedChildDoes(t *testing.T) {
	t.Parallel()
	s := start(t, controlled())
	for name, end := range map[string]string{
		"returns": `return;`,
		"exits":   `exit;`,
		"throws":  `throw new Exception('the child');`,
	} {
		got := s.eval(`
			$child = null;
			try {
				$results = frankenphp_ws_batch(function () use (&$child) {
					frankenphp_ws_global_increment('` + name + `');
					$child = pcntl_fork();
					if ($child === 0) { ` + end + ` }
					pcntl_waitpid($child, $status);
					frankenphp_ws_global_increment('` + name + `');
				});
			} catch (Throwable $e) {
				if ($child !== 0) { throw $e; }
				echo $e::class, "\n";
			}
			if ($child !== 0) { echo json_encode($results), ' ', frankenphp_ws_global_get('` + name + `'); }`)
		if !strings.HasSuffix(got, "[1,2] 2") {
			t.Errorf("the child %s: %s", name, got)
		}
		if name == "returns" {
			wantIn(t, got, `FrankenPHP\WebSocket\NotRunningException`)
		}
	}
}
