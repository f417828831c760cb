//! Who is at the other end of the control socket. The mode of the socket keeps others out; this holds even where that was changed, or the
//! socket stands in a folder in which others can do more than they should.

use std::io;
use std::os::fd::AsFd;

use nix::unistd::geteuid;
use tokio::net::UnixStream;

use super::place::Access;
use crate::os::peer_groups;

/// Who may give commands: the server's own user, root, and those that the mode and the group of the socket let in.
#[derive(Debug, Clone, Copy)]
pub struct Guard {
    user: u32,
    everyone: bool,
    group: Option<u32>,
}

/// Who somebody is.
#[derive(Debug, Clone, Copy)]
struct Peer {
    user: u32,
    group: u32,
    pid: Option<i32>,
}

impl Guard {
    /// `group` is that of the socket's file.
    pub fn new(access: Access, group: u32) -> Guard {
        let (everyone, members) = (access.mode & 0o002 != 0, access.mode & 0o020 != 0);
        Guard { user: geteuid().as_raw(), everyone, group: members.then_some(group) }
    }

    /// Lets a client in, or says why not, in a sentence for the log and one for the client.
    pub fn examine(&self, stream: &UnixStream) -> Result<(), String> {
        let peer = stream.peer_cred().map_err(|why| format!("it is not known who it is ({why})"))?;
        let peer = Peer { user: peer.uid(), group: peer.gid(), pid: peer.pid() };
        self.admit(peer, || peer_groups(stream.as_fd()))
    }

    fn admit(&self, peer: Peer, groups: impl FnOnce() -> io::Result<Vec<u32>>) -> Result<(), String> {
        if self.everyone || peer.user == self.user || peer.user == 0 || self.group == Some(peer.group) {
            return Ok(());
        }
        if let Some(group) = self.group
            && groups().is_ok_and(|groups| groups.contains(&group))
        {
            return Ok(());
        }
        let others = self.group.map_or(String::new(), |group| format!(", and for members of group {group}"));
        let pid = peer.pid.map_or(String::new(), |pid| format!(" (pid {pid})"));
        let Peer { user, group, .. } = peer;
        Err(format!(
            "it runs as user {user} and group {group}{pid}, and this control socket is for user {}{others}. The server's option control can \
             give it a mode and a group",
            self.user
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_servers_user_root_and_whom_the_operator_has_named_are_let_in() {
        let guard = |mode, group: Option<u32>| Guard { user: 1000, ..Guard::new(Access { mode, group }, group.unwrap_or(7)) };
        let admitted =
            |guard: Guard, user, group, groups: &[u32]| guard.admit(Peer { user, group, pid: Some(1) }, || Ok(groups.to_vec())).is_ok();
        for (mode, group) in [(0o600, None), (0o660, Some(33)), (0o666, None)] {
            assert!(admitted(guard(mode, group), 1000, 5, &[]) && admitted(guard(mode, group), 0, 0, &[]));
        }
        assert!(!admitted(guard(0o600, None), 33, 7, &[7]), "its mode is not for the group");
        assert!(!admitted(guard(0o600, Some(33)), 5, 33, &[33]), "its mode is not for the group");
        assert!(admitted(guard(0o660, Some(33)), 5, 33, &[]));
        assert!(admitted(guard(0o660, Some(33)), 5, 5, &[1, 33]));
        assert!(!admitted(guard(0o660, Some(33)), 33, 5, &[1, 34]), "a user of the group's number is no member");
        assert!(admitted(guard(0o660, None), 5, 7, &[]), "the group that the file has");
        assert!(admitted(guard(0o666, None), 5, 5, &[]));

        let why = guard(0o660, Some(33)).admit(Peer { user: 5, group: 6, pid: Some(77) }, || Err(io::ErrorKind::Other.into()));
        let why = why.expect_err("its groups are not known");
        assert!(why.contains("user 5 and group 6 (pid 77)") && why.contains("for user 1000, and for members of group 33"), "{why}");
    }
}
