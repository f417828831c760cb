//! Where the control socket is. Server and client follow the same rule, so that they meet without being told.

use std::ffi::OsString;
use std::fmt;
use std::fs::{self, DirBuilder};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use nix::unistd::geteuid;

/// The variable that names the socket.
const VARIABLE: &str = "FRANKENPHP_WS_SOCKET";
const SOCKET: &str = "ctl.sock";

/// The path of a control socket, and the reason why it is this one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// The socket.
    pub path: PathBuf,
    why: Why,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Why {
    /// The configuration names it.
    Configured,
    /// The environment variable names it.
    Variable,
    /// The folder of the system is there.
    System,
    /// The folder of the user's session is there.
    Session,
    /// None of these.
    Temporary,
}

/// What the rule looks at.
struct Surroundings<'a> {
    variable: Option<OsString>,
    system: &'a Path,
    session: Option<OsString>,
    temporary: &'a Path,
    user: u32,
}

impl Location {
    /// The place that both sides know, the first of: what FRANKENPHP_WS_SOCKET names; /run/frankenphp-ws, if it is there;
    /// $XDG_RUNTIME_DIR/frankenphp-ws, if the variable names a folder of this user; /tmp/frankenphp-ws-UID.
    pub fn find() -> Location {
        Location::within(&Surroundings {
            variable: std::env::var_os(VARIABLE),
            system: Path::new("/run/frankenphp-ws"),
            session: std::env::var_os("XDG_RUNTIME_DIR"),
            temporary: Path::new("/tmp"),
            user: geteuid().as_raw(),
        })
    }

    /// The place that a configuration names.
    pub fn configured(path: &Path) -> Location {
        Location { path: path.into(), why: Why::Configured }
    }

    fn within(surroundings: &Surroundings<'_>) -> Location {
        if let Some(path) = surroundings.variable.as_ref().filter(|path| !path.is_empty()) {
            return Location { path: path.into(), why: Why::Variable };
        }
        if fs::symlink_metadata(surroundings.system).is_ok() {
            return Location { path: surroundings.system.join(SOCKET), why: Why::System };
        }
        // After `su` the variable still names the folder of another user.
        let session = surroundings.session.as_ref().map(Path::new).filter(|folder| {
            folder.is_absolute() && fs::metadata(folder).is_ok_and(|folder| folder.is_dir() && folder.uid() == surroundings.user)
        });
        if let Some(folder) = session {
            return Location { path: folder.join("frankenphp-ws").join(SOCKET), why: Why::Session };
        }
        let folder = surroundings.temporary.join(format!("frankenphp-ws-{}", surroundings.user));
        Location { path: folder.join(SOCKET), why: Why::Temporary }
    }

    /// Checks that nobody else can have put something in the place of the socket. `create`: makes the folder if it is ours to make.
    /// What somebody has named is trusted.
    pub(super) fn check(&self, create: bool) -> Result<(), String> {
        let Some(folder) = self.path.parent() else { return Ok(()) };
        let private = match self.why {
            Why::Configured | Why::Variable => return Ok(()),
            Why::System => false,
            Why::Session | Why::Temporary => true,
        };
        if private && create {
            match DirBuilder::new().mode(0o700).create(folder) {
                Err(why) if why.kind() != std::io::ErrorKind::AlreadyExists => return Err(format!("{}: {why}", folder.display())),
                _ => {}
            }
        }
        // Of the folder itself, not of what a symbolic link points to: in /tmp anyone may have made one.
        let found = match fs::symlink_metadata(folder) {
            Ok(found) => found,
            Err(_) if !create => return Ok(()), // then there is no socket either, which is the better message
            Err(why) => return Err(format!("{}: {why}", folder.display())),
        };
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
            return Ok(());
        };
        Err(format!("{} is not trusted: {wrong}", folder.display()))
    }
}

/// The reason, as the end of a sentence.
impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.why {
            Why::Configured => f.write_str("which the option control names"),
            Why::Variable => write!(f, "which {VARIABLE} names"),
            Why::System => write!(f, "which is the place because /run/frankenphp-ws exists; {VARIABLE} can name another"),
            Why::Session => write!(f, "which is the place because XDG_RUNTIME_DIR is set; {VARIABLE} can name another"),
            Why::Temporary => write!(
                f,
                "which is the place because neither {VARIABLE} nor a usable XDG_RUNTIME_DIR is set and /run/frankenphp-ws does not exist"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    struct Folder(PathBuf);

    impl Folder {
        fn new() -> Folder {
            let mut name = [0; 8];
            getrandom::fill(&mut name).expect("random bytes");
            let path = std::env::temp_dir().join(format!("fws-location-{}", u64::from_ne_bytes(name)));
            fs::create_dir(&path).expect("a folder");
            Folder(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("chmod");
    }

    #[test]
    fn the_first_place_that_is_there_is_it() {
        let base = Folder::new();
        let (system, session) = (base.0.join("system"), base.0.join("session"));
        let user = geteuid().as_raw();
        let find = |variable: Option<&str>, session: Option<&Path>, user| {
            Location::within(&Surroundings {
                variable: variable.map(OsString::from),
                system: &system,
                session: session.map(OsString::from),
                temporary: &base.0,
                user,
            })
        };
        let temporary = Location { path: base.0.join(format!("frankenphp-ws-{user}/ctl.sock")), why: Why::Temporary };
        assert_eq!(find(None, None, user), temporary);
        assert_eq!(find(Some(""), Some(&session), user), temporary, "no such folder");
        fs::create_dir(&session).expect("a folder");
        let found = find(None, Some(&session), user);
        assert_eq!(found, Location { path: session.join("frankenphp-ws/ctl.sock"), why: Why::Session });
        assert_eq!(find(None, Some(&session), user + 1).why, Why::Temporary, "the folder of another user");
        assert_eq!(find(None, Some(Path::new("session")), user), temporary, "a relative path");
        fs::create_dir(&system).expect("a folder");
        assert_eq!(find(None, Some(&session), user), Location { path: system.join("ctl.sock"), why: Why::System });
        assert_eq!(find(Some("/x/y"), Some(&session), user), Location { path: "/x/y".into(), why: Why::Variable });
    }

    #[test]
    fn a_folder_that_others_can_use_or_that_is_a_link_is_not_trusted() {
        let base = Folder::new();
        let folder = base.0.join("ours");
        let location = Location { path: folder.join(SOCKET), why: Why::Temporary };
        assert_eq!(location.check(false), Ok(()), "there is nothing to be trusted");
        assert_eq!(location.check(true), Ok(()));
        assert_eq!(fs::metadata(&folder).expect("made").mode() & 0o777, 0o700);
        for open in [0o770, 0o707, 0o701] {
            mode(&folder, open);
            let why = location.check(false).expect_err("not private");
            assert!(why.contains("not trusted") && why.contains(&format!("{open:04o}")), "{why}");
        }
        let link = base.0.join("link");
        mode(&folder, 0o700);
        symlink(&folder, &link).expect("a link");
        let why = Location { path: link.join(SOCKET), why: Why::Temporary }.check(true).expect_err("a link");
        assert!(why.contains("not a folder"), "{why}");
        if geteuid().is_root() {
            std::os::unix::fs::chown(&folder, Some(65534), None).expect("chown");
            let why = location.check(true).expect_err("of another user");
            assert!(why.contains("belongs to user 65534"), "{why}");
        }
    }

    #[test]
    fn the_folder_of_the_system_may_be_anyones_but_not_writable_by_all() {
        let base = Folder::new();
        let location = Location { path: base.0.join(SOCKET), why: Why::System };
        mode(&base.0, 0o755);
        assert_eq!(location.check(false), Ok(()));
        mode(&base.0, 0o777);
        assert!(location.check(false).expect_err("anyone's").contains("anyone may write"));
    }
}
