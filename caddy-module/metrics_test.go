package websocket

import (
	"errors"
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
