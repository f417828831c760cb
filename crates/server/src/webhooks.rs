//! What servers of applications are told by requests: a queue and a thread for each address.
//!
//! Nobody waits for them. A queue has an end: what does not fit is dropped and counted. One request is on its way at a time, so what is told of a
//! channel comes in order; it is sent again and again, for about five minutes, and then given up.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use fws_pusher::webhook::{Batch, BatchLimits, Body, Event, retry_delay};
use hashbrown::HashMap;
use parking_lot::{Condvar, Mutex};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::CertificateDer;
use ureq::Agent;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use crate::os::block_signals;
use crate::stats::add;

/// How long a server may take for its answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// The headers of a request, made when it is sent: so that a changed secret counts. `None`: the application has gone.
pub type Sign = Box<dyn Fn(&Body) -> Option<[(&'static str, String); 3]> + Send>;

/// The id of an application, and an address.
type Whom = (Box<str>, Box<str>);

/// All queues.
#[derive(Default)]
pub struct Webhooks {
    queues: Mutex<HashMap<Whom, Arc<Queue>>>,
    pub counts: Arc<Counts>,
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
    batch: Mutex<Batch>,
    /// Signalled when something is to be sent sooner.
    more: Condvar,
    started: Instant,
}

impl Queue {
    fn now(&self) -> u64 {
        self.started.elapsed().as_millis() as u64
    }

    /// Waits for what is to be sent next.
    fn next(&self) -> Body {
        let mut batch = self.batch.lock();
        loop {
            let time = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64);
            if let Some(body) = batch.take(self.now(), time) {
                return body;
            }
            match batch.due() {
                Some(due) => drop(self.more.wait_until(&mut batch, self.started + Duration::from_millis(due))),
                None => self.more.wait(&mut batch),
            }
        }
    }
}

impl Webhooks {
    /// Tells an address of an event. `sign` is used for the first one of the application and the address.
    pub fn tell(&self, app: &str, url: &str, event: &Event<'_>, sign: impl FnOnce() -> Sign) -> io::Result<()> {
        let queue = {
            let mut queues = self.queues.lock();
            match queues.get(&(app.into(), url.into())) {
                Some(queue) => queue.clone(),
                None => {
                    let batch = Mutex::new(Batch::new(BatchLimits::default()));
                    let queue = Arc::new(Queue { batch, more: Condvar::new(), started: Instant::now() });
                    self.start(queue.clone(), url.to_owned(), sign(), queues.len())?;
                    queues.insert((app.into(), url.into()), queue.clone());
                    queue
                }
            }
        };
        let now = queue.now();
        let mut batch = queue.batch.lock();
        batch.push(event, now);
        add(&self.counts.dropped, batch.take_dropped());
        drop(batch);
        queue.more.notify_one();
        Ok(())
    }

    fn start(&self, queue: Arc<Queue>, url: String, sign: Sign, number: usize) -> io::Result<()> {
        let counts = self.counts.clone();
        std::thread::Builder::new().name(format!("fws-webhook-{number}")).spawn(move || {
            let _ = block_signals();
            let agent = agent();
            loop {
                let body = queue.next();
                if !deliver(&agent, &url, &body, &sign, &counts) {
                    add(&counts.dropped, body.events as u64);
                }
            }
        })?;
        Ok(())
    }
}

/// Sends a body until it arrives. `false`: it is given up.
fn deliver(agent: &Agent, url: &str, body: &Body, sign: &Sign, counts: &Counts) -> bool {
    for attempt in 1.. {
        let Some(headers) = sign(body) else { return false };
        let mut request = agent.post(url);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        if request.send(&*body.json).is_ok_and(|answer| answer.status().is_success()) {
            add(&counts.sent, 1);
            return true;
        }
        add(&counts.failed, 1);
        let Some(delay) = retry_delay(attempt) else { return false };
        std::thread::sleep(Duration::from_millis(delay));
    }
    false
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
    let config =
        Agent::config_builder().timeout_global(Some(PATIENCE)).max_redirects(0).http_status_as_error(false).proxy(None).tls_config(tls);
    config.user_agent("frankenphp-ws").build().new_agent()
}
