//! Where control sockets are. Server and client follow the same rule, so that they meet without being told.
//!
//! There are several folders for them. A server uses the first that it can use; a client looks into all: a script of cron has not the
//! variables of a login.

use std::ffi::OsString;
use std::fmt;
use std::fs::{self, DirBuilder};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use nix::unistd::geteuid;

use super::description::Description;

/// The variable that names a socket, or a folder of sockets.
pub const VARIABLE: &str = "FRANKENPHP_WS_SOCKET";
/// What a folder of ours is called inside one of the system or of the user.
const FOLDER: &str = "frankenphp-ws";

/// The path of a control socket, and the reason why it is this one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// The socket.
    pub path: PathBuf,
    /// How it was found.
    pub why: Why,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// The configuration names it.
    Configured,
    /// The environment variable names it.
    Variable,
    /// Its server has described itself so.
    Described(Box<Description>),
}

/// The reason, as the end of a sentence.
impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.why {
            Why::Configured => f.write_str("which the option control names"),
            Why::Variable => write!(f, "which {VARIABLE} names"),
            Why::Described(server) => write!(f, "which is that of this server: {server}"),
        }
    }
}

/// A folder in which servers have their control sockets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder {
    pub path: PathBuf,
    pub kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The environment variable names it.
    Named,
    /// The system's: /run/frankenphp-ws.
    System,
    /// This user's own.
    Private,
}

/// What the rule looks at.
#[derive(Debug, Clone)]
pub struct Surroundings {
    variable: Option<OsString>,
    system: PathBuf,
    session: Option<OsString>,
    sessions: PathBuf,
    temporary: PathBuf,
    user: u32,
}

impl Surroundings {
    /// Of this process.
    pub fn own() -> Surroundings {
        Surroundings {
            variable: std::env::var_os(VARIABLE).filter(|value| !value.is_empty()),
            system: Path::new("/run").join(FOLDER),
            session: std::env::var_os("XDG_RUNTIME_DIR"),
            sessions: "/run/user".into(),
            temporary: "/tmp".into(),
            user: geteuid().as_raw(),
        }
    }

    /// The socket that the variable names, if it names one.
    pub fn socket(&self) -> Option<Location> {
        let path = self.variable.as_ref().filter(|_| self.named_folder().is_none())?;
        Some(Location { path: path.into(), why: Why::Variable })
    }

    /// The folder that the variable names: one that is there, or one that ends with a slash.
    fn named_folder(&self) -> Option<Folder> {
        let path = self.variable.as_ref()?;
        (path.as_bytes().ends_with(b"/") || Path::new(path).is_dir()).then(|| Folder { path: path.into(), kind: Kind::Named })
    }

    /// The folders for sockets, the best first: only that which FRANKENPHP_WS_SOCKET names; else /run/frankenphp-ws, if it is there;
    /// frankenphp-ws in $XDG_RUNTIME_DIR, or in /run/user/UID where that is not set, if it is a folder of this user;
    /// /tmp/frankenphp-ws-UID.
    pub fn folders(&self) -> Vec<Folder> {
        if let Some(named) = self.named_folder() {
            return vec![named];
        }
        let private = |path: PathBuf| Folder { path, kind: Kind::Private };
        let mut folders = Vec::new();
        if fs::symlink_metadata(&self.system).is_ok() {
            folders.push(Folder { path: self.system.clone(), kind: Kind::System });
        }
        let session = self.session.as_ref().filter(|path| !path.is_empty());
        let session = session.map_or_else(|| self.sessions.join(self.user.to_string()), PathBuf::from);
        // After `su` the variable still names the folder of another user.
        if session.is_absolute() && fs::metadata(&session).is_ok_and(|found| found.is_dir() && found.uid() == self.user) {
            folders.push(private(session.join(FOLDER)));
        }
        folders.push(private(self.temporary.join(format!("{FOLDER}-{}", self.user))));
        folders
    }
}

impl Folder {
    /// Makes the folder, if it is ours to make and not there.
    pub fn make(&self) -> Result<(), String> {
        if self.kind == Kind::System {
            return Ok(());
        }
        match DirBuilder::new().mode(0o700).create(&self.path) {
            Err(why) if why.kind() != std::io::ErrorKind::AlreadyExists => Err(format!("{}: {why}", self.path.display())),
            _ => Ok(()),
        }
    }

    /// Checks that nobody else can have put something into the folder; false: there is none. What somebody has named is trusted.
    pub fn check(&self) -> Result<bool, String> {
        let private = match self.kind {
            Kind::Named => return Ok(self.path.is_dir()),
            Kind::System => false,
            Kind::Private => true,
        };
        // Of the folder itself, not of what a symbolic link points to: in /tmp anyone may have made one.
        let Ok(found) = fs::symlink_metadata(&self.path) else { return Ok(false) };
        let user = geteuid().as_raw();
        let wrong = if !found.is_dir() {
            "it is not a folder".to_owned()
        } else if private && found.uid() != user {
            format!("it belongs to user {}, and this process is user {user}", found.uid())
        } else if private && found.mode() & 0o077 != 0 {
            format!("others may use it: its mode is {:04o} and must be 0700", found.mode() & 0o7777)
        } else if found.mode() & 0o002 != 0 {
            format!("anyone may write to it: its mode is {:04o}", found.mode() & 0o7777)
        } else {
            return Ok(true);
        };
        Err(format!("{} is not trusted: {wrong}", self.path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::test_folder;
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("chmod");
    }

    fn surroundings(base: &Path) -> Surroundings {
        Surroundings {
            variable: None,
            system: base.join("system"),
            session: None,
            sessions: base.join("sessions"),
            temporary: base.into(),
            user: geteuid().as_raw(),
        }
    }

    #[test]
    fn a_client_knows_every_folder_that_a_server_may_use() {
        let base = test_folder::Folder::new("location");
        let base = &base.path;
        let mut here = surroundings(base);
        let folder = |path: PathBuf, kind| Folder { path, kind };
        let temporary = folder(base.join(format!("frankenphp-ws-{}", here.user)), Kind::Private);
        assert_eq!(here.folders(), std::slice::from_ref(&temporary));

        here.session = Some(base.join("session").into());
        assert_eq!(here.folders(), std::slice::from_ref(&temporary), "no such folder");
        fs::create_dir(base.join("session")).expect("a folder");
        let session = folder(base.join("session/frankenphp-ws"), Kind::Private);
        assert_eq!(here.folders(), [session.clone(), temporary.clone()]);
        here.session = Some("session".into());
        assert_eq!(here.folders(), std::slice::from_ref(&temporary), "a relative path");

        // Without the variable, as in cron: the folder of a login is found all the same.
        here.session = None;
        let login = base.join("sessions").join(here.user.to_string());
        fs::create_dir_all(&login).expect("a folder");
        assert_eq!(here.folders(), [folder(login.join("frankenphp-ws"), Kind::Private), temporary.clone()]);

        fs::create_dir(base.join("system")).expect("a folder");
        here.session = Some(base.join("session").into());
        assert_eq!(here.folders(), [folder(base.join("system"), Kind::System), session, temporary.clone()]);
        here.user += 1;
        assert_eq!(here.folders().len(), 2, "the folder of another user's login");
    }

    #[test]
    fn the_variable_names_a_socket_or_a_folder() {
        let base = test_folder::Folder::new("location");
        let mut here = surroundings(&base.path);
        assert_eq!(here.socket(), None);
        here.variable = Some("/x/y".into());
        assert_eq!(here.socket(), Some(Location { path: "/x/y".into(), why: Why::Variable }));
        assert_eq!(here.folders().len(), 1, "where the server is described");
        for path in [base.path.clone(), base.path.join("not there yet/")] {
            here.variable = Some(path.clone().into());
            assert_eq!((here.socket(), here.folders()), (None, vec![Folder { path, kind: Kind::Named }]));
        }
    }

    #[test]
    fn a_folder_that_others_can_use_or_that_is_a_link_is_not_trusted() {
        let base = test_folder::Folder::new("location");
        let path = base.path.join("ours");
        let folder = Folder { path: path.clone(), kind: Kind::Private };
        assert_eq!(folder.check(), Ok(false), "there is nothing to be trusted");
        assert_eq!((folder.make(), folder.make(), folder.check()), (Ok(()), Ok(()), Ok(true)));
        assert_eq!(fs::metadata(&path).expect("made").mode() & 0o777, 0o700);
        for open in [0o770, 0o707, 0o701] {
            mode(&path, open);
            let why = folder.check().expect_err("not private");
            assert!(why.contains("not trusted") && why.contains(&format!("{open:04o}")), "{why}");
        }
        let link = base.path.join("link");
        mode(&path, 0o700);
        symlink(&path, &link).expect("a link");
        let why = Folder { path: link, kind: Kind::Private }.check().expect_err("a link");
        assert!(why.contains("not a folder"), "{why}");
        if geteuid().is_root() {
            std::os::unix::fs::chown(&path, Some(65534), None).expect("chown");
            let why = folder.check().expect_err("of another user");
            assert!(why.contains("belongs to user 65534"), "{why}");
        }
    }

    #[test]
    fn the_folder_of_the_system_may_be_anyones_but_not_writable_by_all() {
        let base = test_folder::Folder::new("location");
        let folder = Folder { path: base.path.clone(), kind: Kind::System };
        mode(&base.path, 0o755);
        assert_eq!(folder.check(), Ok(true));
        mode(&base.path, 0o777);
        assert!(folder.check().expect_err("anyone's").contains("anyone may write"));
    }
}
