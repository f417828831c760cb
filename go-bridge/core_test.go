package bridge

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
)

func TestBeforeTheStartTheCoreSaysThatItDoesNotRun(t *testing.T) {
	if beforeStart.running {
		t.Error("the core runs")
	}
	for name, err := range map[string]error{"NewWatcher": beforeStart.watcher, "Stats": beforeStart.stats, "StageRoutes": beforeStart.routes, "CloseGate": beforeStart.gate} {
		if !errors.Is(err, ErrNotRunning) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestABadConfigurationIsRefusedWithAText(t *testing.T) {
	for _, err := range []error{beforeStart.badJSON, beforeStart.badSetting} {
		if call := new(CallError); !errors.As(err, &call) || call.Result != ErrConfig || call.Text == "" {
			t.Errorf("got %v", err)
		}
	}
}

func TestStartingAgainChangesNothing(t *testing.T) {
	before := descriptors(t)
	for range 10 {
		if err := Start(nil); err != nil {
			t.Fatal(err)
		}
	}
	if !Running() || descriptors(t) != before {
		t.Errorf("running: %v, %d descriptors instead of %d", Running(), descriptors(t), before)
	}
}

func TestStatsAreAnObjectOfJSON(t *testing.T) {
	encoded, err := Stats()
	if err != nil {
		t.Fatal(err)
	}

	var stats map[string]any
	if err := json.Unmarshal(encoded, &stats); err != nil || stats["connections"] == nil {
		t.Errorf("got %s, %v", encoded, err)
	}
}

func TestDrainingClosesConnectionsWith1001(t *testing.T) {
	useRoutes(t, `{"routes":[{"name":"core","echo":true}]}`)
	c := connect(t, "core", nil)

	remaining := make(chan uint64)
	go func() {
		left, unhandled, err := Drain(10 * time.Second)
		if err != nil {
			t.Error(err)
		}
		remaining <- left + unhandled
	}()

	if code := c.closeCode(); code != 1001 {
		t.Errorf("closed with %d", code)
	}
	if left := within(t, remaining, "the end of the drain"); left != 0 {
		t.Errorf("%d connections are left", left)
	}
}

func TestABoundThatIsTooLongForTheABIIsCutAndNotWrapped(t *testing.T) {
	for d, want := range map[time.Duration]uint32{
		-time.Second:             0,
		1500 * time.Microsecond:  1,
		time.Minute:              60000,
		100 * 24 * 3600 * 1e9:    ^uint32(0),
		time.Duration(1<<63 - 1): ^uint32(0),
	} {
		if got := uint32(milliseconds(d)); got != want {
			t.Errorf("%s: got %d, want %d", d, got, want)
		}
	}
}

func TestWhatTheHostCountsOfItsAuthorisationIsAmongTheStats(t *testing.T) {
	SetAuthorizing(Authorizing{Waiting: 1, Running: 2, Asked: 3, GivenUp: 4, RefusedBusy: 5})
	defer SetAuthorizing(Authorizing{})
	encoded, err := Stats()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"authorize_waiting":1,`, `"authorize_running":2,`, `"authorize_asked":3,`, `"authorize_given_up":4,`, `"authorize_refused_busy":5,`} {
		if !strings.Contains(string(encoded), want) {
			t.Errorf("no %s in %s", want, encoded)
		}
	}
}
