//! A Redis whose master is found by a sentinel.

mod common;

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use common::{Server, wait_until};
use fws_engine::redis::Settings;

/// A process that is ended with the test.
struct Running(Child);

impl Running {
    fn start(folder: &Path, args: &[&str]) -> Running {
        let child = Command::new("redis-server").args(args).current_dir(folder).stdout(Stdio::null()).spawn();
        Running(child.expect("redis-server is installed"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn free_port() -> String {
    std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port().to_string()
}

fn cli(port: &str, args: &[&str]) -> String {
    let output = Command::new("redis-cli").args(["-p", port]).args(args).output().expect("redis-cli");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_server_follows_the_master_that_the_sentinel_names() {
    let folder = tempfile::tempdir().expect("a folder");
    let [first, second, sentinel] = [(); 3].map(|()| free_port());
    let master = Running::start(folder.path(), &["--port", &first, "--save", ""]);
    let _replica = Running::start(folder.path(), &["--port", &second, "--save", "", "--replicaof", "127.0.0.1", &first]);
    let config = format!(
        "port {sentinel}\nsentinel monitor main 127.0.0.1 {first} 1\nsentinel down-after-milliseconds main 500\nsentinel failover-timeout main 3000\n"
    );
    std::fs::write(folder.path().join("sentinel.conf"), config).expect("written");
    wait_until("the replica is in step", || cli(&first, &["INFO", "replication"]).contains("state=online"));
    let _sentinel = Running::start(folder.path(), &["sentinel.conf", "--sentinel"]);
    wait_until("the sentinel knows the replica", || cli(&sentinel, &["SENTINEL", "REPLICAS", "main"]).contains(&second));
    let settings = Settings::at(&format!("redis+sentinel://127.0.0.1:{sentinel}/main")).expect("legal");
    let settings = Settings { timeout: Duration::from_secs(5), lease: Duration::from_secs(2), ..settings };
    let (one, two) = (Server::start(settings.clone()), Server::start(settings));
    [&one, &two].iter().for_each(|server| server.wait_connected());
    assert_eq!(one.cluster.claim("ann"), Ok(true));
    drop(master);
    wait_until("the replica is the master", || cli(&second, &["INFO", "replication"]).contains("role:master"));
    wait_until("both have followed", || {
        [&one, &two].iter().all(|server| server.cluster.value_increment(b"n", 1).is_ok_and(|value| value.is_ok()))
    });
    wait_until("they see each other", || one.cluster.ask_all(b"all") == Ok(vec![b"echo all".to_vec()]));
    assert_eq!(two.cluster.claim("ann"), Ok(false), "its ids went along");
}
