//! The measurements of a cluster: many subscribers in one channel of several servers, ours or Centrifugo's.
//!
//! * [`args`] what the command line says; [`dialect`] how the servers speak; [`pusher`] the Pusher protocol
//! * [`message`] a message that can be checked; [`client`] a subscriber; [`publisher`] an HTTP connection; [`crowd`] all of them
//! * [`scenarios`] the six measurements; [`table`] the tables made of their results

pub mod args;
mod client;
mod crowd;
pub mod dialect;
mod message;
mod publisher;
mod pusher;
pub mod scenarios;
pub mod table;
