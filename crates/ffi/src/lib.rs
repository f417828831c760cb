//! The C ABI: `fws_<noun>_<verb>`. Each function converts its arguments, calls the core and converts the answer.
//!
//! One module a noun. The header `include/fws.h` is generated from here; its head states the law of the ABI.
#![allow(non_camel_case_types, clippy::missing_safety_doc)]

mod batch;
mod bell;
mod bytes;
mod client;
mod command;
mod control;
mod core;
mod handshake;
mod information;
mod json;
mod pipe;
mod result;
mod routes;
mod timer;
mod value;

pub use batch::*;
pub use bell::*;
pub use bytes::*;
pub use client::*;
pub use command::*;
pub use control::*;
pub use core::*;
pub use handshake::*;
pub use information::*;
pub use json::*;
pub use pipe::*;
pub use result::*;
pub use routes::*;
pub use timer::*;
pub use value::*;
