//! What servers of applications are told by requests: a queue and a thread for each address of an application.
//!
//! Nobody waits for them. A queue has an end: what does not fit is dropped and counted. One request is on its way at a time, so what is told of a
//! channel comes in order; it is sent again and again, for about five minutes, and then given up. A queue that no configuration names any more ends
//! when all is told that waits.

pub mod address;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use fws_pusher::webhook::{Batch, BatchLimits, Body, Event, retry_delay, shown};
use fws_pusher::{AppConfig, WebhookTarget};
use hashbrown::{HashMap, HashSet};
use parking_lot::{Condvar, Mutex};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::CertificateDer;
use serde_json::{Map, Value};
use ureq::Agent;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use crate::log::{Log, Trouble};
use crate::os::block_signals;
use crate::stats::add;

/// How long a server may take for its answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// The longest pause between attempts once the server ends.
const HASTE: Duration = Duration::from_millis(500);

/// The id of an application, and an address.
type Whom = (Box<str>, Box<str>);

/// All queues.
pub struct Webhooks(Arc<Shared>);

struct Shared {
    /// Where a queue's state is locked as well, this is locked before.
    queues: Mutex<Queues>,
    /// Signalled when a thread ends.
    ended: Condvar,
    counts: Counts,
    log: Arc<Log>,
}

#[derive(Default)]
struct Queues {
    /// A queue is here as long as its thread lives.
    all: HashMap<Whom, Arc<Queue>>,
    /// Those that the configuration names.
    wanted: HashSet<Whom>,
    /// Of all queues, once the server ends.
    end: Option<End>,
}

/// What became of what was to be told.
#[derive(Default)]
pub struct Counts {
    /// Requests that were answered with success.
    pub sent: AtomicU64,
    /// Requests that failed, and are sent again or given up.
    pub failed: AtomicU64,
    /// Events that were given up, or did not fit.
    pub dropped: AtomicU64,
}

struct Queue {
    state: Mutex<State>,
    /// Signalled when something is to be sent sooner, and when the end has changed.
    more: Condvar,
    started: Instant,
    url: Box<str>,
    /// The header for the password of the address.
    authorization: Option<String>,
    /// The address as the log may have it, with the application: what is logged together.
    name: Arc<str>,
}

struct State {
    batch: Batch,
    /// Of the request that is on its way.
    underway: usize,
    /// Whose key and secret are used.
    app: AppConfig,
    end: End,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Never,
    /// Once all is told.
    Told,
    /// The server ends then. More may come before.
    Soon(Instant),
    /// Once all is told, but then at the latest.
    By(Instant),
}

impl End {
    /// Whether the thread ends when nothing waits.
    fn is_near(self) -> bool {
        matches!(self, End::Told | End::By(_))
    }

    /// When the server ends.
    fn until(self) -> Option<Instant> {
        match self {
            End::Never | End::Told => None,
            End::Soon(until) | End::By(until) => Some(until),
        }
    }
}

/// What is left to do for a thread.
enum Next {
    Send(Body),
    End,
}

impl Queue {
    fn now(&self) -> u64 {
        self.started.elapsed().as_millis() as u64
    }

    /// Waits for what is to be sent next.
    fn next(&self) -> Next {
        let mut state = self.state.lock();
        loop {
            let time = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64);
            let ends = state.end.is_near();
            // What ends waits for no other events.
            if let Some(body) = state.batch.take(if ends { u64::MAX } else { self.now() }, time) {
                state.underway = body.events;
                return Next::Send(body);
            }
            if ends {
                return Next::End;
            }
            match state.batch.due() {
                Some(due) => drop(self.more.wait_until(&mut state, self.started + Duration::from_millis(due))),
                None => self.more.wait(&mut state),
            }
        }
    }

    /// Waits before the next attempt: not for long once the server ends.
    fn pause(&self, delay: Duration) {
        let until = Instant::now() + delay;
        let mut state = self.state.lock();
        while state.end.until().is_none() {
            if self.more.wait_until(&mut state, until).timed_out() {
                return;
            }
        }
        // What is told meanwhile must not make it shorter.
        let until = until.min(Instant::now() + HASTE);
        while !self.more.wait_until(&mut state, until).timed_out() {}
    }

    /// How long to wait after so many attempts; `None`: what is sent is given up. At the end of the server it is sent as long as there is time.
    fn delay(&self, attempt: u32) -> Option<Duration> {
        let ending = self.state.lock().end.until().is_some();
        retry_delay(attempt).map(Duration::from_millis).or(ending.then_some(HASTE))
    }

    /// How long the next request may take; `None`: there is no time for one.
    fn patience(&self) -> Option<Duration> {
        let Some(until) = self.state.lock().end.until() else { return Some(PATIENCE) };
        Some(until.saturating_duration_since(Instant::now()).min(PATIENCE)).filter(|left| !left.is_zero())
    }

    /// Sends a request. An error says what has failed; there is no address in it.
    fn send(&self, agent: &Agent, body: &Body, patience: Duration) -> Result<(), String> {
        let headers = body.headers(&self.state.lock().app);
        let mut request = agent.post(&*self.url).config().timeout_global(Some(patience)).build();
        for (name, value) in headers {
            request = request.header(name, value);
        }
        if let Some(authorization) = &self.authorization {
            request = request.header("Authorization", authorization);
        }
        match request.send(&*body.json) {
            Ok(answer) if answer.status().is_success() => Ok(()),
            Ok(answer) => Err(format!("it answered with {}", answer.status().as_u16())),
            Err(error) => Err(why(&error)),
        }
    }
}

/// Why a request has failed. The text of other errors may have the address.
fn why(error: &ureq::Error) -> String {
    match error {
        ureq::Error::Timeout(_) => "it did not answer in time".to_owned(),
        ureq::Error::HostNotFound => "its host was not found".to_owned(),
        ureq::Error::Io(error) => error.kind().to_string(),
        ureq::Error::Rustls(error) => format!("TLS: {error}"),
        _ => "the request failed".to_owned(),
    }
}

impl Webhooks {
    pub fn new(log: Arc<Log>) -> Webhooks {
        let (queues, ended) = (Mutex::default(), Condvar::new());
        Webhooks(Arc::new(Shared { queues, ended, counts: Counts::default(), log }))
    }

    pub fn counts(&self) -> &Counts {
        &self.0.counts
    }

    /// How many events wait, those on their way included.
    pub fn waiting(&self) -> u64 {
        waiting(&self.0.queues.lock().all)
    }

    /// Tells an address of an application of an event.
    pub fn tell(&self, app: &AppConfig, url: &str, event: &Event<'_>) -> io::Result<()> {
        let mut queues = self.0.queues.lock();
        let whom = (app.id.as_str().into(), url.into());
        let queue = match queues.all.get(&whom) {
            Some(queue) => queue.clone(),
            None => {
                // What happened just before a reload may be told after it.
                let named = if queues.wanted.contains(&whom) { End::Never } else { End::Told };
                let queue = Arc::new(Queue::new(app, url, queues.end.unwrap_or(named)));
                self.start(whom.clone(), queue.clone(), queues.all.len())?;
                queues.all.insert(whom, queue.clone());
                queue
            }
        };
        // The queue cannot end meanwhile.
        let mut state = queue.state.lock();
        drop(queues);
        state.batch.push(event, queue.now());
        let dropped = state.batch.take_dropped();
        drop(state);
        queue.more.notify_one();
        if dropped > 0 {
            self.0.lose(&queue, dropped, "events were not told to a webhook: too many wait for it", None);
        }
        Ok(())
    }

    /// These applications are in force: their queues go on, with the keys and secrets as they are now. Others end when all is told.
    pub fn keep<'a>(&self, apps: impl Iterator<Item = &'a AppConfig>) {
        let wanted: HashMap<(&str, &str), &AppConfig> = apps
            .flat_map(|app| {
                app.webhooks.iter().filter_map(move |webhook| match &webhook.target {
                    WebhookTarget::Url(url) => Some(((app.id.as_str(), url.as_str()), app)),
                    WebhookTarget::Worker(_) => None,
                })
            })
            .collect();
        let mut queues = self.0.queues.lock();
        queues.wanted = wanted.keys().map(|&(id, url)| (id.into(), url.into())).collect();
        for ((id, url), queue) in &queues.all {
            let mut state = queue.state.lock();
            let app = wanted.get(&(&**id, &**url));
            if let Some(app) = app {
                state.app = (*app).clone();
            }
            // The end of the server is not put off.
            if state.end.until().is_none() {
                state.end = if app.is_some() { End::Never } else { End::Told };
            }
            drop(state);
            queue.more.notify_one();
        }
    }

    /// The server will have ended by then: what has failed is sent again soon.
    pub fn hurry(&self, until: Instant) {
        self.0.queues.lock().end_all(End::Soon(until));
    }

    /// The server does not end after all. Which queues go on is said by [`Webhooks::keep`].
    pub fn go_on(&self) {
        let mut queues = self.0.queues.lock();
        queues.end = None;
        queues.all.values().for_each(|queue| queue.state.lock().end = End::Never);
    }

    /// The server ends: what waits is told now, until then. How many events are not.
    pub fn drain(&self, until: Instant) -> u64 {
        let mut queues = self.0.queues.lock();
        queues.end_all(End::By(until));
        while !queues.all.is_empty() && !self.0.ended.wait_until(&mut queues, until).timed_out() {}
        // Their threads count them when they have failed, if there is time for that.
        waiting(&queues.all)
    }

    fn start(&self, whom: Whom, queue: Arc<Queue>, number: usize) -> io::Result<()> {
        let shared = self.0.clone();
        std::thread::Builder::new().name(format!("fws-webhook-{number}")).spawn(move || {
            let _ = block_signals();
            let agent = agent();
            loop {
                match queue.next() {
                    Next::Send(body) => shared.deliver(&queue, &agent, &body),
                    Next::End if shared.end(&whom, &queue) => return,
                    Next::End => {}
                }
            }
        })?;
        Ok(())
    }
}

fn waiting(queues: &HashMap<Whom, Arc<Queue>>) -> u64 {
    let of = |queue: &Arc<Queue>| {
        let state = queue.state.lock();
        (state.batch.len() + state.underway) as u64
    };
    queues.values().map(of).sum()
}

impl Queues {
    fn end_all(&mut self, end: End) {
        self.end = Some(end);
        for queue in self.all.values() {
            queue.state.lock().end = end;
            queue.more.notify_one();
        }
    }
}

impl Drop for Webhooks {
    fn drop(&mut self) {
        self.keep(std::iter::empty());
    }
}

impl Queue {
    fn new(app: &AppConfig, url: &str, end: End) -> Queue {
        let state = State { batch: Batch::new(BatchLimits::default()), underway: 0, app: app.clone(), end };
        let name = format!("{} {}", app.id, shown(url)).into();
        Queue {
            state: Mutex::new(state),
            more: Condvar::new(),
            started: Instant::now(),
            url: url.into(),
            authorization: address::authorization(url),
            name,
        }
    }
}

impl Shared {
    /// Sends a body until it arrives, or is given up.
    fn deliver(&self, queue: &Queue, agent: &Agent, body: &Body) {
        let mut failure = "the server ended before it could be sent".to_owned();
        for attempt in 1.. {
            let Some(patience) = queue.patience() else { break };
            match queue.send(agent, body, patience) {
                Ok(()) => {
                    add(&self.counts.sent, 1);
                    queue.state.lock().underway = 0;
                    return;
                }
                Err(why) => failure = why,
            }
            add(&self.counts.failed, 1);
            let Some(delay) = queue.delay(attempt) else { break };
            let text = "a webhook does not take what it is told: it is sent again";
            self.log.burst(Trouble::Webhook, &queue.name, text, || fields(queue, None, Some(&failure)));
            queue.pause(delay);
        }
        queue.state.lock().underway = 0;
        self.lose(queue, body.events as u64, "a webhook was not told of events: they are given up", Some(&failure));
    }

    /// Whether the queue of a thread has ended.
    fn end(&self, whom: &Whom, queue: &Queue) -> bool {
        let mut queues = self.queues.lock();
        let state = queue.state.lock();
        let ended = state.end.is_near() && state.batch.is_empty();
        drop(state);
        if ended {
            queues.all.remove(whom);
            self.ended.notify_all();
        }
        ended
    }

    fn lose(&self, queue: &Queue, events: u64, text: &str, why: Option<&str>) {
        add(&self.counts.dropped, events);
        self.log.burst(Trouble::Webhook, &format!("{} lost", queue.name).into(), text, || fields(queue, Some(events), why));
    }
}

fn fields(queue: &Queue, events: Option<u64>, why: Option<&str>) -> Map<String, Value> {
    let (app, address) = queue.name.split_once(' ').unwrap_or_default();
    let mut fields = Map::from_iter([("app".to_owned(), app.into()), ("address".to_owned(), address.into())]);
    fields.extend(events.map(|events| ("events".to_owned(), events.into())));
    fields.extend(why.map(|why| ("error".to_owned(), why.into())));
    fields
}

impl Counts {
    /// Sent, failed and dropped.
    pub fn all(&self) -> [u64; 3] {
        [&self.sent, &self.failed, &self.dropped].map(|count| count.load(Ordering::Relaxed))
    }
}

fn agent() -> Agent {
    let roots: Vec<Certificate<'static>> = rustls_native_certs::load_native_certs()
        .certs
        .into_iter()
        .map(|der: CertificateDer<'static>| Certificate::from_der(&der).to_owned())
        .collect();
    let tls = TlsConfig::builder()
        .root_certs(RootCerts::Specific(Arc::new(roots)))
        .unversioned_rustls_crypto_provider(Arc::new(default_provider()))
        .build();
    // Who is told is what the operator says, and nobody else: no redirects.
    let config = Agent::config_builder().max_redirects(0).http_status_as_error(false).proxy(None).tls_config(tls);
    config.user_agent("frankenphp-ws").build().new_agent()
}

#[cfg(test)]
mod tests;
