//! The attributes of channels that a call can ask for.

use super::refused;
use crate::channel::{Access, Kind};
use crate::error::Error;

/// Which attributes are asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Info {
    /// How many users are in a presence channel.
    pub user_count: bool,
    /// How many connections have subscribed.
    pub subscription_count: bool,
    /// The last event of a cache channel.
    pub cache: bool,
    /// Whether anybody has subscribed.
    pub occupied: bool,
}

impl Info {
    /// Reads names with commas between them.
    pub(super) fn parse(text: Option<&str>) -> Result<Info, Error> {
        let mut info = Info::default();
        for name in text.unwrap_or_default().split(',').map(str::trim).filter(|name| !name.is_empty()) {
            match name {
                "user_count" => info.user_count = true,
                "subscription_count" => info.subscription_count = true,
                "cache" => info.cache = true,
                "occupied" => info.occupied = true,
                _ => return Err(refused("info is a list of user_count, subscription_count, cache and occupied")),
            }
        }
        Ok(info)
    }

    /// Whether nothing is asked for.
    pub fn is_empty(self) -> bool {
        self == Info::default()
    }

    /// Refuses what the channel does not have.
    pub(super) fn check(self, kind: Kind) -> Result<(), Error> {
        if self.user_count && kind.access != Access::Presence {
            return Err(refused("user_count is known of presence channels only"));
        }
        if self.cache && !kind.cache {
            return Err(refused("cache is known of cache channels only"));
        }
        Ok(())
    }

    /// What of it the channel has.
    pub fn within(self, kind: Kind) -> Info {
        Info { user_count: self.user_count && kind.access == Access::Presence, cache: self.cache && kind.cache, ..self }
    }
}
