//! What a server tells about itself, so that a script finds the one of its project.

use std::fmt;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use nix::unistd::{geteuid, gethostname};
use serde::{Deserialize, Serialize};

/// What the host knows of the project that its server belongs to. Paths are absolute.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Project {
    /// The folder in which the server was started.
    pub directory: Option<PathBuf>,
    /// Its configuration file.
    pub config: Option<PathBuf>,
    /// The folders of the scripts that handle events.
    pub scripts: Vec<PathBuf>,
}

/// A server, as it describes itself. What is missing is not known: it may be of another version.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    #[serde(default)]
    pub library: String,
    pub pid: u32,
    #[serde(default)]
    pub user: u32,
    #[serde(default)]
    pub host: String,
    /// When it began to serve commands: seconds since 1970.
    #[serde(default)]
    pub since: u64,
    pub directory: Option<PathBuf>,
    pub config: Option<PathBuf>,
    /// What is inside these folders belongs to its project.
    #[serde(default)]
    pub folders: Vec<ProjectFolder>,
    /// In which the paths above mean something. Absent: the system has only one.
    pub namespace: Option<String>,
    /// The control socket.
    pub socket: Option<PathBuf>,
    /// Why there is none.
    pub without: Option<String>,
}

/// A folder, which is known again where it has another path, and told from another of the same path in another container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProjectFolder {
    pub path: PathBuf,
    pub device: u64,
    pub inode: u64,
}

/// The mount namespace of this process: paths mean the same to all processes of one.
pub fn namespace() -> Option<String> {
    fs::read_link("/proc/self/ns/mnt").ok().map(|link| link.to_string_lossy().into_owned())
}

impl Description {
    /// Of this process.
    pub fn own(project: &Project) -> Description {
        static SINCE: OnceLock<u64> = OnceLock::new();
        let now = || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        Description {
            library: env!("CARGO_PKG_VERSION").into(),
            pid: std::process::id(),
            user: geteuid().as_raw(),
            host: gethostname().unwrap_or_default().to_string_lossy().into_owned(),
            since: *SINCE.get_or_init(now),
            directory: project.directory.clone(),
            config: project.config.clone(),
            folders: folders(project, std::env::var_os("HOME").as_ref().map(Path::new)),
            namespace: namespace(),
            socket: None,
            without: None,
        }
    }

    /// How deep the folder of this project is that `place` is inside of; `None`: it is inside of none. `place` is a real path.
    pub fn depth_of(&self, place: &Path, namespace: Option<&str>) -> Option<usize> {
        let depth = |folder: &ProjectFolder| {
            let real = folder.path.canonicalize().ok()?;
            let same = self.namespace.as_deref() == namespace
                || fs::metadata(&real).is_ok_and(|found| (found.dev(), found.ino()) == (folder.device, folder.inode));
            (same && place.starts_with(&real)).then(|| real.components().count())
        };
        self.folders.iter().filter_map(depth).max()
    }

    /// Whether the project has something to do with a folder: one is inside the other.
    pub fn touches(&self, place: &Path) -> bool {
        let config = self.config.as_deref().and_then(Path::parent);
        let known = self.folders.iter().map(|folder| folder.path.as_path()).chain(config);
        known.filter_map(|path| path.canonicalize().ok()).any(|path| path.starts_with(place) || place.starts_with(&path))
    }

    /// Whether it is the same server, or one that was started again in the same project.
    pub fn is_project_of(&self, other: &Description) -> bool {
        let same_start = self.directory == other.directory && self.config == other.config;
        same_start || self.folders.iter().any(|folder| other.folders.iter().any(|theirs| theirs.path == folder.path))
    }
}

/// The folders of a project. The one in which the server was started says nothing where it is / or above the user's home.
fn folders(project: &Project, home: Option<&Path>) -> Vec<ProjectFolder> {
    let config = project.config.as_deref().and_then(Path::parent);
    let start = project.directory.as_deref().filter(|path| home.is_none_or(|home| !home.starts_with(path)));
    let mut folders: Vec<ProjectFolder> = Vec::new();
    for path in config.into_iter().chain(start).chain(project.scripts.iter().map(PathBuf::as_path)) {
        let Ok(found) = fs::metadata(path) else { continue };
        if path.is_absolute() && path.parent().is_some() && !folders.iter().any(|folder| folder.path == path) {
            folders.push(ProjectFolder { path: path.into(), device: found.dev(), inode: found.ino() });
        }
    }
    folders
}

/// As an entry of a list of servers.
impl fmt::Display for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pid {}", self.pid)?;
        if !gethostname().is_ok_and(|host| host.to_string_lossy() == self.host) {
            write!(f, " on the host {}", self.host)?;
        }
        if let Some(directory) = &self.directory {
            write!(f, ", started in {}", directory.display())?;
        }
        match &self.config {
            Some(config) => write!(f, " with {}", config.display())?,
            None => f.write_str(" without a Caddyfile")?,
        }
        let since = SystemTime::UNIX_EPOCH + Duration::from_secs(self.since);
        write!(f, ", {} ago", span(SystemTime::now().duration_since(since).unwrap_or_default()))?;
        match (&self.socket, &self.without) {
            (Some(socket), _) => write!(f, ", control socket {}", socket.display()),
            (None, Some(why)) => write!(f, ", which has no control socket: {why}"),
            (None, None) => f.write_str(", which has no control socket"),
        }
    }
}

/// A time in its two largest units.
fn span(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{} h {} min", seconds / 3_600, seconds % 3_600 / 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3_600),
    }
}

#[cfg(test)]
mod tests {
    use super::super::test_folder::Folder;
    use super::*;

    #[test]
    fn what_is_above_the_home_or_the_root_is_no_project() {
        let base = Folder::new("description");
        let (home, app) = (base.path.join("home"), base.path.join("home/app"));
        fs::create_dir_all(&app).expect("folders");
        let of = |directory: &Path, config: Option<&Path>| -> Vec<PathBuf> {
            let project = Project { directory: Some(directory.into()), config: config.map(Into::into), scripts: Vec::new() };
            folders(&project, Some(&home)).into_iter().map(|folder| folder.path).collect()
        };
        for above in ["/".as_ref(), base.path.as_path(), home.as_path()] {
            assert_eq!(of(above, None), Vec::<PathBuf>::new());
        }
        assert_eq!(of(&app, None), std::slice::from_ref(&app));
        assert_eq!(
            of(Path::new("/"), Some(&home.join("Caddyfile"))),
            std::slice::from_ref(&home),
            "a Caddyfile in the home is a project there"
        );
        assert_eq!(of(&base.path.join("gone"), Some(&app.join("Caddyfile"))), std::slice::from_ref(&app));
        assert_eq!(of(&app, Some(&app.join("Caddyfile"))), std::slice::from_ref(&app));
    }

    #[test]
    fn a_folder_of_another_container_counts_only_if_it_is_the_very_same() {
        let base = Folder::new("description");
        let app = base.path.join("app");
        fs::create_dir_all(app.join("bin")).expect("folders");
        let project = Project { directory: Some(app.clone()), ..Project::default() };
        let mut description = Description::own(&project);
        let depth = app.canonicalize().expect("there").components().count();
        let place = app.join("bin").canonicalize().expect("there");
        assert_eq!(description.depth_of(&place, namespace().as_deref()), Some(depth));
        description.namespace = Some("mnt:[1]".into());
        assert_eq!(description.depth_of(&place, namespace().as_deref()), Some(depth), "mounted into both");
        description.folders[0].inode += 1;
        assert_eq!(description.depth_of(&place, namespace().as_deref()), None, "another one of the same path");
        assert_eq!(description.depth_of(&base.path, Some("mnt:[1]")), None, "outside");
    }

    #[test]
    fn a_description_says_where_since_when_and_by_which_socket() {
        let mut description = Description::own(&Project::default());
        description.pid = 4711;
        description.directory = Some("/srv/a".into());
        description.config = Some("/srv/a/Caddyfile".into());
        description.socket = Some("/x.sock".into());
        let text = description.to_string();
        assert!(text.starts_with("pid 4711, started in /srv/a with /srv/a/Caddyfile, "), "{text}");
        assert!(text.ends_with(" ago, control socket /x.sock"), "{text}");
        (description.host, description.socket, description.without) = ("elsewhere".into(), None, Some("control off".into()));
        let text = description.to_string();
        assert!(text.contains("on the host elsewhere") && text.ends_with("no control socket: control off"), "{text}");
        assert_eq!([59, 61, 3_660, 90_000].map(|s| span(Duration::from_secs(s))), ["59 s", "1 min 1 s", "1 h 1 min", "1 d 1 h"]);
    }
}
