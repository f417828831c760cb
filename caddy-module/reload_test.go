package websocket

import (
	"slices"
	"testing"
	"time"

	bridge "github.com/frankenphp-ws/frankenphp-ws/go-bridge"
	"go.uber.org/zap"
)

// fakeGate is a gate that counts, with a PHP that runs or not.
type fakeGate struct {
	*phpGate
	closed   int
	waits    []time.Duration
	restarts int
	php      bool
	core     bool
}

func newFakeGate() *fakeGate {
	g := &fakeGate{php: true, core: true}
	g.phpGate = &phpGate{
		close: func(timeout time.Duration) (int, error) {
			if !g.core {
				return 0, bridge.ErrNotRunning
			}
			g.waits = append(g.waits, timeout)
			g.closed++

			return 0, nil
		},
		open:    func() { g.closed-- },
		running: func() bool { return g.php },
		restart: func() { g.restarts++ },
		log:     zap.NewNop,
	}

	return g
}

func (g *fakeGate) want(t *testing.T, closed, restarts int, down bool) {
	t.Helper()

	if g.closed != closed || g.restarts != restarts || g.isDown() != down {
		t.Errorf("closed %d times, %d restarts, down: %v; want %d, %d, %v", g.closed, g.restarts, g.isDown(), closed, restarts, down)
	}
}

func TestTheGateIsClosedFromProvisioningToTheStart(t *testing.T) {
	g := newFakeGate()

	h := g.hold(0)
	g.want(t, 1, 0, false)
	h.take(0)
	g.want(t, 1, 0, false)
	h.end(phpRestarted)
	g.want(t, 0, 1, false)
	h.end(phpUnknown)
	h.take(0)
	g.want(t, 0, 1, false)
}

func TestTheFirstConfigurationClosesTheGateWhenTheCoreRuns(t *testing.T) {
	g := newFakeGate()
	g.core = false

	h := g.hold(0)
	g.want(t, 0, 0, false)
	g.core = true
	h.take(0)
	g.want(t, 1, 0, false)
	h.end(phpRestarted)
	g.want(t, 0, 1, false)
}

func TestAConfigurationThatIsOnlyValidatedLeavesNothing(t *testing.T) {
	g := newFakeGate()
	g.core, g.php = false, false

	g.hold(0).end(phpUnknown)
	g.want(t, 0, 0, false)
}

func TestAConfigurationThatFailsToProvisionAbandonsNoBell(t *testing.T) {
	g := newFakeGate()
	g.hold(0).end(phpRestarted)

	g.hold(0).end(phpUnknown)
	g.want(t, 0, 1, false)
}

func TestWithPHPGoneTheGateStaysClosedUntilAConfigurationStarts(t *testing.T) {
	g := newFakeGate()
	g.hold(0).end(phpRestarted)

	// The admin endpoint and the app hold the gate for the same configuration, whose worker script does not parse.
	first, second := g.hold(0), g.hold(0)
	g.php = false
	first.end(phpUnknown)
	second.end(phpUnknown)
	g.want(t, 1, 3, true)

	// Another one fails.
	g.hold(0).end(phpUnknown)
	g.want(t, 1, 4, true)

	// The mended one starts.
	first, second = g.hold(0), g.hold(0)
	g.php = true
	first.end(phpRestarted)
	second.end(phpRestarted)
	g.want(t, 0, 6, false)
}

func TestOfTheHoldsOfOneConfigurationTheFirstWaits(t *testing.T) {
	g := newFakeGate()

	g.core = false
	g.hold(gateWait).end(phpUnknown)
	g.core = true

	for range 2 {
		admin, app := g.hold(gateWait), g.hold(gateWait)
		admin.end(phpRestarted)
		app.end(phpRestarted)
	}
	if want := []time.Duration{gateWait, 0, gateWait, 0}; !slices.Equal(g.waits, want) {
		t.Errorf("waited %v, want %v", g.waits, want)
	}
}

func TestAServerWithoutPHPIsNotDown(t *testing.T) {
	g := newFakeGate()
	g.php = false

	g.hold(0).end(phpUnknown)
	g.hold(0).end(phpUnknown)
	g.want(t, 0, 0, false)
}

func TestFrankenPHPSaysThatItDoesNotRun(t *testing.T) {
	if phpRunning() {
		t.Error("PHP runs, but nothing started it")
	}
}
