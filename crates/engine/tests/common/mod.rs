//! Real Redis servers, and servers of ours that meet there.
#![allow(dead_code, reason = "each of the tests takes what it needs")]

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use fws_engine::redis::{Answer, Became, Cluster, Incoming, Member, NodeId, Receiver, Recorded, Settings};
use parking_lot::Mutex;

/// How long anything may take.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Waits for a condition, which must come true.
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < until, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// A Redis server on a Unix socket of its own.
pub struct Redis {
    process: Option<Child>,
    folder: tempfile::TempDir,
    program: &'static str,
    options: Vec<String>,
}

impl Redis {
    pub fn start() -> Redis {
        Redis::start_with("redis-server", &[])
    }

    pub fn start_with(program: &'static str, options: &[&str]) -> Redis {
        let folder = tempfile::tempdir().expect("a folder");
        let options = options.iter().map(|option| (*option).to_owned()).collect();
        let mut redis = Redis { process: None, folder, program, options };
        redis.launch();
        redis
    }

    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("s")
    }

    pub fn address(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    /// Starts it, with nothing in it.
    pub fn launch(&mut self) {
        let child = Command::new(self.program)
            .args(["--port", "0", "--save", "", "--appendonly", "no", "--daemonize", "no", "--unixsocket"])
            .arg(self.socket())
            .args(["--dir"])
            .arg(self.folder.path())
            .args(&self.options)
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server is installed");
        self.process = Some(child);
        let socket = self.socket();
        wait_until("redis-server listens", || std::os::unix::net::UnixStream::connect(&socket).is_ok());
    }

    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().expect("it runs");
            process.wait().expect("it has ended");
        }
    }

    fn signal(&self, name: &str) {
        let id = self.process.as_ref().expect("it runs").id().to_string();
        assert!(Command::new("kill").args([name, &id]).status().expect("kill").success());
    }

    /// It does nothing until it may go on.
    pub fn pause(&self) {
        self.signal("-STOP");
    }

    pub fn go_on(&self) {
        self.signal("-CONT");
    }

    /// What a command answers.
    pub fn cli(&self, args: &[&str]) -> String {
        let output = Command::new("redis-cli").arg("-s").arg(self.socket()).args(args).output().expect("redis-cli");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        if let Some(process) = &self.process {
            let _ = Command::new("kill").args(["-CONT", &process.id().to_string()]).status();
        }
        self.kill();
    }
}

/// What a server was told.
#[derive(Default)]
pub struct Told {
    pub heard: Mutex<Vec<Vec<u8>>>,
    pub recorded: Mutex<Vec<(u64, Recorded)>>,
    pub lost: Mutex<Vec<Box<str>>>,
    pub attended: Mutex<Vec<(Became, Member)>>,
    pub vacated: Mutex<Vec<Member>>,
    pub entered: Mutex<Vec<Member>>,
    pub come: Mutex<Vec<Member>>,
    pub left: Mutex<Vec<Member>>,
    pub connected: AtomicUsize,
    pub anew: AtomicUsize,
    pub disconnected: Mutex<Vec<String>>,
    /// Questions that are not to be answered are kept.
    pub silent: Mutex<Option<Vec<Answer>>>,
}

impl Receiver for Told {
    fn incoming(&self, incoming: Incoming) {
        match incoming.answer {
            None => self.heard.lock().push(incoming.payload),
            Some(answer) => match &mut *self.silent.lock() {
                Some(kept) => kept.push(answer),
                None => answer.send(&[b"echo ", &incoming.payload[..]].concat()),
            },
        }
    }

    fn recorded(&self, epoch: u64, recorded: Recorded) {
        self.recorded.lock().push((epoch, recorded));
    }

    fn connected(&self, anew: bool) {
        self.connected.fetch_add(1, Ordering::SeqCst);
        self.anew.fetch_add(usize::from(anew), Ordering::SeqCst);
    }

    fn disconnected(&self, why: &str) {
        self.disconnected.lock().push(why.to_owned());
    }

    fn lost(&self, ids: Vec<Box<str>>) {
        self.lost.lock().extend(ids);
    }

    fn attended(&self, became: Became, member: Member) {
        self.attended.lock().push((became, member));
    }

    fn vacated(&self, members: Vec<Member>) {
        self.vacated.lock().extend(members);
    }

    fn entered(&self, members: Vec<Member>) {
        self.entered.lock().extend(members);
    }

    fn late(&self, come: Vec<Member>, left: Vec<Member>) {
        self.come.lock().extend(come);
        self.left.lock().extend(left);
    }
}

/// A server of ours.
pub struct Server {
    pub cluster: Cluster,
    pub told: Arc<Told>,
}

impl Server {
    pub fn start(settings: Settings) -> Server {
        let told = Arc::new(Told::default());
        let given = told.clone();
        Server { cluster: Cluster::start(settings, move |_| given).expect("a thread"), told }
    }

    /// One that is connected.
    pub fn at(redis: &Redis) -> Server {
        let server = Server::start(quick(redis));
        server.wait_connected();
        server
    }

    pub fn wait_connected(&self) {
        wait_until("it is connected", || self.cluster.is_connected());
    }

    pub fn node(&self) -> NodeId {
        self.cluster.node()
    }

    pub fn count(&self, name: &str) -> u64 {
        self.cluster.counts().into_iter().find(|(known, _)| *known == name).expect("a count").1
    }
}

/// Settings with a short lease. The timeout is long, since machines that test are busy.
pub fn quick(redis: &Redis) -> Settings {
    Settings {
        lease: Duration::from_secs(2),
        timeout: Duration::from_secs(5),
        version: 7,
        ..Settings::at(&redis.address()).expect("legal")
    }
}

/// A server of ours in another process: the test `a_server_in_a_process_of_its_own`.
pub struct OtherProcess {
    child: Child,
    lines: std::sync::mpsc::Receiver<String>,
}

impl OtherProcess {
    pub fn start(address: &str) -> OtherProcess {
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .args(["--exact", "a_server_in_a_process_of_its_own", "--nocapture"])
            .env("FWS_ENGINE_ADDRESS", address)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let output = std::io::BufReader::new(child.stdout.take().expect("piped"));
        let (tell, lines) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            use std::io::BufRead as _;
            output.lines().map_while(Result::ok).for_each(|line| drop(tell.send(line)));
        });
        OtherProcess { child, lines }
    }

    /// Waits until it says so.
    pub fn wait_for(&mut self, what: &str) {
        while !self.lines.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("it does not say {what:?}")).contains(what) {}
    }

    pub fn signal(&self, name: &str) {
        assert!(Command::new("kill").args([name, &self.child.id().to_string()]).status().expect("kill").success());
    }
}

impl Drop for OtherProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
