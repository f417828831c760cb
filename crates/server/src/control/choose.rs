//! Which of several servers a script is for: the one of its project, if that is certain. A message for the wrong application is worse than
//! none.

use std::path::{Path, PathBuf};

use super::client::{RemoteError, RemoteFailure};
use super::description::{Description, namespace};
use super::location::VARIABLE;

/// The most servers that an error lists.
const LISTED: usize = 20;

/// Where a script is. All paths are real ones, without symbolic links.
#[derive(Debug, Clone, Default)]
pub struct Origin {
    /// The folder of the script, if there is one.
    script: Option<PathBuf>,
    /// The working directory.
    directory: Option<PathBuf>,
    namespace: Option<String>,
}

/// What one folder says about the servers.
enum Verdict {
    Nothing,
    One(usize),
    Several,
}

impl Origin {
    /// Of this process, which runs `script`, if it runs one.
    pub fn own(script: Option<&Path>) -> Origin {
        let script = script.and_then(|path| path.canonicalize().ok());
        Origin {
            script: script.and_then(|path| path.parent().map(Into::into)),
            directory: std::env::current_dir().and_then(|path| path.canonicalize()).ok(),
            namespace: namespace(),
        }
    }

    fn places(&self) -> impl Iterator<Item = &Path> {
        [&self.script, &self.directory].into_iter().filter_map(|place| place.as_deref())
    }

    /// Takes the server that a script is for. `former` is the one that it has talked to before: it is then only for that, or for one that
    /// was started again in its place.
    pub fn choose(&self, mut servers: Vec<Description>, former: Option<&Description>) -> Result<Description, RemoteError> {
        if let Some(former) = former {
            let (theirs, others): (Vec<_>, Vec<_>) = servers.into_iter().partition(|server| server.is_project_of(former));
            if theirs.is_empty() {
                return Err(no_server(format!("the server that this script has talked to has ended: {former}"), &others));
            }
            servers = theirs;
        }
        let mut chosen = None;
        for verdict in self.places().map(|place| self.verdict(place, &servers)) {
            match verdict {
                Verdict::Nothing => {}
                Verdict::One(server) if chosen.is_none_or(|other| other == server) => chosen = Some(server),
                Verdict::One(_) | Verdict::Several => return Err(self.unclear(&servers)),
            }
        }
        let chosen = match chosen {
            Some(server) => server,
            None if servers.len() == 1 => 0,
            None => return Err(self.unclear(&servers)),
        };
        if former.is_none()
            && let Some(project) = self.other_project(&servers[chosen])
        {
            let why = format!("the server of the project in {} does not run", project.display());
            return Err(no_server(why, &servers));
        }
        Ok(servers.swap_remove(chosen))
    }

    /// The server in whose project a folder is: if projects lie within each other, the innermost.
    fn verdict(&self, place: &Path, servers: &[Description]) -> Verdict {
        let depths = servers.iter().enumerate().filter_map(|(n, server)| Some((server.depth_of(place, self.namespace.as_deref())?, n)));
        let depths: Vec<_> = depths.collect();
        let Some((deepest, server)) = depths.iter().max().copied() else { return Verdict::Nothing };
        match depths.iter().filter(|(depth, _)| *depth == deepest).count() {
            1 => Verdict::One(server),
            _ => Verdict::Several,
        }
    }

    /// The folder of another project that this script belongs to: the first one upwards with a Caddyfile, if the server has nothing to do
    /// with it. Nobody knows that of the paths of another container.
    fn other_project<'a>(&'a self, server: &Description) -> Option<&'a Path> {
        if server.namespace != self.namespace {
            return None;
        }
        let project = |place: &'a Path| place.ancestors().find(|folder| folder.join("Caddyfile").is_file());
        self.places().filter_map(project).find(|folder| !server.touches(folder))
    }

    fn unclear(&self, servers: &[Description]) -> RemoteError {
        let here = self.script.as_deref().or(self.directory.as_deref()).unwrap_or(Path::new("an unknown folder"));
        let text = format!(
            "{} servers run, and it is not certain which of them {} belongs to{}\nRun the script in the folder of its project, or choose the \
             server by its control socket: {VARIABLE}=PATH, or the option --socket of `frankenphp websocket`",
            servers.len(),
            here.display(),
            list(servers)
        );
        RemoteError { failure: RemoteFailure::Ambiguous, text }
    }
}

fn no_server(why: String, others: &[Description]) -> RemoteError {
    let text = match others {
        [] => why,
        _ => format!(
            "{why}. Others do{}\nIf one of them is meant, choose it by its control socket: {VARIABLE}=PATH, or --socket",
            list(others)
        ),
    };
    RemoteError { failure: RemoteFailure::NoServer, text }
}

/// The servers, one a line.
fn list(servers: &[Description]) -> String {
    let mut list = String::from(":");
    for server in servers.iter().take(LISTED) {
        list.push_str("\n  ");
        list.push_str(&server.to_string());
    }
    if servers.len() > LISTED {
        list.push_str(&format!("\n  and {} more", servers.len() - LISTED));
    }
    list
}

#[cfg(test)]
mod tests {
    use super::super::description::Project;
    use super::super::test_folder::Folder;
    use super::*;
    use std::fs;

    struct Machine {
        base: Folder,
    }

    impl Machine {
        fn new() -> Machine {
            Machine { base: Folder::new("choose") }
        }

        fn folder(&self, path: &str) -> PathBuf {
            let folder = self.base.path.join(path);
            fs::create_dir_all(&folder).expect("a folder");
            folder
        }

        /// A server that was started in a folder, with the Caddyfile there.
        fn server(&self, path: &str) -> Description {
            let folder = self.folder(path);
            let config = folder.join("Caddyfile");
            fs::write(&config, "").expect("a file");
            let mut server = Description::own(&Project { directory: Some(folder), config: Some(config), scripts: Vec::new() });
            server.socket = Some(self.base.path.join(format!("{}.sock", path.replace('/', "-"))));
            server
        }

        fn origin(&self, script: Option<&str>, directory: &str) -> Origin {
            let script = script.map(|path| self.folder(path));
            Origin { script, directory: Some(self.folder(directory)), namespace: namespace() }
        }
    }

    #[test]
    fn the_server_of_the_project_is_taken_and_nobody_guesses() {
        let machine = Machine::new();
        let (a, b, inner) = (machine.server("a"), machine.server("b"), machine.server("a/inner"));
        let all = vec![a.clone(), b.clone(), inner.clone()];
        let choose = |script, directory| machine.origin(script, directory).choose(all.clone(), None);
        assert_eq!(choose(None, "b"), Ok(b.clone()));
        assert_eq!(choose(None, "b/bin/deep"), Ok(b.clone()));
        assert_eq!(choose(Some("a/bin"), "elsewhere"), Ok(a.clone()), "a script of cron");
        assert_eq!(choose(Some("tools"), "a"), Ok(a.clone()), "a tool that is run in the project");
        assert_eq!(choose(None, "a/inner/bin"), Ok(inner.clone()), "the innermost");
        assert_eq!(choose(None, "a/innermost"), Ok(a.clone()), "only begins with the same letters");
        for (script, directory) in [(None, "elsewhere"), (Some("a/bin"), "b"), (Some("tools"), "elsewhere")] {
            let why = choose(script, directory).expect_err("nobody can know");
            assert_eq!(why.failure, RemoteFailure::Ambiguous);
            for said in ["3 servers run", "started in ", "/b/Caddyfile", "a-inner.sock", VARIABLE, "--socket"] {
                assert!(why.text.contains(said), "{said} is not in {why}");
            }
        }
    }

    #[test]
    fn two_servers_of_one_project_are_not_told_apart() {
        let machine = Machine::new();
        let (a, mut test) = (machine.server("a"), machine.server("a"));
        test.pid += 1;
        let why = machine.origin(None, "a").choose(vec![a, test], None).expect_err("which?");
        assert_eq!(why.failure, RemoteFailure::Ambiguous);
    }

    #[test]
    fn the_only_server_is_taken_unless_the_script_is_of_another_project() {
        let machine = Machine::new();
        let a = machine.server("a");
        let choose = |script, directory| machine.origin(script, directory).choose(vec![a.clone()], None);
        assert_eq!(choose(None, "elsewhere"), Ok(a.clone()));
        assert_eq!(choose(Some("scripts"), "elsewhere"), Ok(a.clone()));

        // b has a Caddyfile, and its server does not run.
        machine.server("b");
        machine.server("a/vendor/c");
        for (script, directory) in [(None, "b"), (Some("b/bin"), "elsewhere"), (Some("tools"), "b")] {
            let why = choose(script, directory).expect_err("b is not a");
            assert_eq!(why.failure, RemoteFailure::NoServer);
            assert!(why.text.contains("/b does not run") && why.text.contains("a.sock"), "{why}");
        }
        assert_eq!(choose(None, "a/vendor/c"), Ok(a.clone()), "within the project");

        let mut elsewhere = a.clone();
        elsewhere.namespace = Some("mnt:[1]".into());
        let chosen = machine.origin(None, "b").choose(vec![elsewhere.clone()], None);
        assert_eq!(chosen, Ok(elsewhere), "what b is there is unknown");
    }

    #[test]
    fn who_has_talked_to_a_server_talks_to_no_other_afterwards() {
        let machine = Machine::new();
        let (a, b) = (machine.server("a"), machine.server("b"));
        let origin = machine.origin(None, "elsewhere");
        let why = origin.choose(vec![b.clone()], Some(&a)).expect_err("b is not a");
        assert_eq!(why.failure, RemoteFailure::NoServer);
        assert!(why.text.contains("has ended") && why.text.contains("b.sock"), "{why}");
        let why = origin.choose(Vec::new(), Some(&a)).expect_err("nobody is there");
        assert!(!why.text.contains("--socket"), "{why}");

        let mut again = machine.server("a");
        again.pid += 1;
        assert_eq!(origin.choose(vec![b, again.clone()], Some(&a)), Ok(again));
    }

    #[test]
    fn a_deploy_that_moves_the_symbolic_link_of_the_project_is_still_the_project() {
        let machine = Machine::new();
        let link = machine.folder("app").join("current");
        std::os::unix::fs::symlink(machine.folder("app/releases/1"), &link).expect("a link");
        fs::write(link.join("Caddyfile"), "").expect("a file");
        let project =
            Project { directory: Some(machine.folder("app/releases/1")), config: Some(link.join("Caddyfile")), scripts: Vec::new() };
        let (app, b) = (Description::own(&project), machine.server("b"));
        fs::remove_file(&link).expect("the link");
        std::os::unix::fs::symlink(machine.folder("app/releases/2"), &link).expect("a link");
        let chosen = machine.origin(Some("app/releases/2/bin"), "elsewhere").choose(vec![app.clone(), b], None);
        assert_eq!(chosen, Ok(app));
    }
}
