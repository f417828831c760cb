//! The C ABI: `fws_<noun>_<verb>`. Each function converts its arguments, calls the core and converts the answer.
//!
//! One module a noun. The header `include/fws.h` is generated from here; its head states the law of the ABI.
#![allow(non_camel_case_types, clippy::missing_safety_doc)]

mod batch;
mod bell;
mod bytes;
mod command;
mod control;
mod core;
mod error;
mod facts;
mod failure;
mod handshake;
mod json;
mod owned;
mod pipe;
mod pusher;
mod remote;
mod reply;
mod result;
mod routes;
mod run;

pub use batch::*;
pub use bell::*;
pub use bytes::*;
pub use command::*;
pub use control::*;
pub use core::*;
pub use error::*;
pub use facts::*;
pub use handshake::*;
pub use json::*;
pub use pipe::*;
pub use pusher::*;
pub use remote::*;
pub use reply::*;
pub use result::*;
pub use routes::*;
pub use run::*;
