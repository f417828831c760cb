//! Arguments that may be left out. In JSON, null counts as left out. Binary formats leave nothing out.

use serde::{Deserialize, Deserializer};

pub fn or<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D, default: impl FnOnce() -> T) -> Result<T, D::Error> {
    if !deserializer.is_human_readable() {
        return T::deserialize(deserializer);
    }
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_else(default))
}

pub fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(deserializer: D) -> Result<T, D::Error> {
    or(deserializer, T::default)
}
