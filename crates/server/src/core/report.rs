//! What is counted, for whoever asks.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use fws_engine::Standing;
use serde_json::{Value, json};

use super::Core;
use crate::routes::Route;
use crate::stats::Authorizing;

impl Core {
    /// Takes over what the host has counted.
    pub fn set_authorizing(&self, numbers: Authorizing) {
        *self.authorizing.lock() = numbers;
    }

    /// Everything that is counted.
    pub fn stats(&self) -> Value {
        let (pending_events, pending_connections) = self.dispatch.pending();
        let in_force: Vec<Arc<Route>> = self.routes.read().current.values().cloned().collect();
        // Counted under the lock, and written out without.
        let (lens, connections, known, tags, users, [members, in_grace, hurried]) = {
            let hub = self.hub.read();
            let lens: Vec<u64> = in_force.iter().map(|route| hub.route_len(route.id)).collect();
            (lens, hub.len(), hub.known(), hub.tag_count(), hub.user_count(), hub.presence_counts())
        };
        let routes: serde_json::Map<String, Value> =
            in_force.iter().zip(lens).map(|(route, len)| (route.name.to_string(), route_stats(route, len))).collect();
        let workers: serde_json::Map<String, Value> = self
            .dispatch
            .workers()
            .into_iter()
            .map(|(name, [parked, running, idle, waiting])| {
                let bells = json!({ "bells_parked": parked, "bells_running": running, "bells_idle": idle, "connections_waiting": waiting });
                (name.to_string(), bells)
            })
            .collect();
        let authorizing = *self.authorizing.lock();
        let webhooks = self.webhooks.counts().all();
        let mut stats = self.counters.to_json();
        let own = json!({
        "connections": connections,
        "connections_known": known,
        "tags": tags,
        "users": users,
        "presence_members": members,
        "presence_members_away": in_grace,
        "presence_grace_skipped": hurried,
        "events_pending": pending_events,
        "events_pending_bytes": self.dispatch.weight(),
        "connections_with_events": pending_connections,
        "shards": self.shards.len(),
        "options": self.options,
        "pipes": self.pipes.len(),
        "pusher_connections": self.pusher.len(),
        "webhooks_sent": webhooks[0],
        "webhooks_failed": webhooks[1],
        "webhooks_dropped": webhooks[2],
        "webhooks_waiting": self.webhooks.waiting(),
        "authorize_waiting": authorizing.waiting,
        "authorize_running": authorizing.running,
        "authorize_asked": authorizing.asked,
        "authorize_given_up": authorizing.given_up,
        "authorize_refused_busy": authorizing.refused_busy,
        "uptime_seconds": crate::clock::since(self.started).as_secs(),
        "routes": routes,
        "workers": workers,
           });
        let more = [own, self.kept_stats(), self.cluster_stats()];
        if let Value::Object(stats) = &mut stats {
            stats.extend(more.into_iter().filter_map(|value| if let Value::Object(value) = value { Some(value) } else { None }).flatten());
        }
        stats
    }

    /// How the other servers are.
    fn cluster_stats(&self) -> Value {
        let Some(Standing { node, others, trouble, counts }) = self.engine.standing() else { return json!({ "cluster": null }) };
        let nodes = others.len() as u64 + 1;
        let others: Vec<Value> = others.into_iter().map(|(node, label)| json!({ "node": node, "label": label })).collect();
        let mut stats: serde_json::Map<String, Value> =
            counts.into_iter().map(|(name, count)| (format!("cluster_{name}"), count.into())).collect();
        stats.insert("cluster_nodes".into(), nodes.into());
        stats.insert("cluster".into(), json!({ "node": node, "others": others, "trouble": trouble }));
        stats.into()
    }

    /// What is kept, and takes memory.
    fn kept_stats(&self) -> Value {
        let [channels, messages, bytes, evicted] = self.histories.counts();
        let shelved = &self.shelved;
        json!({
            "values": self.values.len(),
            "values_bytes": self.values.bytes(),
            "timers": self.timers.len(),
            "histories": channels,
            "histories_messages": messages,
            "histories_bytes": bytes,
            "history_evicted": evicted,
            "suspended": self.suspended.lock().used(),
            "resume_bytes": self.kept.used(),
            "unfinished_bytes": self.unfinished.used(),
            "compression_bytes_kept": shelved.windows.load(Ordering::Relaxed) + shelved.contexts.load(Ordering::Relaxed),
            "compression_windows_given_up": shelved.windows_given_up.load(Ordering::Relaxed),
            "compression_contexts_given_up": shelved.contexts_given_up.load(Ordering::Relaxed),
        })
    }
}

fn route_stats(route: &Route, connections: u64) -> Value {
    let own = route.branches.iter().filter(|branch| branch.worker != route.worker);
    let own: serde_json::Map<String, Value> = own.map(|branch| (branch.subprotocol.clone(), json!(branch.worker))).collect();
    json!({ "connections": connections, "worker": route.worker, "subprotocol_workers": own, "options": route.options() })
}
