package websocket

import (
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	bridge "github.com/frankenphp-ws/frankenphp-ws/go-bridge"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

func collectorOf(stats string, err error) prometheus.Gatherer {
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(statsCollector{stats: func() ([]byte, error) { return []byte(stats), err }})

	return registry
}

func TestTheCountersOfTheCoreBecomeMetrics(t *testing.T) {
	registry := collectorOf(`{"connections":3,"events_queued":1234567,"routes":{"chat":{"connections":2,"worker":"w"},"core":{"connections":1,"worker":null}},"workers":{"w":{"bells_running":4}}}`, nil)

	want := `
# HELP frankenphp_websocket_connections Open connections.
# TYPE frankenphp_websocket_connections gauge
frankenphp_websocket_connections 3
# HELP frankenphp_websocket_events_queued_total Events queued for PHP.
# TYPE frankenphp_websocket_events_queued_total counter
frankenphp_websocket_events_queued_total 1.234567e+06
# HELP frankenphp_websocket_route_connections Open connections of the route.
# TYPE frankenphp_websocket_route_connections gauge
frankenphp_websocket_route_connections{route="chat"} 2
frankenphp_websocket_route_connections{route="core"} 1
# HELP frankenphp_websocket_worker_bells_running Threads of the worker that handle events.
# TYPE frankenphp_websocket_worker_bells_running gauge
frankenphp_websocket_worker_bells_running{worker="w"} 4
`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want)); err != nil {
		t.Error(err)
	}
}

func TestThereAreNoMetricsBeforeTheCoreRuns(t *testing.T) {
	families, err := collectorOf("", bridge.ErrNotRunning).Gather()
	if err != nil || len(families) != 0 {
		t.Errorf("got %v, %v", families, err)
	}
}

func TestACoreThatDoesNotAnswerIsAnErrorOfTheScrapeAndNotOfTheServer(t *testing.T) {
	for _, gatherer := range []prometheus.Gatherer{collectorOf("", errors.New("broken")), collectorOf("{", nil)} {
		if _, err := gatherer.Gather(); err == nil || !strings.Contains(err.Error(), "the counters of the WebSocket core") {
			t.Errorf("got %v", err)
		}
	}
}

func TestMetricNamesAreValidAndUnique(t *testing.T) {
	problems, err := testutil.GatherAndLint(collectorOf(`{"connections":1,"connections_opened":1,"uptime_seconds":1}`, nil))
	if err != nil {
		t.Fatal(err)
	}
	for _, problem := range problems {
		t.Errorf("%s: %s", problem.Metric, problem.Text)
	}
}

func TestEachReasonOfARefusalIsInTheMetric(t *testing.T) {
	run(t, site(echo))
	encoded, err := bridge.Stats()
	if err != nil {
		t.Fatal(err)
	}
	var counters map[string]any
	if err := json.Unmarshal(encoded, &counters); err != nil {
		t.Fatal(err)
	}
	var reasons []string
	for name := range counters {
		if reason, is := strings.CutPrefix(name, refusedFor); is {
			reasons = append(reasons, reason)
		}
	}
	slices.Sort(reasons)
	if shown := slices.Sorted(slices.Values(refusalReasons)); !slices.Equal(reasons, shown) {
		t.Errorf("the core counts %q, the metric has %q", reasons, shown)
	}

	options, err := os.ReadFile("../docs/options.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, reason := range reasons {
		if !strings.Contains(string(options), "\n| `"+reason+"` |") {
			t.Errorf("%s is not documented", reason)
		}
	}

	want := `
# HELP frankenphp_websocket_handshakes_refused_total Upgrade requests that were refused.
# TYPE frankenphp_websocket_handshakes_refused_total counter
frankenphp_websocket_handshakes_refused_total{reason="origin"} 2
`
	registry := collectorOf(`{"handshakes_refused":2,"handshakes_refused_origin":2}`, nil)
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want)); err != nil {
		t.Error(err)
	}
}
