package websocket

import (
	"encoding/json"
	"errors"
	"fmt"

	bridge "github.com/frankenphp-ws/frankenphp-ws/go-bridge"
	"github.com/prometheus/client_golang/prometheus"
)

// stat is a number of GET /websocket/stats that Prometheus is shown.
type stat struct {
	key  string
	kind prometheus.ValueType
	desc *prometheus.Desc
}

// counter grows only; its metric has the suffix _total.
func counter(key, help string) stat {
	return stat{key, prometheus.CounterValue, prometheus.NewDesc("frankenphp_websocket_"+key+"_total", help, nil, nil)}
}

// gauge goes up and down. With a label its metric has the label's name in front.
func gauge(key, help string, label ...string) stat {
	name := "frankenphp_websocket_"
	for _, l := range label {
		name += l + "_"
	}

	return stat{key, prometheus.GaugeValue, prometheus.NewDesc(name+key, help, label, nil)}
}

var (
	processStats = []stat{
		gauge("connections", "Open connections."),
		gauge("connections_known", "Connections, including those whose close event PHP has not handled yet."),
		gauge("connections_with_events", "Connections that have events for PHP waiting."),
		gauge("tags", "Tags in use."),
		gauge("values", "Global values held."),
		gauge("values_bytes", "Bytes of global values, with their keys and 128 for each."),
		gauge("users", "Users who have a client."),
		gauge("presence_members", "Members of all channels with presence together."),
		gauge("presence_members_away", "Members whose last connection has ended and who may still come back."),
		gauge("histories", "Channels of which a history is known."),
		gauge("histories_messages", "Messages that histories keep."),
		gauge("histories_bytes", "Bytes of these, with 64 for each and 512 for each channel."),
		gauge("timers", "Timers set."),
		gauge("unfinished_bytes", "Bytes that messages take which have come only in part."),
		gauge("events_pending", "Events that wait for PHP or are being handled."),
		gauge("events_pending_bytes", "Bytes that these take."),
		gauge("authorize_waiting", "Upgrade requests that wait to be put to the site."),
		gauge("authorize_running", "Upgrade requests that are with the site, those that were given up included."),
		gauge("shards", "Threads that serve connections."),
		gauge("pipes", "Connections without a socket of their own: over TLS, HTTP/2 or HTTP/3."),
		gauge("pusher_connections", "Connections of applications of the Pusher protocol."),
		gauge("suspended", "Clients whose connection broke, and that are waited for."),
		gauge("resume_bytes", "Bytes of messages that are kept for clients that may come back."),
		gauge("cluster_connected", "Whether the Redis server of the cluster can be reached: 1 or 0."),
		gauge("cluster_nodes", "Servers of the cluster that are alive, this one included."),
		gauge("cluster_waiting", "Messages that wait to be sent to other servers."),
		gauge("cluster_topics", "Tags and users of which other servers send messages here."),
		gauge("cluster_claims", "Ids chosen by applications that this server has claimed."),
		gauge("uptime_seconds", "Time since the core was started."),
		counter("connections_opened", "Connections taken over."),
		counter("authorize_asked", "Upgrade requests that were put to the site."),
		counter("authorize_given_up", "Upgrade requests whose client left, or whose time ran out, before the site had answered."),
		counter("authorize_refused_busy", "Upgrade requests refused at once because they would have waited too long to be put to the site."),
		counter("pusher_connections_refused", "Clients of the Pusher protocol that were refused after their handshake."),
		counter("pusher_client_events", "Events that clients of the Pusher protocol sent to each other."),
		counter("pusher_events", "Events that were published to channels of the Pusher protocol."),
		counter("pusher_events_not_told", "Events of the Pusher protocol that a worker was not told, because too much waited."),
		counter("webhooks_sent", "Requests by which servers of applications were told what happened."),
		counter("webhooks_failed", "Such requests that failed, and were sent again or given up."),
		counter("webhooks_dropped", "Events that servers of applications were not told: they did not take them in time, or too many waited."),
		gauge("webhooks_waiting", "Events that servers of applications are to be told."),
		counter("pusher_calls", "Calls of the Pusher protocol's HTTP API."),
		counter("pusher_calls_refused", "Calls of it that were refused."),
		counter("messages_received", "Messages received from clients."),
		counter("bytes_received", "Bytes received from clients, with frame headers."),
		counter("messages_sent", "Messages queued for clients."),
		counter("bytes_sent", "Bytes written to sockets."),
		counter("messages_dropped", "Messages dropped because the client's outbox was full."),
		counter("history_gaps", "Times that messages to a channel of several servers could not be fetched any more."),
		counter("connections_suspended", "Times that a connection broke and its client was waited for."),
		counter("connections_resumed", "Times that such a client came back."),
		counter("sessions_given", "Sessions that other servers have got, since their clients came back there."),
		counter("sessions_astray", "Sessions that were given to other servers and did not arrive there."),
		counter("sessions_taken", "Sessions that came from other servers, since their clients came back here."),
		counter("resumes_refused", "Clients that came with a token and got a new session, since the old one was over or did not fit."),
		counter("resumes_lost", "Clients that cannot come back, since not all messages to them could be kept."),
		counter("suspensions_refused", "Times that a connection broke and its client was not waited for, since too many others were."),
		counter("presence_grace_skipped", "Users who left a channel at once, because too many were in their time of grace."),
		counter("history_evicted", "Messages that went from histories before their time, because all histories took too much."),
		counter("messages_compressed", "Messages that went out compressed."),
		counter("compression_bytes_saved", "Bytes that compression saved on these messages."),
		counter("slow_clients_closed", "Clients closed because they did not read as fast as they were sent to."),
		counter("rate_limit_delays", "Times that a client was not read for a while because it sent too fast."),
		counter("violations", "Connections failed because the client broke the protocol or a limit."),
		counter("events_held_back", "Times that a client was not read for a while, because events that waited for PHP took as much as they may."),
		counter("unfinished_refused", "Clients closed because unfinished messages took as much as they may, and their address held most."),
		counter("message_timeouts", "Clients closed because they did not finish a message in time."),
		gauge("compression_bytes_kept", "Bytes that compression keeps of clients between messages."),
		counter("compression_windows_given_up", "Windows of earlier messages of clients that were freed because too much was kept."),
		counter("compression_windows_missed", "Clients closed because a message referred to a window that had been freed."),
		counter("compression_contexts_given_up", "Compression contexts that were freed because too much was kept."),
		counter("events_queued", "Events queued for PHP."),
		counter("events_delivered", "Events handed to PHP."),
		counter("events_acknowledged", "Events that PHP handled."),
		counter("events_failed", "Events on which PHP failed."),
		counter("events_dropped", "Events dropped because a reload removed their worker."),
		counter("messages_discarded", "Messages that PHP was not told, since the server had decided to close their client."),
		counter("timers_fired", "Timers that were due and queued for PHP."),
		counter("timers_skipped", "Timers that were due again before PHP had handled them the last time."),
		counter("timers_dropped", "Timers cleared because a reload removed their worker."),
		counter("bells_rung", "Wake-ups: requests sent to workers to fetch events."),
		counter("bells_unanswered", "Wake-ups in which the worker did not ask for events."),
		counter("bells_abandoned", "Wake-ups that never reached PHP."),
		counter("cluster_calls", "Calls that waited for Redis or for other servers."),
		counter("cluster_call_microseconds", "How long these calls took together."),
		counter("cluster_unavailable", "Calls that failed because Redis could not be reached."),
		counter("cluster_timeouts", "Calls that were not answered in time."),
		counter("cluster_overloaded", "Calls and messages refused because too much waited."),
		counter("cluster_refused", "Calls that Redis or another server refused."),
		counter("cluster_published", "Messages sent to other servers."),
		counter("cluster_received", "Messages that came from other servers."),
		counter("cluster_foreign", "Messages from servers of another version, which were refused."),
		counter("cluster_connects", "Times that Redis was reached after it had not been."),
		counter("cluster_lost", "Messages to other servers of which it is not known whether they were sent, because Redis failed."),
		counter("cluster_groups_not_told", "Messages to groups that other servers did not get, or perhaps did not, because Redis could not be reached or too much waited for it."),
		counter("cluster_dropped", "Messages from other servers that were dropped because too much waited."),
		counter("control_clients", "Clients that came to the control socket."),
		counter("control_clients_cut", "Clients of the control socket that were cut off."),
		counter("control_commands", "Commands that came by the control socket."),
	}
	// refusedHandshakes are one metric; its label is what the core counts under handshakes_refused_….
	refusedHandshakes = prometheus.NewDesc("frankenphp_websocket_handshakes_refused_total", "Upgrade requests that were refused.", []string{"reason"}, nil)
	// refusalReasons are all there are. In the core's own statistics handshakes_refused is their sum.
	refusalReasons = []string{"malformed", "version", "origin", "subprotocol", "address", "full", "overload", "unavailable", "host"}

	routeStats = []stat{
		gauge("connections", "Open connections of the route.", "route"),
	}
	workerStats = []stat{
		gauge("bells_parked", "Wake-ups that wait for a thread of the worker.", "worker"),
		gauge("bells_running", "Threads of the worker that handle events.", "worker"),
		gauge("bells_idle", "Threads of the worker that wait for more events.", "worker"),
		gauge("connections_waiting", "Connections whose events wait for a thread of the worker.", "worker"),
	}
)

// refusedFor is what the core's counters of refusedHandshakes begin with.
const refusedFor = "handshakes_refused_"

// statsCollector shows the counters of the core to Prometheus. They are read when asked for.
type statsCollector struct {
	stats func() ([]byte, error)
}

// registerMetrics adds the counters to the registry of a configuration.
func registerMetrics(registry *prometheus.Registry) error {
	if registry == nil {
		return nil // a context that a test made
	}

	return registry.Register(statsCollector{stats: bridge.Stats})
}

// Describe implements [prometheus.Collector].
func (statsCollector) Describe(descs chan<- *prometheus.Desc) {
	for _, table := range [][]stat{processStats, routeStats, workerStats} {
		for _, s := range table {
			descs <- s.desc
		}
	}
	descs <- refusedHandshakes
}

// Collect implements [prometheus.Collector]. There are no metrics before the core runs.
func (c statsCollector) Collect(metrics chan<- prometheus.Metric) {
	encoded, err := c.stats()
	if errors.Is(err, bridge.ErrNotRunning) {
		return
	}

	var (
		numbers map[string]any
		members struct {
			Routes  map[string]map[string]any `json:"routes"`
			Workers map[string]map[string]any `json:"workers"`
		}
	)
	if err == nil {
		err = errors.Join(json.Unmarshal(encoded, &numbers), json.Unmarshal(encoded, &members))
	}
	if err != nil {
		metrics <- prometheus.NewInvalidMetric(processStats[0].desc, fmt.Errorf("the counters of the WebSocket core: %w", err))

		return
	}

	collect(metrics, processStats, numbers)
	for _, reason := range refusalReasons {
		if count, ok := numbers[refusedFor+reason].(float64); ok {
			metrics <- prometheus.MustNewConstMetric(refusedHandshakes, prometheus.CounterValue, count, reason)
		}
	}
	for route, numbers := range members.Routes {
		collect(metrics, routeStats, numbers, route)
	}
	for worker, numbers := range members.Workers {
		collect(metrics, workerStats, numbers, worker)
	}
}

// collect sends the numbers that a table names.
func collect(metrics chan<- prometheus.Metric, table []stat, numbers map[string]any, labels ...string) {
	for _, s := range table {
		if value, ok := numbers[s.key].(float64); ok {
			metrics <- prometheus.MustNewConstMetric(s.desc, s.kind, value, labels...)
		}
	}
}

// Interface guard
var _ prometheus.Collector = statsCollector{}
