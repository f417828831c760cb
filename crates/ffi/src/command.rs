//! Commands as C writes them: one struct, whose `kind` says which of its fields are read.

mod kind;

use std::sync::atomic::AtomicBool;

use fws_hub::command::{
    Add, AllInformation, ClearHistory, ClearInformation, ClearTags, ClearTimer, Close, Count, Delete, DeleteInformation, Describe,
    DisconnectUser, Expiry, Get, GetInformation, InChannel, Increment, Kill, List, Ping, PingTime, Presence, Publish, ReadHistory, Rename,
    SearchInformation, SendTo, Set, SetInformation, SetTimer, SetUser, Tag, Tags, Untag,
};
use fws_hub::{Blob, Command, Expression, MAX_NAME, Operator, Pinging, Target};
use fws_server::Caller;

use crate::bell::fws_bell;
use crate::bytes::{fws_bytes, input, optional, text};
use crate::failure::Failure;
use crate::owned::Owned;
use crate::reply::fws_reply;
use crate::result::fws_result::{self, *};
use crate::result::guard;

pub use self::kind::fws_command_kind;
use self::kind::fws_command_kind::*;

/// Target: all clients.
pub const FWS_TO_ALL: u32 = 0;
/// Target: the client of `id`.
pub const FWS_TO_CLIENT: u32 = 1;
/// Target: the clients with `tag`.
pub const FWS_TO_TAG: u32 = 2;
/// Target: the clients whose tags fit `expression`: `!` over `&` over `|`, parentheses, `*` for any characters in a name, quotes around any
/// characters that stand for themselves (see fws_tag_quote).
pub const FWS_TO_EXPRESSION: u32 = 3;
/// Target: the clients of `user`.
pub const FWS_TO_USER: u32 = 4;

/// Interval of FWS_PING: as the client's route says.
pub const FWS_PING_ROUTE: u32 = 0;
/// Interval of FWS_PING: never.
pub const FWS_PING_OFF: u32 = 0xFFFF_FFFF;

/// Answer to FWS_SEND to one client: the message waits in its outbox, or is on its way.
pub const FWS_SENT_QUEUED: i64 = 0;
/// Answer to FWS_SEND to one client: its outbox is full; the message was dropped and counted.
pub const FWS_SENT_DROPPED: i64 = 1;
/// Answer to FWS_SEND to one client: there is no such client, or not on that route.
pub const FWS_SENT_GONE: i64 = 2;

/// Answer to FWS_RENAME: the client has the new id.
pub const FWS_RENAMED_DONE: i64 = 0;
/// Answer to FWS_RENAME: there is no such client.
pub const FWS_RENAMED_GONE: i64 = 1;
/// Answer to FWS_RENAME: another client has the new id, or it is reserved for one.
pub const FWS_RENAMED_TAKEN: i64 = 2;

/// A command. A field that is all zero is left out: in C, `(fws_command){.kind = FWS_ROUTES}` and the fields that the kind reads. Bytes are
/// copied before fws_command_run returns.
#[repr(C)]
pub struct fws_command {
    /// fws_command_kind.
    pub kind: u32,
    /// FWS_TO_….
    pub target: u32,
    /// A binary message rather than a text.
    pub binary: bool,
    /// The timer fires again and again.
    pub repeat: bool,
    /// How values are compared.
    pub op: u32,
    /// Milliseconds between pings, FWS_PING_ROUTE or FWS_PING_OFF.
    pub interval_ms: u32,
    /// A close code.
    pub code: i64,
    /// What is added.
    pub by: i64,
    /// Seconds until a value is gone; 0: never.
    pub expire_seconds: u64,
    /// Milliseconds until a timer fires.
    pub delay_ms: u64,
    /// The number of a timer.
    pub timer: u64,
    /// The most messages.
    pub limit: u32,
    /// A client's id. UTF-8.
    pub id: fws_bytes,
    /// Its id from then on. UTF-8.
    pub new_id: fws_bytes,
    /// A tag. UTF-8.
    pub tag: fws_bytes,
    /// A tag expression. UTF-8.
    pub expression: fws_bytes,
    /// The name of the route that clients are on; left out: of any route. UTF-8.
    pub route: fws_bytes,
    /// The id of a client that is left out. UTF-8.
    pub except_id: fws_bytes,
    /// A message, or what a timer's event has.
    pub data: fws_bytes,
    /// Why a connection is closed. UTF-8.
    pub reason: fws_bytes,
    /// The key of a value. UTF-8 where the value is about a client.
    pub key: fws_bytes,
    /// A value.
    pub value: fws_bytes,
    /// The name of a worker. UTF-8.
    pub worker: fws_bytes,
    /// The name of a timer, or of an event. UTF-8.
    pub name: fws_bytes,
    /// Whose a client is. UTF-8.
    pub user: fws_bytes,
    /// A position of a history. UTF-8. Empty, but not NULL: before the first message.
    pub since: fws_bytes,
    /// The id of an application of the Pusher protocol. UTF-8.
    pub app: fws_bytes,
    /// So many names of channels. Each is UTF-8.
    pub channels: *const fws_bytes,
    /// How many.
    pub channel_count: usize,
    /// The claimed bell whose event's handler gives the command, NULL where none does: for FWS_TIMER_SET, and so that what a handler sends can
    /// wait for what the handler of the bell's next event sends, if that is there already.
    pub bell: *const fws_bell,
    /// A flag that ends the command once somebody has made it true, where it takes long in this process; NULL: nothing ends it. A signal
    /// handler or another thread may do that. It is one byte that is valid until fws_command_run returns.
    pub interrupt: *const bool,
}

/// Reading of fields. Unsafe all over: what C has given is as it has promised, see [`fws_command::read`].
impl fws_command {
    /// A text.
    unsafe fn text<'a>(bytes: fws_bytes, field: &'static str) -> Result<&'a str, Failure> {
        // SAFETY: promised by the caller.
        unsafe { text(bytes.ptr, bytes.len) }.map_err(|code| Failure::Argument(code, field))
    }

    /// A text that may be left out.
    unsafe fn optional<'a>(bytes: fws_bytes, field: &'static str) -> Result<Option<&'a str>, Failure> {
        // SAFETY: promised by the caller.
        unsafe { optional(bytes.ptr, bytes.len) }.map_err(|code| Failure::Argument(code, field))
    }

    /// Any bytes.
    unsafe fn bytes<'a>(bytes: fws_bytes, field: &'static str) -> Result<Blob<'a>, Failure> {
        // SAFETY: promised by the caller.
        unsafe { input(bytes.ptr, bytes.len) }.map(Blob::from).map_err(|code| Failure::Argument(code, field))
    }

    unsafe fn id<'a>(&self) -> Result<&'a str, Failure> {
        // SAFETY: promised by the caller.
        unsafe { Self::text(self.id, "id") }
    }

    unsafe fn tag<'a>(&self) -> Result<&'a str, Failure> {
        // SAFETY: promised by the caller.
        unsafe { Self::text(self.tag, "tag") }
    }

    unsafe fn route<'a>(&self) -> Result<Option<&'a str>, Failure> {
        // SAFETY: promised by the caller.
        unsafe { Self::optional(self.route, "route") }
    }

    unsafe fn user<'a>(&self) -> Result<&'a str, Failure> {
        // SAFETY: promised by the caller.
        unsafe { Self::text(self.user, "user") }
    }

    unsafe fn member<'a>(&self) -> Result<Option<InChannel<'a>>, Failure> {
        // SAFETY: promised by the caller.
        unsafe {
            let Some(user) = Self::optional(self.user, "user")? else { return Ok(None) };
            Ok(Some(InChannel { user, info: self.value()? }))
        }
    }

    unsafe fn since<'a>(&self) -> Result<Option<&'a str>, Failure> {
        // SAFETY: promised by the caller.
        unsafe { Self::optional(self.since, "since") }
    }

    /// The key of a global value.
    unsafe fn key<'a>(&self) -> Result<Blob<'a>, Failure> {
        // SAFETY: promised by the caller.
        unsafe { Self::bytes(self.key, "key") }
    }

    /// The key of stored information.
    unsafe fn text_key<'a>(&self) -> Result<&'a str, Failure> {
        // SAFETY: promised by the caller.
        unsafe { Self::text(self.key, "key") }
    }

    unsafe fn value<'a>(&self) -> Result<Blob<'a>, Failure> {
        // SAFETY: promised by the caller.
        unsafe { Self::bytes(self.value, "value") }
    }

    fn expire(&self) -> Option<u64> {
        (self.expire_seconds > 0).then_some(self.expire_seconds)
    }

    /// A code of more than 16 bits must not become one of those that may be sent.
    fn code(&self) -> Result<u16, Failure> {
        u16::try_from(self.code).map_err(|_| Failure::Argument(FWS_ERR_INVALID_CLOSE_CODE, "code"))
    }

    fn op(&self) -> Result<Operator, Failure> {
        Operator::ALL.get(self.op as usize).copied().ok_or(Failure::Argument(FWS_ERR_OUT_OF_RANGE, "op"))
    }

    fn pinging(&self) -> Pinging {
        match self.interval_ms {
            FWS_PING_ROUTE => Pinging::Route,
            FWS_PING_OFF => Pinging::Off,
            interval => Pinging::Every(interval),
        }
    }

    unsafe fn target<'a>(&self) -> Result<Target<'a>, Failure> {
        // SAFETY: promised by the caller.
        unsafe {
            Ok(match self.target {
                FWS_TO_ALL => Target::All,
                FWS_TO_CLIENT => Target::Client(self.id()?),
                FWS_TO_TAG => Target::Tag(self.tag()?),
                FWS_TO_EXPRESSION => Target::Expression(Self::text(self.expression, "expression")?),
                FWS_TO_USER => Target::User(self.user()?),
                _ => return Err(Failure::Argument(FWS_ERR_OUT_OF_RANGE, "target")),
            })
        }
    }

    unsafe fn message<'a>(&self) -> Result<SendTo<'a>, Failure> {
        // SAFETY: promised by the caller.
        unsafe {
            Ok(SendTo {
                to: self.target()?,
                route: self.route()?,
                except: Self::optional(self.except_id, "except_id")?,
                binary: self.binary,
                data: Self::bytes(self.data, "data")?,
            })
        }
    }

    unsafe fn publish<'a>(&self) -> Result<Publish<'a>, Failure> {
        // SAFETY: promised by the caller.
        unsafe {
            let channels = match (self.channel_count, self.channels.is_null()) {
                (0, _) => &[],
                (_, true) => return Err(Failure::Argument(FWS_ERR_NULL, "channels")),
                (count, false) => std::slice::from_raw_parts(self.channels, count),
            };
            Ok(Publish {
                channels: channels.iter().map(|name| Self::text(*name, "channels")).collect::<Result<_, _>>()?,
                event: Self::text(self.name, "name")?,
                data: Self::text(self.data, "data")?,
                except: Self::optional(self.except_id, "except_id")?,
                app: Self::optional(self.app, "app")?,
            })
        }
    }

    unsafe fn timer<'a>(&self) -> Result<SetTimer<'a>, Failure> {
        // SAFETY: promised by the caller.
        unsafe {
            let own = self.bell.as_ref().map(|bell| bell.inner().worker());
            Ok(SetTimer {
                delay: self.delay_ms,
                payload: Self::bytes(self.data, "data")?,
                repeat: self.repeat,
                worker: Self::optional(self.worker, "worker")?.or(own).ok_or(Failure::Argument(FWS_ERR_NULL, "worker"))?,
                name: Self::optional(self.name, "name")?,
            })
        }
    }

    /// Who gives the command.
    ///
    /// # Safety
    /// `bell` is NULL or a live bell, and `interrupt` NULL or a byte that others change by atomic writes only.
    pub(crate) unsafe fn caller<'a>(&self) -> Caller<'a> {
        // SAFETY: promised by the caller. An AtomicBool is as large as a byte.
        unsafe {
            let bell: Option<&'a fws_bell> = self.bell.as_ref();
            Caller { interrupted: self.interrupt.cast::<AtomicBool>().as_ref(), bell: bell.map(fws_bell::inner) }
        }
    }

    /// The command, which borrows from what C has given.
    ///
    /// # Safety
    /// All bytes are valid for reads as long as the caller of the ABI waits, and `bell` is NULL or a live bell.
    pub(crate) unsafe fn read<'a>(&self) -> Result<Command<'a>, Failure> {
        let kind = fws_command_kind::of(self.kind).ok_or(Failure::Argument(FWS_ERR_COMMAND, "kind"))?;
        // SAFETY: promised by the caller.
        unsafe {
            Ok(match kind {
                FWS_SEND => Command::Send(self.message()?),
                FWS_LIST => Command::List(List { of: self.target()?, route: self.route()? }),
                FWS_COUNT => Command::Count(Count { of: self.target()?, route: self.route()? }),
                FWS_CLOSE => Command::Close(Close { id: self.id()?, code: self.code()?, reason: Self::text(self.reason, "reason")? }),
                FWS_CLIENT => Command::Client(Describe { id: self.id()? }),
                FWS_PING_TIME => Command::PingTime(PingTime { id: self.id()? }),
                FWS_PING => Command::Ping(Ping { id: self.id()?, how: self.pinging() }),
                FWS_KILL => Command::Kill(Kill { id: self.id()? }),
                FWS_RENAME => Command::Rename(Rename { id: self.id()?, new: Self::text(self.new_id, "new_id")? }),
                FWS_ROUTES => Command::Routes,
                FWS_STATS => Command::Stats,
                FWS_TAG => Command::Tag(Tag { id: self.id()?, tag: self.tag()?, since: self.since()?, member: self.member()? }),
                FWS_UNTAG => Command::Untag(Untag { id: self.id()?, tag: self.tag()? }),
                FWS_CLEAR_TAGS => Command::ClearTags(ClearTags { id: self.id()? }),
                FWS_TAGS => Command::Tags(Tags { id: Self::optional(self.id, "id")? }),
                FWS_SET_INFORMATION => {
                    Command::SetInformation(SetInformation { id: self.id()?, key: self.text_key()?, value: self.value()? })
                }
                FWS_GET_INFORMATION => Command::GetInformation(GetInformation { id: self.id()?, key: self.text_key()? }),
                FWS_DELETE_INFORMATION => Command::DeleteInformation(DeleteInformation { id: self.id()?, key: self.text_key()? }),
                FWS_CLEAR_INFORMATION => Command::ClearInformation(ClearInformation { id: self.id()? }),
                FWS_ALL_INFORMATION => Command::AllInformation(AllInformation { id: self.id()? }),
                FWS_SEARCH_INFORMATION => Command::SearchInformation(SearchInformation {
                    key: self.text_key()?,
                    operator: self.op()?,
                    value: self.value()?,
                    route: self.route()?,
                }),
                FWS_VALUE_SET => Command::Set(Set { key: self.key()?, value: self.value()?, expire: self.expire() }),
                FWS_VALUE_ADD => Command::Add(Add { key: self.key()?, value: self.value()?, expire: self.expire() }),
                FWS_VALUE_GET => Command::Get(Get { key: self.key()? }),
                FWS_VALUE_DELETE => Command::Delete(Delete { key: self.key()? }),
                FWS_VALUE_INCREMENT => Command::Increment(Increment { key: self.key()?, by: self.by }),
                FWS_VALUE_EXPIRY => Command::Expiry(Expiry { key: self.key()? }),
                FWS_TIMER_SET => Command::SetTimer(self.timer()?),
                FWS_TIMER_CLEAR => Command::ClearTimer(ClearTimer { timer: self.timer }),
                FWS_HISTORY => {
                    let (tag, since, route) = (self.tag()?, self.since()?, self.route()?);
                    Command::History(ReadHistory { tag, limit: self.limit, since, route })
                }
                FWS_CLEAR_HISTORY => Command::ClearHistory(ClearHistory { tag: self.tag()?, route: self.route()? }),
                FWS_SET_USER => Command::SetUser(SetUser { id: self.id()?, user: Self::optional(self.user, "user")?, info: self.value()? }),
                FWS_DISCONNECT_USER => Command::DisconnectUser(DisconnectUser {
                    user: self.user()?,
                    code: self.code()?,
                    reason: Self::text(self.reason, "reason")?,
                    route: self.route()?,
                }),
                FWS_PUBLISH => Command::Publish(self.publish()?),
                FWS_PRESENCE => Command::Presence(Presence { tag: self.tag()?, route: self.route()? }),
            })
        }
    }
}

/// A text as a piece of a tag expression that stands for exactly this text, whatever it has in it: alone it selects the clients with this
/// tag, and beside other pieces it is a part of a name (`room_` and what is quoted). The result is item 0 of the reply. It needs no core.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fws_tag_quote(tag: *const u8, tag_len: usize, out: *mut *mut fws_reply) -> fws_result {
    guard(FWS_ERR_PANIC, || {
        // SAFETY: the caller passes valid bytes, and NULL or a valid place.
        let (tag, out) = match unsafe { (text(tag, tag_len), out.as_mut()) } {
            (_, None) => return FWS_ERR_NULL,
            (Err(code), _) => return code,
            (Ok(tag), _) if tag.len() > MAX_NAME => return FWS_ERR_INVALID_TAG,
            (Ok(tag), Some(out)) => (tag, out),
        };
        *out = fws_reply::text(&Expression::quote(tag)).give();
        FWS_OK
    })
}

#[cfg(test)]
mod tests;
