//! The engine of a server that is alone.

use fws_hub::{Command, CommandError, Reply, Scope};

use crate::{Engine, Place};

/// There are no other servers: all that is known is in the memory of this one.
#[derive(Debug, Default, Clone, Copy)]
pub struct Memory;

impl Engine for Memory {
    fn place(&self, scope: Scope<'_>) -> Place {
        match scope {
            Scope::Client(_) | Scope::Clients | Scope::Value(_) | Scope::Channel(_) | Scope::Node => Place::Here,
        }
    }

    fn ask_others(&self, _: &Command<'_>) -> Result<Vec<Reply>, CommandError> {
        Ok(Vec::new())
    }
}
