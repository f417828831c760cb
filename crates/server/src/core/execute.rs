//! Carrying out commands.

use std::sync::Arc;

use fws_hub::{Client, Command, CommandError, PING_INTERVALS, Pinging, Reply, Target, TimerError};
use fws_wire::close;

use super::{Core, Post};

impl Core {
    /// Carries out a command. See [`Command`] for what each answers.
    pub fn execute(&self, command: &Command<'_>) -> Result<Reply, CommandError> {
        match command {
            Command::Rename { id, new } => {
                let new: Arc<str> = (*new).into();
                let mut hub = self.hub.write();
                if self.claims.contains(&new) {
                    return Ok(Reply::Flag(false));
                }
                let renamed = hub.rename(id, new.clone())?;
                if let Some(conn) = renamed {
                    conn.set_id(new);
                }
                return Ok(Reply::Flag(renamed.is_some()));
            }
            Command::Routes => {
                let mut names: Vec<Arc<str>> = self.routes.read().current.keys().cloned().collect();
                names.sort_unstable();
                return Ok(Reply::Names(names));
            }
            Command::Client { id } => {
                let hub = self.hub.read();
                let Some((conn, tags, connected)) = hub.client(id) else { return Ok(Reply::Gone) };
                let mut tags = tags.to_vec();
                tags.sort_unstable();
                return Ok(Reply::Client(Box::new(Client { connected, tags, ..conn.describe() })));
            }
            Command::PingTime { id } => {
                let hub = self.hub.read();
                let Some((conn, ..)) = hub.client(id) else { return Ok(Reply::Gone) };
                return Ok(Reply::Integer(conn.traffic.ping_time().map_or(0, |took| i64::try_from(took).unwrap_or(i64::MAX))));
            }
            Command::Ping { how: Pinging::Every(interval), .. } if !PING_INTERVALS.contains(interval) => {
                return Err(CommandError::PingInterval);
            }
            // Timers that have fired are events: their own bound does not count them any more.
            Command::SetTimer { .. } if self.dispatch.is_overloaded() => return Err(TimerError::Overloaded.into()),
            Command::SetTimer { .. } | Command::ClearTimer { .. } => {
                return self.timers.execute(command, |worker| self.dispatch.worker(worker).is_some(), || self.shards[0].wake());
            }
            Command::Close { code, .. } if !close::is_sendable(*code) => return Err(CommandError::InvalidCloseCode),
            Command::Close { reason, .. } if reason.len() > close::MAX_REASON => return Err(CommandError::ReasonTooLong),
            Command::Close { id, code, reason } => return Ok(Reply::Flag(self.close_client(id, *code, reason))),
            Command::Kill { id } => return Ok(Reply::Flag(self.kill_client(id))),
            Command::Stats => return Ok(Reply::Stats(self.stats().to_string().into())),
            _ if command.is_change() => return self.hub.write().change(command),
            _ if command.is_about_values() => return self.values.execute(command, || self.shards[0].wake()),
            Command::Send { binary: false, data, .. } if std::str::from_utf8(data).is_err() => return Err(CommandError::InvalidUtf8),
            _ => {}
        }
        let mut post = Post::new(self, command);
        let reply = self.hub.read().ask(command, &mut post);
        post.finish(reply)
    }

    /// How many connections are live.
    pub fn connections(&self) -> u64 {
        match self.execute(&Command::Count { of: Target::All, route: None }) {
            Ok(Reply::Count(count)) => count,
            _ => 0,
        }
    }

    /// The ids of all live connections.
    pub fn ids(&self) -> Vec<Arc<str>> {
        match self.execute(&Command::List { of: Target::All, route: None }) {
            Ok(Reply::Names(names)) => names,
            _ => Vec::new(),
        }
    }
}
