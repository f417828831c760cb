package bridge

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// useWorker puts a route in force whose worker, of the same name, is a new one: the core remembers how it went with each.
func useWorker(t *testing.T) (name string) {
	t.Helper()

	name = fmt.Sprint("worker-", generations.Add(1))
	useRoutes(t, fmt.Sprintf(`{"routes":[{"name":%[1]q,"worker":%[1]q}],"workers":[{"name":%[1]q,"threads":1}]}`, name))

	return name
}

// rings passes on the bells that the core wants rung.
func rings(t *testing.T) <-chan Ring {
	t.Helper()

	all := make(chan Ring, 16)
	listen(t, func() { TakeBells(func(r Ring) { all <- r }) })

	return all
}

func TestAnEventRingsTheWorkerOfItsRoute(t *testing.T) {
	worker := useWorker(t)
	bells := rings(t)
	connect(t, worker, nil)

	r := within(t, bells, "a bell")
	if r.Worker != worker || len(r.Nonce) != 32 || strings.Trim(r.Nonce, "0123456789abcdef") != "" {
		t.Errorf("got %+v", r)
	}
	EndBell(r.Nonce, Abandoned, nil, "")
}

func TestABellThatNeverReachedPHPIsRungAnew(t *testing.T) {
	worker := useWorker(t)
	bells := rings(t)
	connect(t, worker, nil)

	first := within(t, bells, "a bell")
	EndBell(first.Nonce, Abandoned, nil, "gone")
	second := within(t, bells, "another bell")
	if first.Nonce == second.Nonce {
		t.Error("the nonce was used again")
	}
	EndBell(second.Nonce, Served, nil, "")
}

func TestWhatPHPPrintedInABellIsLogged(t *testing.T) {
	worker := useWorker(t)
	drainLog()

	records := make(chan []byte, 16)
	bells := make(chan Ring, 16)
	buffer := make([]byte, LogBuffer)
	listen(t, func() {
		TakeBells(func(r Ring) { bells <- r })
		for taken := TakeLog(buffer); len(taken) > 0; taken = TakeLog(buffer) {
			records <- bytes.Clone(taken)
		}
	})
	connect(t, worker, nil)

	EndBell(within(t, bells, "a bell").Nonce, Failed, []byte("PHP Fatal error: \x00\xff"), "it failed")

	for {
		for _, line := range lines(within(t, records, "a log record")) {
			var record struct {
				Level, Msg string
				Fields     map[string]any
			}
			if err := json.Unmarshal(line, &record); err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			if output, ok := record.Fields["output"].(string); ok && strings.HasPrefix(output, "PHP Fatal error: ") {
				if record.Level == "" || record.Msg == "" || record.Fields["worker"] != worker || record.Fields["error"] != "it failed" {
					t.Errorf("got %s", line)
				}

				return
			}
		}
	}
}

func TestEndingABellThatWasNeverRungDoesNothing(t *testing.T) {
	EndBell("", Served, nil, "")
	EndBell("short", Served, nil, "")
	EndBell(strings.Repeat("0", 32), Served, []byte("output"), "error")
}
