//! A real Redis server.

use std::process::{Child, Command as Process, Stdio};
use std::sync::Arc;
use std::time::Duration;

use fws_server::{ClusterConfig, Config, Core};

use super::wait_until;

const PATIENCE: Duration = Duration::from_secs(60);

/// A Redis server on a socket of its own.
pub struct Redis {
    process: Child,
    pub folder: std::path::PathBuf,
}

impl Redis {
    pub fn start() -> Redis {
        use std::sync::atomic::{AtomicU32, Ordering};
        static LAST: AtomicU32 = AtomicU32::new(0);
        let name = format!("fws-redis-{}-{}", std::process::id(), LAST.fetch_add(1, Ordering::Relaxed));
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).expect("a folder");
        let process = Redis::launch(&folder);
        Redis { process, folder }
    }

    fn launch(folder: &std::path::Path) -> Child {
        let process = Process::new("redis-server")
            .args(["--port", "0", "--save", "", "--unixsocket"])
            .arg(folder.join("s"))
            .arg("--dir")
            .arg(folder)
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server is installed");
        wait_until(PATIENCE, "redis-server listens", || std::os::unix::net::UnixStream::connect(folder.join("s")).is_ok());
        process
    }

    /// What a command answers.
    pub fn cli(&self, args: &[&str]) -> String {
        let output = Process::new("redis-cli").arg("-s").arg(self.folder.join("s")).args(args).output().expect("redis-cli");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// A way to it, by which a server comes that can be cut off: without it there are no new connections.
    pub fn way(&self, name: &str) -> std::path::PathBuf {
        let way = self.folder.join(name);
        std::os::unix::fs::symlink(self.folder.join("s"), &way).expect("a link");
        way
    }

    /// Ends the connections of all servers.
    pub fn drop_connections(&self) {
        for kind in ["normal", "pubsub"] {
            self.cli(&["CLIENT", "KILL", "TYPE", kind]);
        }
    }

    pub fn kill(&mut self) {
        self.process.kill().expect("it runs");
        self.process.wait().expect("it has ended");
    }

    pub fn restart(&mut self) {
        self.process = Redis::launch(&self.folder);
    }

    /// A server with these routes that is connected.
    pub fn server(&self, routes: &str) -> Arc<Core> {
        self.server_by(&self.folder.join("s"), routes, Duration::from_secs(5))
    }

    /// One that comes to Redis by this socket, and waits so long for it.
    pub fn server_by(&self, socket: &std::path::Path, routes: &str, timeout: Duration) -> Arc<Core> {
        self.server_with(socket, routes, timeout, Duration::from_secs(2))
    }

    /// The same, with a lease.
    pub fn server_with(&self, socket: &std::path::Path, routes: &str, timeout: Duration, lease: Duration) -> Arc<Core> {
        let address = format!("unix://{}", socket.display());
        let (timeout, lease) = (timeout.as_nanos() as u64, lease.as_nanos() as u64);
        let cluster = ClusterConfig { address, timeout, lease, ..ClusterConfig::default() };
        let core = Core::start(&Config { shards: 1, cluster: Some(cluster), ..Config::default() }).expect("threads and epolls");
        core.stage(1, routes.as_bytes()).expect("legal");
        core.commit(1).expect("staged");
        wait_connected(&core);
        core
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

pub fn is_connected(core: &Core) -> bool {
    core.stats()["cluster"]["trouble"].is_null()
}

pub fn wait_connected(core: &Core) {
    wait_until(PATIENCE, "it is connected", || is_connected(core));
}
