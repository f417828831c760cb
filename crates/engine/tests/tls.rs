//! Redis behind TLS, with a certificate that only its own authority vouches for.

mod common;

use std::process::{Command, Stdio};
use std::time::Duration;

use common::{Server, wait_until};
use fws_engine::redis::Settings;

/// A port that nobody listens at.
fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port()
}

#[test]
fn redis_is_reached_with_tls_if_its_certificate_is_vouched_for_and_otherwise_it_is_said_why_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let certified = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
    let (ca, key) = (folder.path().join("ca.pem"), folder.path().join("key.pem"));
    std::fs::write(&ca, certified.cert.pem()).expect("written");
    std::fs::write(&key, certified.signing_key.serialize_pem()).expect("written");
    let port = free_port();
    let mut redis = Command::new("redis-server")
        .args(["--port", "0", "--save", "", "--tls-auth-clients", "no", "--tls-port", &port.to_string(), "--tls-cert-file"])
        .arg(&ca)
        .arg("--tls-key-file")
        .arg(&key)
        .arg("--tls-ca-cert-file")
        .arg(&ca)
        .stdout(Stdio::null())
        .current_dir(folder.path())
        .spawn()
        .expect("redis-server is installed");
    let settings = Settings::at(&format!("rediss://localhost:{port}")).expect("legal");
    let trusting = Settings { ca: Some(std::fs::read(&ca).expect("written")), timeout: Duration::from_secs(5), ..settings.clone() };
    let server = Server::start(trusting);
    server.wait_connected();
    assert_eq!(server.cluster.value_increment(b"n", 1), Ok(Ok(1)));
    let suspicious = Server::start(settings);
    wait_until("it says why", || suspicious.told.disconnected.lock().iter().any(|why| why.contains("certificate")));
    assert!(!suspicious.cluster.is_connected());
    redis.kill().expect("it runs");
    redis.wait().expect("it has ended");
}
