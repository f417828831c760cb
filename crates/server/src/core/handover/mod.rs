//! Clients that change their server: one that is back after a break, on another server than before, gets its session from there.
//!
//! `take` is the server that it comes to, `give` the one that it leaves. What they say to each other is in `words`. `order` sees to it that the client
//! gets each message to a group once, and `departed` tells those who still ask where it was.
//! `settle` finds out whether it has arrived.

mod departed;
mod give;
mod order;
mod settle;
mod take;
mod words;

pub(crate) use self::departed::{Departed, Gone};
pub(crate) use self::order::Order;
pub(crate) use self::settle::{Fate, Sent, Underway};
pub(crate) use self::take::{Arriving, NotBrought};
pub(crate) use self::words::{Handed, Wanted, Who};
