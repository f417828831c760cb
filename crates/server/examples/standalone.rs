//! A WebSocket server without Caddy and PHP: hyper does the HTTP, the core everything from the 101 on.
//!
//! * `/echo` is answered by the core alone, on the threads that own the sockets;
//! * what comes to `/broadcast` goes to every client there, by [`handle`]: it stands where PHP stands in the product.
//!
//! `cargo run --release -p fws-server --example standalone 127.0.0.1:8080`; docs/standalone.md walks through it.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use fws_hub::command::SendTo;
use fws_hub::{Command, Target};
use fws_server::{Config, Core, Ended, Ring, Transport};
use fws_session::Event;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{HeaderName, HeaderValue};
use hyper::service::service_fn;
use hyper::upgrade::Upgraded;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::signal::unix::{SignalKind, signal};

/// A path is the route of the same name. The limits are those that the largest messages of the Autobahn test suite need.
const ROUTES: &str = r#"{"routes":[
  {"name":"/echo","echo":true,"max_message_size":67108864,"max_outbox":134217728,
   "compression":{"context_takeover":true}},
  {"name":"/broadcast","worker":"broadcast"}]}"#;

/// How long a client may take for the head of its request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// How long clients may take to close when the server ends.
const DRAIN: Duration = Duration::from_secs(5);

#[tokio::main]
async fn main() -> io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8080".to_owned());
    let listener = TcpListener::bind(&address).await?;
    let core = start()?;
    println!("listening on http://{}", listener.local_addr()?);
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    tokio::select! {
        ended = serve(listener, core.clone()) => ended?,
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    let left = tokio::task::spawn_blocking(move || core.drain(DRAIN)).await?;
    if left.connections > 0 {
        eprintln!("{} clients did not answer the close frame in time", left.connections);
    }
    Ok(())
}

/// The core with its routes in force.
pub fn start() -> io::Result<Arc<Core>> {
    let core = Core::start(&Config::default())?;
    core.stage(1, ROUTES.as_bytes()).map_err(io::Error::other)?;
    core.commit(1).expect("bug: generation 1 was staged above");
    Ok(core)
}

/// Accepts connections and rings bells until the listener fails.
pub async fn serve(listener: TcpListener, core: Arc<Core>) -> io::Result<()> {
    let (ringer, runtime) = (core.clone(), Handle::current());
    std::thread::spawn(move || ring(&ringer, &runtime).expect("an epoll and an eventfd that stay open"));
    loop {
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            // Of one connection, or for want of descriptors: either passes.
            Err(error) => {
                eprintln!("accept: {error}");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let core = core.clone();
        tokio::spawn(async move {
            let ip = peer.ip().to_string();
            let service = service_fn(|request| {
                let answer = answer(&core, request, &ip);
                async { Ok::<_, Infallible>(answer) }
            });
            let connection = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_TIMEOUT)
                .serve_connection(TokioIo::new(stream), service);
            // An error is the client's: it went away, or did not speak HTTP.
            let _ = connection.with_upgrades().await;
        });
    }
}

/// Examines an upgrade request; where it is accepted, the connection is the core's as soon as the 101 is out.
fn answer(core: &Arc<Core>, request: Request<Incoming>, ip: &str) -> Response<Full<Bytes>> {
    let mut handshake = core.handshake(request.uri().path(), &head(&request), ip);
    // The client is known before it is told that it is accepted. Where the connection cannot be handed over it is forgotten again.
    core.enter(&mut handshake, Transport::Tcp);
    let mut response = Response::new(Full::new(Bytes::from(handshake.text().to_owned())));
    *response.status_mut() = StatusCode::from_u16(handshake.status()).expect("bug: the core answers with HTTP's statuses");
    for (name, value) in handshake.headers() {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("bug: the core answers with legal headers");
        response.headers_mut().append(name, HeaderValue::from_str(value).expect("bug: the core answers with legal headers"));
    }
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        let core = core.clone();
        tokio::spawn(async move {
            let Ok(upgraded) = hyper::upgrade::on(request).await else { return };
            match into_socket(upgraded) {
                // Only when the connection cannot be registered is the socket given back: dropped, it is closed.
                Ok((socket, buffered)) => drop(core.adopt(handshake, socket, &buffered)),
                Err(error) => eprintln!("a connection could not be handed over: {error}"),
            }
        });
    }
    response
}

/// The request's head as it came: the core reads it itself, so that its rules are the same under every server.
fn head(request: &Request<Incoming>) -> Vec<u8> {
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
    let mut head = format!("{} {target} {:?}\r\n", request.method(), request.version()).into_bytes();
    for (name, value) in request.headers() {
        head.extend_from_slice(name.as_str().as_bytes());
        head.extend_from_slice(b": ");
        head.extend_from_slice(value.as_bytes());
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(b"\r\n");
    head
}

/// The socket taken out of hyper and tokio, and what hyper had read of it behind the request: the first frames.
fn into_socket(upgraded: Upgraded) -> io::Result<(socket2::Socket, Bytes)> {
    let parts = upgraded.downcast::<TokioIo<TcpStream>>().map_err(|_| io::Error::other("not a plain TCP connection"))?;
    let stream = parts.io.into_inner().into_std()?;
    stream.set_nodelay(true)?;
    Ok((stream.into(), parts.read_buf))
}

/// Waits for the core's flag, on a thread of its own; then takes the log records, and gives each bell a thread to drain it.
fn ring(core: &Arc<Core>, runtime: &Handle) -> io::Result<()> {
    let (mut poll, mut ready, mut log) = (Poll::new()?, Events::with_capacity(1), vec![0; 64 * 1024]);
    poll.registry().register(&mut SourceFd(&core.flag()), Token(0), Interest::READABLE)?;
    loop {
        match poll.poll(&mut ready, None) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
        // Lowered before anything is taken, so that what comes meanwhile raises it again.
        core.lower_flag();
        loop {
            let written = core.take_log(&mut log);
            if written == 0 {
                break;
            }
            eprint!("{}", String::from_utf8_lossy(&log[..written]));
        }
        while let Some(bell) = core.take_ring() {
            let core = core.clone();
            runtime.spawn_blocking(move || drain(&core, &bell));
        }
    }
}

/// One bell: takes events, one connection's in order, until the core says that it is enough.
fn drain(core: &Core, ring: &Ring) {
    if let Some(bell) = core.claim_bell(format!("fws_bell={}", ring.nonce).as_bytes()) {
        while let Some(current) = core.next_event(&bell) {
            handle(core, current.event());
        }
        core.release_bell(&bell, false, "");
    }
    core.end_bell(&ring.nonce, Ended::Served, b"", "");
}

/// The application.
fn handle(core: &Core, event: &Event) {
    if let Event::Message { binary, data } = event {
        let everyone =
            Command::Send(SendTo { to: Target::All, route: Some("/broadcast"), except: None, binary: *binary, data: data[..].into() });
        if let Err(error) = core.ask(&everyone) {
            eprintln!("not sent: {error:?}");
        }
    }
}
