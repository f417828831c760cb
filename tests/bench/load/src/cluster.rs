//! The measurements of a cluster: many subscribers in one channel of several servers, ours or Centrifugo's.
//!
//! * [`args`] what the command line says; [`dialect`] how the servers speak
//! * [`message`] a message that can be checked; [`client`] a subscriber; [`publisher`] an HTTP connection; [`crowd`] all of them
//! * [`scenarios`] the five measurements; [`table`] the tables made of their results

pub mod args;
mod client;
mod crowd;
pub mod dialect;
mod message;
mod publisher;
pub mod scenarios;
pub mod table;
